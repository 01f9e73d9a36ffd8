// SPDX-License-Identifier: LGPL-2.1-or-later
#include <err.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "middleware/trace.h"

#define KEY	"trace.id"
#define DIGITS	"0123456789abcdef"

struct trace trace_new(void)
{
	unsigned char bytes[8];
	struct trace trace = { };

	if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
		err(1, "getrandom");
	for (size_t i = 0; i < sizeof(bytes); i++) {
		trace.id[2 * i] = DIGITS[bytes[i] >> 4];
		trace.id[2 * i + 1] = DIGITS[bytes[i] & 15];
	}
	return trace;
}

struct trace_name trace_name(const struct trace *trace, const char *what)
{
	struct trace_name name;

	snprintf(name.text, sizeof(name.text), "%s %s", trace->id, what);
	return name;
}

struct ctxfd_pair trace_value(const struct trace *trace)
{
	return (struct ctxfd_pair){ .key = KEY, .data = trace->id, .size = strlen(trace->id) };
}

struct trace trace_from_context(int ctx)
{
	struct trace trace = { };
	ssize_t len = ctxfd_value(ctx, KEY, trace.id, sizeof(trace.id) - 1);

	if (len != sizeof(trace.id) - 1 || strspn(trace.id, DIGITS) != (size_t)len)
		memset(trace.id, '0', sizeof(trace.id) - 1);
	return trace;
}

/* One call writes the line, so that those of several processes do not mix. */
void trace_log(int ctx, const char *format, ...)
{
	struct trace trace = trace_from_context(ctx);
	struct timespec now;
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	clock_gettime(CLOCK_MONOTONIC, &now);
	fprintf(stderr, "%lld.%03ld %s: %s %s\n", (long long)now.tv_sec, now.tv_nsec / 1000000,
		program_invocation_short_name, trace.id, text);
}
