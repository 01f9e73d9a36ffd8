/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Whether a text is one JSON document and no more, in UTF-8 (RFC 8259).
 */
#ifndef CTX_JSON_H
#define CTX_JSON_H

#include <stdbool.h>
#include <string.h>

/* Each of these goes past what it is for, or sets *p to NULL. */

static inline void json_space(const char **p)
{
	if (*p)
		*p += strspn(*p, " \t\r\n");
}

static inline bool json_take(const char **p, char c)
{
	json_space(p);
	if (!*p || **p != c)
		return false;
	++*p;
	return true;
}

static inline void json_utf8(const char **p)
{
	const unsigned char *u = (const unsigned char *)*p;
	unsigned int n = u[0] < 0x80 ? 1 : u[0] < 0xc2 ? 0 : u[0] < 0xe0 ? 2 : u[0] < 0xf0 ? 3 :
		u[0] < 0xf5 ? 4 : 0, i;

	for (i = 1; i < n; i++)
		if ((u[i] & 0xc0) != 0x80)
			n = 0;
	/* Longer than need be; surrogates; beyond the last. */
	if (!n || (u[0] == 0xe0 && u[1] < 0xa0) || (u[0] == 0xed && u[1] > 0x9f) ||
	    (u[0] == 0xf0 && u[1] < 0x90) || (u[0] == 0xf4 && u[1] > 0x8f))
		*p = NULL;
	else
		*p += n;
}

static inline void json_quoted(const char **p)
{
	if (!json_take(p, '"')) {
		*p = NULL;
		return;
	}
	while (*p && **p != '"') {
		if ((unsigned char)**p < 0x20) {
			*p = NULL;
		} else if (**p != '\\') {
			json_utf8(p);
		} else if ((*p)[1] == 'u') {
			*p += 2;
			*p = strspn(*p, "0123456789abcdefABCDEF") < 4 ? NULL : *p + 4;
		} else {
			*p = (*p)[1] && strchr("\"\\/bfnrt", (*p)[1]) ? *p + 2 : NULL;
		}
	}
	if (*p)
		++*p;
}

static inline void json_digits(const char **p)
{
	size_t n = *p ? strspn(*p, "0123456789") : 0;

	*p = n ? *p + n : NULL;
}

static inline void json_figure(const char **p)
{
	if (**p == '-')
		++*p;
	if (**p == '0')
		++*p;
	else
		json_digits(p);
	if (*p && **p == '.') {
		++*p;
		json_digits(p);
	}
}

static inline void json_value(const char **p);

static inline void json_members(const char **p, char end, bool named)
{
	++*p;
	if (json_take(p, end))
		return;
	do {
		if (named) {
			json_quoted(p);
			if (!json_take(p, ':'))
				*p = NULL;
		}
		json_value(p);
	} while (json_take(p, ','));
	if (!json_take(p, end))
		*p = NULL;
}

static inline void json_word(const char **p, const char *word)
{
	*p = strncmp(*p, word, strlen(word)) ? NULL : *p + strlen(word);
}

static inline void json_value(const char **p)
{
	json_space(p);
	if (!*p)
		return;
	switch (**p) {
	case '{':
		json_members(p, '}', true);
		break;
	case '[':
		json_members(p, ']', false);
		break;
	case '"':
		json_quoted(p);
		break;
	case 't':
		json_word(p, "true");
		break;
	case 'f':
		json_word(p, "false");
		break;
	case 'n':
		json_word(p, "null");
		break;
	default:
		json_figure(p);
	}
}

static inline bool json_is_valid(const char *text)
{
	json_value(&text);
	json_space(&text);
	return text && !*text;
}

#endif /* CTX_JSON_H */
