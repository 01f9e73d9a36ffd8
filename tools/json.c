// SPDX-License-Identifier: GPL-2.0-only
/*
 * Writes JSON. It is UTF-8 whatever it is given, and safe to be seen on a terminal.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "ctx.h"

#define REPLACEMENT	0xfffd

/* NOLINTNEXTLINE(misc-no-recursion): once */
static void put_code(FILE *out, uint32_t code)
{
	if (code > 0xffff) {
		put_code(out, 0xd7c0 + (code >> 10));
		code = 0xdc00 | (code & 0x3ff);
	}
	fprintf(out, "\\u%04" PRIx32, code);
}

bool json_string(FILE *out, const char *text, size_t len)
{
	bool valid = true;
	uint32_t code;
	size_t n;

	putc('"', out);
	for (; len; text += n, len -= n) {
		n = utf8_decode(text, len, &code);
		if (!n) {
			valid = false;
			code = REPLACEMENT;
			n = 1;
			put_code(out, code);
		} else if (code == '"' || code == '\\') {
			fprintf(out, "\\%c", (char)code);
		} else if (is_graphic(code)) {
			fwrite(text, 1, n, out);
		} else {
			put_code(out, code);
		}
	}
	putc('"', out);
	return valid;
}

static void begin(struct json *json, const char *key)
{
	if (json->comma)
		putc(',', json->out);
	json->comma = true;
	if (key) {
		json_string(json->out, key, strlen(key));
		putc(':', json->out);
	}
}

void json_open(struct json *json, const char *key, char bracket)
{
	begin(json, key);
	putc(bracket, json->out);
	json->comma = false;
}

void json_close(struct json *json, char bracket)
{
	putc(bracket, json->out);
	json->comma = true;
}

void json_line(struct json *json)
{
	if (json->comma)
		putc(',', json->out);
	json->comma = false;
	putc('\n', json->out);
}

void json_null(struct json *json, const char *key)
{
	begin(json, key);
	fputs("null", json->out);
}

void json_bool(struct json *json, const char *key, bool value)
{
	begin(json, key);
	fputs(value ? "true" : "false", json->out);
}

void json_number(struct json *json, const char *key, int64_t value)
{
	begin(json, key);
	fprintf(json->out, "%" PRId64, value);
}

void json_unsigned(struct json *json, const char *key, uint64_t value)
{
	begin(json, key);
	fprintf(json->out, "%" PRIu64, value);
}

void json_seconds(struct json *json, const char *key, int64_t ns)
{
	uint64_t size = ns < 0 ? -(uint64_t)ns : (uint64_t)ns;

	begin(json, key);
	fprintf(json->out, "%s%" PRIu64 ".%09" PRIu64, ns < 0 ? "-" : "",
		(uint64_t)(size / NSEC_PER_SEC), (uint64_t)(size % NSEC_PER_SEC));
}

void json_text(struct json *json, const char *key, const char *text, size_t len)
{
	begin(json, key);
	if (json_string(json->out, text, len))
		return;
	fprintf(json->out, ",\"%s_hex\":\"", key);
	for (; len; text++, len--)
		fprintf(json->out, "%02x", (unsigned char)*text);
	putc('"', json->out);
}

void json_holders(struct json *json, const char *key, const struct holder *holder)
{
	json_open(json, key, '[');
	for (; holder; holder = holder->next) {
		json_open(json, NULL, '{');
		json_number(json, "pid", holder->process->pid);
		json_number(json, "fd", holder->fd);
		json_bool(json, "writable", holder->writable);
		json_text(json, "command", holder->process->name, holder->process->len);
		json_close(json, '}');
	}
	json_close(json, ']');
}

static void json_deadline(struct json *json, const struct ctx_info *info)
{
	struct timespec now;

	if (!info->deadline) {
		json_null(json, "deadline");
		json_null(json, "left");
		return;
	}
	clock_gettime(CLOCK_MONOTONIC, &now);
	json_unsigned(json, "deadline", info->deadline);
	json_seconds(json, "left", (int64_t)(info->deadline - (uint64_t)now.tv_sec * NSEC_PER_SEC -
					     (uint64_t)now.tv_nsec));
}

void json_context(struct json *json, const struct context *context)
{
	const struct ctx_info *info = &context->info;
	const char *name = cause_name(info->cause);

	json_unsigned(json, "id", info->id);
	json_bool(json, "visible", context->visible);
	if (!context->visible) {
		json_null(json, "parent");
		return;
	}
	json_unsigned(json, "parent", info->parent_id);
	json_unsigned(json, "depth", info->depth);
	json_text(json, "name", info->name, strlen(info->name));
	if (context->age < 0)
		json_null(json, "age");
	else
		json_number(json, "age", context->age);
	json_text(json, "state", state_name(info), strlen(state_name(info)));
	json_unsigned(json, "err", info->err);
	json_number(json, "cause", info->cause);
	if (name)
		json_text(json, "cause_name", name, strlen(name));
	else
		json_null(json, "cause_name");
	json_text(json, "message", info->message, info->message_len);
	json_unsigned(json, "origin", info->origin_id);
	json_deadline(json, info);
	json_unsigned(json, "flags", info->flags);
	json_unsigned(json, "children", info->nr_children);
	json_holders(json, "holders", context->holders);
}
