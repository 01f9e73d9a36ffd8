// SPDX-License-Identifier: LGPL-2.1-or-later
/* A context's state in one line. */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "internal.h"

/* As snprintf: what does not fit is counted only. */
struct line {
	char *buf;
	size_t size;
	size_t length;
};

static size_t room(const struct line *line)
{
	return line->length < line->size ? line->size - line->length : 0;
}

static char *at_end(const struct line *line)
{
	return room(line) ? line->buf + line->length : NULL;
}

static void count(struct line *line, int n)
{
	if (n > 0)
		line->length += (size_t)n;
}

/* All have it as the same variable, so that it may be named more than once. */
#define add(...) count(line, snprintf(at_end(line), room(line), __VA_ARGS__))

/* Whether the bytes at @at end a line, or order a terminal about: C0, DEL and, in UTF-8, C1. */
static size_t control_bytes(const unsigned char *at, const unsigned char *end)
{
	if (*at < 0x20 || *at == 0x7f)
		return 1;
	return *at == 0xc2 && at + 1 < end && at[1] >= 0x80 && at[1] < 0xa0 ? 2 : 0;
}

static void add_text(struct line *line, const char *text, size_t size)
{
	const unsigned char *at = (const unsigned char *)text, *end = at + size;
	size_t n;

	while (at < end) {
		n = control_bytes(at, end);
		if (!n)
			add("%c", *at++);
		for (; n; n--)
			add("\\%03o", *at++);
	}
}

/* Such as the kernel's own errors; an application has others of its own. */
static void add_cause(struct line *line, int cause)
{
	const char *text = strerrordesc_np(cause);

	if (text)
		add(": %s", text);
	else
		add(": cause %d", cause);
}

static void add_alive(struct line *line, const struct ctx_info *info)
{
	struct timespec now;
	__u64 ns, left;

	add("alive");
	if (!info->deadline)
		return;
	clock_gettime(CLOCK_MONOTONIC, &now);
	ns = (__u64)now.tv_sec * (__u64)NSEC_PER_SEC + (__u64)now.tv_nsec;
	left = info->deadline > ns ? info->deadline - ns : 0;
	add(", %llu.%llu s left", left / (__u64)NSEC_PER_SEC,
	    left % (__u64)NSEC_PER_SEC / (__u64)(NSEC_PER_SEC / 10));
}

static void add_cancelled(struct line *line, const struct ctx_info *info)
{
	add("cancelled");
	if (info->cause != ECANCELED)
		add_cause(line, info->cause);
	if (!info->message_len)
		return;
	add(" (");
	add_text(line, info->message, info->message_len < sizeof(info->message) ?
		 info->message_len : sizeof(info->message));
	add(")");
}

static void add_end(struct line *line, const struct ctx_info *info)
{
	unsigned long long origin = info->origin_id != info->id ? info->origin_id : 0;

	if (info->cause == EOWNERDEAD && !info->message_len) {
		if (origin)
			add("the owner of context %llu ended", origin);
		else
			add("its owner ended");
		return;
	}
	if (info->err == ETIMEDOUT)
		add("timed out");
	else
		add_cancelled(line, info);
	if (origin)
		add(" %s context %llu", info->err == ETIMEDOUT ? "with" : "by", origin);
}

int ctxfd_describe(const struct ctx_info *info, char *buf, size_t size)
{
	struct line line = { .buf = buf, .size = size };

	if (!info || (!buf && size)) {
		errno = EFAULT;
		return -1;
	}
	if (!info->err)
		add_alive(&line, info);
	else
		add_end(&line, info);
	return (int)line.length;
}
