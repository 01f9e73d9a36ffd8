// SPDX-License-Identifier: GPL-2.0-only
/*
 * ctx cancel: cancel a context that somebody holds.
 */
#include <ctxfd.h>
#include <errno.h>
#include <string.h>

#include "ctx.h"

static void help(void)
{
	puts("Usage: ctx cancel [OPTION]... NAME|ID|PID:FD\n"
	     "Cancel a context, and with it all below it. It is one that you made, or a\n"
	     "writable descriptor of a process that you may trace.\n\n"
	     "  -c, --cause=CAUSE         why: an errno, by name or number, or a number of\n"
	     "                            the application's own; ECANCELED without\n"
	     "  -m, --message=TEXT        the same for people, at most 128 bytes\n"
	     "  -h, --help                this text\n\n"
	     "Exit status: 0 where it did, 1 where the context was cancelled before, 2 where\n"
	     "it could not.");
}

static int cancel(const struct target *target, int cause, const char *message)
{
	struct forest forest = {};
	int fd = target_open(target, &forest, true), ret = -1;

	if (fd >= 0) {
		ret = ctxfd_cancel_cause(fd, cause, message);
		if (ret > 0)
			complain("%s: was cancelled before", target->text);
		else if (ret < 0)
			complain("%s: cannot cancel it: %s", target->text, strerror(errno));
	}
	forest_free(&forest);
	return !ret ? STATUS_YES : ret > 0 ? STATUS_NO : STATUS_ERROR;
}

int cmd_cancel(int argc, char **argv)
{
	static const struct option options[] = {
		{ "cause",	required_argument,	NULL, 'c' },
		{ "message",	required_argument,	NULL, 'm' },
		{ "help",	no_argument,		NULL, 'h' },
		{},
	};
	const char *message = NULL;
	struct target target;
	int cause = 0, c;

	while ((c = getopt_long(argc, argv, ":c:m:h", options, NULL)) != -1) {
		switch (c) {
		case 'c':
			cause = cause_parse(optarg);
			if (!cause)
				return bad_usage("--cause: '%s' is no errno and no number over 0",
						 optarg);
			break;
		case 'm':
			if (strlen(optarg) > CTX_MESSAGE_MAX)
				return bad_usage("--message: over %d bytes", CTX_MESSAGE_MAX);
			message = optarg;
			break;
		case 'h':
			help();
			return STATUS_YES;
		default:
			return bad_option(c, argv, options);
		}
	}
	if (argc - optind != 1)
		return bad_usage(optind == argc ? "which context?" : "one context at a time");
	if (!targets_parse(&target, argv + optind, 1))
		return STATUS_ERROR;
	return cancel(&target, cause, message);
}
