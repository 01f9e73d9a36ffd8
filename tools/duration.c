// SPDX-License-Identifier: GPL-2.0-only
/*
 * Durations as people write them: decimal numbers, each with a unit, added up, as
 * systemd.time(7) has them.
 */
#include <string.h>

#include "ctx.h"

#define NSEC_PER_MIN	(60 * NSEC_PER_SEC)
#define NSEC_PER_HOUR	(60 * NSEC_PER_MIN)
#define NSEC_PER_DAY	(24 * NSEC_PER_HOUR)
#define NSEC_PER_YEAR	(365 * NSEC_PER_DAY + 6 * NSEC_PER_HOUR)

static const struct {
	const char *name;
	uint64_t ns;
} units[] = {
	{ "",		NSEC_PER_SEC },
	{ "nsec",	1 },
	{ "ns",		1 },
	{ "usec",	1000 },
	{ "us",		1000 },
	{ "\u00b5s",	1000 },	/* the micro sign, */
	{ "\u03bcs",	1000 },	/* and the Greek letter */
	{ "msec",	1000000 },
	{ "ms",		1000000 },
	{ "seconds",	NSEC_PER_SEC },
	{ "second",	NSEC_PER_SEC },
	{ "sec",	NSEC_PER_SEC },
	{ "s",		NSEC_PER_SEC },
	{ "minutes",	NSEC_PER_MIN },
	{ "minute",	NSEC_PER_MIN },
	{ "min",	NSEC_PER_MIN },
	{ "m",		NSEC_PER_MIN },
	{ "hours",	NSEC_PER_HOUR },
	{ "hour",	NSEC_PER_HOUR },
	{ "hr",		NSEC_PER_HOUR },
	{ "h",		NSEC_PER_HOUR },
	{ "days",	NSEC_PER_DAY },
	{ "day",	NSEC_PER_DAY },
	{ "d",		NSEC_PER_DAY },
	{ "weeks",	7 * NSEC_PER_DAY },
	{ "week",	7 * NSEC_PER_DAY },
	{ "w",		7 * NSEC_PER_DAY },
	{ "months",	NSEC_PER_YEAR / 12 },
	{ "month",	NSEC_PER_YEAR / 12 },
	{ "M",		NSEC_PER_YEAR / 12 },
	{ "years",	NSEC_PER_YEAR },
	{ "year",	NSEC_PER_YEAR },
	{ "y",		NSEC_PER_YEAR },
};

#define NR_UNITS	(sizeof(units) / sizeof(*units))

/* 2^63 seconds in nanoseconds: no time_t holds them. */
#define LIMIT		((__uint128_t)NSEC_PER_SEC << 63)

/* A number, whole and fraction: @value / @scale. */
struct number {
	__uint128_t value;
	__uint128_t scale;
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static const char *skip_blanks(const char *text)
{
	return text + strspn(text, " \t");
}

/*
 * Returns what follows the number, or NULL where there is none. One that is too long
 * is LIMIT or more.
 */
static const char *parse_number(const char *text, struct number *number)
{
	bool digits = false;

	*number = (struct number){ .scale = 1 };
	for (; is_digit(*text); text++, digits = true)
		if (number->value < LIMIT)
			number->value = number->value * 10U + (unsigned int)(*text - '0');
	if (*text == '.') {
		/* What is under a millionth of the smallest unit is left away. */
		for (text++; is_digit(*text); text++, digits = true) {
			if (number->scale < (__uint128_t)NSEC_PER_SEC * 1000000 &&
			    number->value < LIMIT / 10) {
				number->value = number->value * 10U + (unsigned int)(*text - '0');
				number->scale *= 10;
			}
		}
	}
	return digits ? text : NULL;
}

/* Returns what follows the unit, whose nanoseconds are 0 where it is none. */
static const char *parse_unit(const char *text, uint64_t *ns)
{
	size_t i, len = strcspn(text, " \t.0123456789");

	*ns = 0;
	/* A second fraction begins no number of its own. */
	if (*text == '.')
		return text;
	for (i = 0; i < NR_UNITS; i++)
		if (strlen(units[i].name) == len && !strncmp(text, units[i].name, len))
			*ns = units[i].ns;
	return text + len;
}

/* LIMIT where it is as much or more. */
static __uint128_t times(const struct number *number, uint64_t ns)
{
	/* Under 2^93 and 2^55: the product may not fit. */
	if (number->value / number->scale > LIMIT / ns)
		return LIMIT;
	return number->value / number->scale * ns + number->value % number->scale * ns /
	       number->scale;
}

const char *duration_parse(const char *text, struct timespec *duration)
{
	static const char rubbish[] = "is no duration, such as 5s, 1h30m, 100ms or inf";
	const char *p = skip_blanks(text);
	__uint128_t total = 0;
	struct number number;
	uint64_t unit;

	if (!*p)
		return "is empty: a duration is meant, such as 5s, 1h30m, 100ms or inf";
	if (*p == '-')
		return "is negative";
	if (!strcmp(p, "inf") || !strcmp(p, "infinity")) {
		*duration = (struct timespec){ .tv_sec = INT64_MAX };
		return NULL;
	}
	for (; *p; p = skip_blanks(p)) {
		p = parse_number(p, &number);
		if (!p)
			return rubbish;
		p = parse_unit(skip_blanks(p), &unit);
		if (!unit)
			return rubbish;
		if (total < LIMIT)
			total += times(&number, unit);
	}
	if (total >= LIMIT)
		return "is too long a duration";
	duration->tv_sec = (time_t)(total / NSEC_PER_SEC);
	duration->tv_nsec = (long)(total % NSEC_PER_SEC);
	return NULL;
}
