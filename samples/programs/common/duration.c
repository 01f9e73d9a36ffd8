// SPDX-License-Identifier: LGPL-2.1-or-later
/* Durations as they stand in an URL or on a command line */
#include <err.h>
#include <stdlib.h>
#include <string.h>

#include "common/duration.h"

#define NSEC_PER_SEC	1000000000
#define LONGEST		(100 * 365 * 86400.0)	/* in s; what the kernel's clocks can count */

static const struct {
	const char *name;
	double seconds;
} units[] = {
	{ "ms", 0.001 },
	{ "s", 1 },
	{ "m", 60 },
	{ "h", 3600 },
};

bool duration_parse(const char *text, struct timespec *duration)
{
	/* Of what strtod() takes, only plain digits: no sign, inf or 0x. */
	size_t digits = strspn(text, "0123456789.");
	char *end;
	double t = strtod(text, &end);

	if (!digits || end != text + digits)
		return false;
	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++) {
		if (strcmp(end, units[i].name))
			continue;
		t *= units[i].seconds;
		if (t > LONGEST)
			return false;
		duration->tv_sec = (time_t)t;
		duration->tv_nsec = (long)((t - (double)duration->tv_sec) * NSEC_PER_SEC);
		return true;
	}
	return false;
}

struct timespec duration_argument(const char *text)
{
	struct timespec duration;

	if (!duration_parse(text, &duration))
		errx(2, "%s is no duration such as 2s or 250ms", text);
	return duration;
}

double milliseconds_since(const struct timespec *start)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)(now.tv_sec - start->tv_sec) * 1e3 +
	       (double)(now.tv_nsec - start->tv_nsec) / 1e6;
}
