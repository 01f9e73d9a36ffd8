// SPDX-License-Identifier: LGPL-2.1-or-later
/* An error with its story */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "orchestrate/failure.h"

int failure_set(struct failure *failure, int cause, const char *format, ...)
{
	va_list args;

	failure->cause = cause;
	va_start(args, format);
	vsnprintf(failure->text, sizeof(failure->text), format, args);
	va_end(args);
	return -1;
}

int failure_wrap(struct failure *failure, const char *format, ...)
{
	struct failure outer = { .cause = failure->cause };
	size_t size = sizeof(outer.text), len;
	va_list args;

	va_start(args, format);
	vsnprintf(outer.text, size, format, args);
	va_end(args);
	len = strlen(outer.text);
	if (snprintf(outer.text + len, size - len, ": %s", failure->text) >= 0)
		*failure = outer;
	return -1;
}
