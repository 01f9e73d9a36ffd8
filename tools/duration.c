// SPDX-License-Identifier: GPL-2.0-only
/*
 * Durations as people write them: a decimal number and a unit.
 */
#include <string.h>

#include "ctx.h"

static const struct {
	const char *name;
	uint64_t ns;
} units[] = {
	{ "",	NSEC_PER_SEC },
	{ "ns",	1 },
	{ "us",	1000 },
	{ "ms",	1000000 },
	{ "s",	NSEC_PER_SEC },
	{ "m",	60 * NSEC_PER_SEC },
	{ "h",	3600 * NSEC_PER_SEC },
	{ "d",	86400 * NSEC_PER_SEC },
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* 2^63 seconds in nanoseconds: no time_t holds them. */
#define LIMIT	((__uint128_t)NSEC_PER_SEC << 63)

const char *duration_parse(const char *text, struct timespec *duration)
{
	static const char rubbish[] = "is no duration, such as 5s, 1.5h or 100ms";
	const char *p = text;
	__uint128_t number = 0, scale = 1;
	bool digits = false;
	size_t i;

	if (!*p)
		return "is empty: a duration is meant, such as 5s, 1.5h or 100ms";
	if (*p == '-')
		return "is negative";
	for (; is_digit(*p); p++, digits = true) {
		number = number * 10U + (unsigned int)(*p - '0');
		if (number >= LIMIT)
			return "is too long a duration";
	}
	if (*p == '.') {
		/* What is under a millionth of the smallest unit is left away. */
		for (p++; is_digit(*p); p++, digits = true) {
			if (scale < (__uint128_t)NSEC_PER_SEC * 1000000 && number < LIMIT / 10) {
				number = number * 10U + (unsigned int)(*p - '0');
				scale *= 10;
			}
		}
	}
	if (!digits)
		return rubbish;
	for (i = 0; i < sizeof(units) / sizeof(*units); i++)
		if (!strcmp(p, units[i].name))
			break;
	if (i == sizeof(units) / sizeof(*units))
		return rubbish;
	/* Both under 2^93 and 2^47: the product may not fit. */
	if (number / scale > LIMIT / units[i].ns)
		return "is too long a duration";
	number = number / scale * units[i].ns + number % scale * units[i].ns / scale;
	if (number >= LIMIT)
		return "is too long a duration";
	duration->tv_sec = (time_t)(number / NSEC_PER_SEC);
	duration->tv_nsec = (long)(number % NSEC_PER_SEC);
	return NULL;
}
