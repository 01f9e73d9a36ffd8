// SPDX-License-Identifier: GPL-2.0-only
/*
 * What people read: names and messages that others chose, and durations.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "ctx.h"

size_t utf8_decode(const char *text, size_t len, uint32_t *code)
{
	/* The least that needs so many bytes: what is longer than need be is no UTF-8. */
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	const unsigned char *p = (const unsigned char *)text;
	size_t i, n;

	if (!len)
		return 0;
	n = p[0] < 0x80 ? 1 : p[0] < 0xc0 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 :
	    p[0] < 0xf8 ? 4 : 0;
	if (!n || n > len)
		return 0;
	*code = n == 1 ? p[0] : p[0] & (0x7fU >> n);
	for (i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		*code = *code << 6 | (p[i] & 0x3f);
	}
	/* Surrogates are for UTF-16 alone. */
	if (*code < least[n] || *code > 0x10ffff || (*code >= 0xd800 && *code < 0xe000))
		return 0;
	return n;
}

bool is_graphic(uint32_t code)
{
	/* Controls; line ends; what turns the direction of writing; the byte order mark. */
	static const struct {
		uint32_t first;
		uint32_t last;
	} others[] = {
		{ 0, 0x1f }, { 0x7f, 0x9f }, { 0x61c, 0x61c }, { 0x200e, 0x200f },
		{ 0x2028, 0x202e }, { 0x2066, 0x2069 }, { 0xfeff, 0xfeff },
	};
	size_t i;

	if (code >= ' ' && code <= '~')
		return true;
	for (i = 0; i < sizeof(others) / sizeof(*others); i++)
		if (code >= others[i].first && code <= others[i].last)
			return false;
	return true;
}

static bool ask_for_utf8(void)
{
	/* By the names alone: a static program may find no locale to load. */
	static const char *const variables[] = { "LC_ALL", "LC_CTYPE", "LANG" };
	const char *value = NULL;
	size_t i;

	for (i = 0; i < sizeof(variables) / sizeof(*variables) && !(value && *value); i++)
		value = getenv(variables[i]);
	return value && (strcasestr(value, ".UTF-8") || strcasestr(value, ".UTF8"));
}

bool locale_is_utf8(void)
{
	static int answer = -1;

	/* It is asked for each text. */
	if (answer < 0)
		answer = ask_for_utf8();
	return answer;
}

void put_text(FILE *out, const char *text, size_t len)
{
	bool utf8 = locale_is_utf8();
	uint32_t code;
	size_t n;

	for (; len; text += n, len -= n) {
		n = utf8_decode(text, len, &code);
		if (n && is_graphic(code) && (utf8 || n == 1)) {
			if (code == '\\' || code == '"')
				putc('\\', out);
			fwrite(text, 1, n, out);
			continue;
		}
		n = 1;
		fprintf(out, "\\%03o", (unsigned char)*text);
	}
}

void put_name(FILE *out, const char *name)
{
	bool quote = strchr(name, ' ') || strchr(name, '"') || !strcmp(name, "-");

	if (!*name) {
		putc('-', out);
		return;
	}
	if (quote)
		putc('"', out);
	put_text(out, name, strlen(name));
	if (quote)
		putc('"', out);
}

void put_duration(FILE *out, uint64_t ns, bool fine)
{
	static const struct {
		uint64_t seconds;
		char name;
	} unit[] = { { 86400, 'd' }, { 3600, 'h' }, { 60, 'm' }, { 1, 's' } };
	uint64_t s = ns / NSEC_PER_SEC;
	size_t i = 0;

	if (fine && s < 10) {
		fprintf(out, "%" PRIu64 ".%us", s,
			(unsigned int)(ns % NSEC_PER_SEC / (NSEC_PER_SEC / 10)));
		return;
	}
	while (i < 3 && s < unit[i].seconds)
		i++;
	fprintf(out, "%" PRIu64 "%c", s / unit[i].seconds, unit[i].name);
	s %= unit[i].seconds;
	if (i < 3 && s / unit[i + 1].seconds)
		fprintf(out, "%" PRIu64 "%c", s / unit[i + 1].seconds, unit[i + 1].name);
}

const char *state_name(const struct ctx_info *info)
{
	return !info->err ? "alive" : info->err == ETIMEDOUT ? "timed out" : "cancelled";
}

const char *flag_name(unsigned int bit)
{
	/* In the order of CTX_CREATE_*. */
	static const char *const names[] = { "timeout", "detached", "without-cancel", "owned" };

	return bit < sizeof(names) / sizeof(*names) ? names[bit] : NULL;
}

void put_reason(FILE *out, const struct ctx_info *info)
{
	const char *name = cause_name(info->cause);

	/* The state has said it already. */
	if (info->err && info->cause != (int)info->err) {
		if (name)
			fprintf(out, " %s", name);
		else
			fprintf(out, " %d", info->cause);
	}
	if (info->message_len) {
		fputs(" \"", out);
		put_text(out, info->message, info->message_len);
		putc('"', out);
	}
}
