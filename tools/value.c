// SPDX-License-Identifier: GPL-2.0-only
/*
 * ctx value: what a context carries under a key.
 */
#include <ctxfd.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "ctx.h"

static int print_value(int fd, const char *key, bool raw)
{
	char data[CTX_VALUE_MAX] = "";
	ssize_t size = ctxfd_value(fd, key, data, sizeof(data));

	if (size < 0 && errno == ENODATA) {
		complain("there is no value '%s', here or above", key);
		return STATUS_NO;
	}
	if (size < 0) {
		complain("cannot look up '%s': %s", key, strerror(errno));
		return STATUS_ERROR;
	}
	if (raw) {
		fwrite(data, 1, (size_t)size, stdout);
	} else {
		put_text(stdout, data, (size_t)size);
		putchar('\n');
	}
	return STATUS_YES;
}

static int look_up(const struct target *target, const char *key, bool raw)
{
	struct forest forest = {};
	int fd = target ? target_open(target, &forest, false) : ambient_open();
	int status = fd < 0 ? STATUS_ERROR : print_value(fd, key, raw);

	forest_free(&forest);
	/* The ambient descriptor is not this function's. */
	if (target && fd >= 0)
		close(fd);
	return status;
}

static void help(void)
{
	puts("Usage: ctx value [OPTION]... [NAME|ID|PID:FD] KEY\n"
	     "Print the value that a context has under a key, or else the nearest one above\n"
	     "it; without a context, that which this command runs under.\n\n"
	     "  -r, --raw                 the bytes as they are, and no newline; without, what\n"
	     "                            cannot be shown is escaped\n"
	     "  -h, --help                this text\n\n"
	     "Exit status: 0 where there is one, 1 where there is none, 2 where it could not\n"
	     "ask.");
}

int cmd_value(int argc, char **argv)
{
	static const struct option options[] = {
		{ "raw",	no_argument,	NULL, 'r' },
		{ "help",	no_argument,	NULL, 'h' },
		{},
	};
	struct target target;
	bool raw = false;
	const char *key;
	int c;

	while ((c = getopt_long(argc, argv, ":rh", options, NULL)) != -1) {
		switch (c) {
		case 'r':
			raw = true;
			break;
		case 'h':
			help();
			return STATUS_YES;
		default:
			return bad_option(c, argv, options);
		}
	}
	argc -= optind;
	argv += optind;
	if (argc < 1 || argc > 2)
		return bad_usage(argc ? "one context and one key" : "which key?");
	key = argv[argc - 1];
	if (!*key || strlen(key) > CTX_KEY_MAX)
		return bad_usage("a key has 1 to %d bytes", CTX_KEY_MAX);
	if (argc == 2 && !targets_parse(&target, argv, 1))
		return STATUS_ERROR;
	return look_up(argc == 2 ? &target : NULL, key, raw);
}
