// SPDX-License-Identifier: GPL-2.0-only
/*
 * Why a context was cancelled: an errno, or a number of the application's own.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "ctx.h"

/* As the kernel has it in linux/err.h. */
#define MAX_ERRNO	4095

/* Second names, which strerrorname_np() does not give. */
static const struct {
	const char *name;
	int cause;
} aliases[] = {
	{ "EDEADLOCK",	EDEADLOCK },
	{ "ENOTSUP",	ENOTSUP },
	{ "EWOULDBLOCK", EWOULDBLOCK },
};

const char *cause_name(int cause)
{
	return cause > 0 ? strerrorname_np(cause) : NULL;
}

static int cause_by_name(const char *text)
{
	const char *name;
	size_t i;
	int cause;

	for (cause = 1; cause <= MAX_ERRNO; cause++) {
		name = cause_name(cause);
		if (name && !strcasecmp(text, name))
			return cause;
	}
	for (i = 0; i < sizeof(aliases) / sizeof(*aliases); i++)
		if (!strcasecmp(text, aliases[i].name))
			return aliases[i].cause;
	return 0;
}

int cause_parse(const char *text)
{
	char *end;
	long n;

	if (*text < '0' || *text > '9')
		return cause_by_name(text);
	errno = 0;
	n = strtol(text, &end, 10);
	return *end || errno || n > INT_MAX ? 0 : (int)n;
}
