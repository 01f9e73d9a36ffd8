// SPDX-License-Identifier: GPL-2.0-only
/*
 * ctx: cancellation contexts from the shell.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "ctx.h"

static int cmd_help(int argc, char **argv);

static const struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	int usage_status;	/* after a mistake in the arguments */
	const char *what;
} commands[] = {
	{ "run",	cmd_run,	125,		"run a command under a context" },
	{ "timeout",	cmd_timeout,	125,		"run a command with a time limit" },
	{ "tree",	cmd_tree,	STATUS_ERROR,	"draw the contexts" },
	{ "ls",		cmd_ls,		STATUS_ERROR,	"list the contexts" },
	{ "cancel",	cmd_cancel,	STATUS_ERROR,	"cancel a context" },
	{ "wait",	cmd_wait,	STATUS_ERROR,	"wait until contexts are cancelled" },
	{ "info",	cmd_info,	STATUS_ERROR,	"tell all about a context" },
	{ "deadline",	cmd_deadline,	STATUS_ERROR,	"move or show a deadline" },
	{ "value",	cmd_value,	STATUS_ERROR,	"print a value of a context" },
	{ "log",	cmd_log,	STATUS_ERROR,	"tell of cancellations as they happen" },
	{ "top",	cmd_top,	STATUS_ERROR,	"show what there is, by user and by name" },
	{ "help",	cmd_help,	STATUS_ERROR,	"tell what a command does" },
	{ NULL,		NULL,		STATUS_ERROR, NULL },
};

/* The one that runs; its name is NULL before that is known. */
static const struct command *command = &commands[sizeof(commands) / sizeof(*commands) - 1];

static void vcomplain(const char *end, const char *format, va_list args)
{
	char *text;
	int len = vasprintf(&text, format, args);

	/* One line stays one line, also where others write to the same place. */
	flockfile(stderr);
	fprintf(stderr, "ctx%s%s: ", command->name ? " " : "", command->name ?: "");
	if (len < 0) {
		/* No memory: that is what it says, most likely. */
		fputs(format, stderr);
	} else {
		/* What the user gave is in it. */
		put_text(stderr, text, (size_t)len);
		free(text);
	}
	fputs(end, stderr);
	funlockfile(stderr);
}

void complain(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vcomplain("\n", format, args);
	va_end(args);
}

void die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vcomplain("\n", format, args);
	va_end(args);
	exit(command->usage_status);
}

/* Why something could not be written: a later call may have changed errno. */
static int output_error;

bool flush_output(void)
{
	if (fflush(stdout) && !output_error)
		output_error = errno;
	return !output_error && !ferror(stdout);
}

void *need(void *memory)
{
	if (!memory)
		die("out of memory");
	return memory;
}

int bad_usage(const char *format, ...)
{
	char end[64];
	va_list args;

	snprintf(end, sizeof(end), "; try 'ctx %s%s--help'\n", command->name ?: "",
		 command->name ? " " : "");
	va_start(args, format);
	vcomplain(end, format, args);
	va_end(args);
	return command->usage_status;
}

int bad_option(int c, char **argv, const struct option *options)
{
	/* An unknown long option alone leaves nothing there. */
	if (!optopt)
		return bad_usage("%s is not an option", argv[optind - 1]);
	for (; options->name; options++)
		if (options->val == optopt)
			return bad_usage("--%s %s", options->name,
					 c == ':' ? "needs an argument" : "takes no argument");
	return bad_usage("-%c %s", optopt, c == ':' ? "needs an argument" : "is not an option");
}

static void help(void)
{
	const struct command *c;

	puts("Usage: ctx COMMAND [ARGUMENT]...\n"
	     "       ctx --help | --version\n"
	     "Work with cancellation contexts.\n");
	for (c = commands; c->name; c++)
		printf("  %-10s%s\n", c->name, c->what);
	puts("\n"
	     "  -h, --help                this text\n"
	     "  -V, --version             the version\n\n"
	     "'ctx help COMMAND' tells more of each.");
}

static int call_command(int argc, char **argv)
{
	const struct command *none = command;

	for (command = commands; command->name; command++) {
		if (!strcmp(argv[0], command->name)) {
			optind = 0;
			return command->run(argc, argv);
		}
	}
	command = none;
	return bad_usage("there is no command '%s'", argv[0]);
}

/* As with --help. */
static int cmd_help(int argc, char **argv)
{
	char option[] = "--help";

	if (argc > 2)
		return bad_usage("one command at a time");
	if (argc == 1 || argv[1][0] == '-') {
		help();
		return STATUS_YES;
	}
	return call_command(2, (char *[]){ argv[1], option, NULL });
}

static int run(int argc, char **argv)
{
	static const struct option options[] = {
		{ "help",	no_argument, NULL, 'h' },
		{ "version",	no_argument, NULL, 'V' },
		{},
	};
	int c;

	opterr = 0;
	while ((c = getopt_long(argc, argv, "+:hV", options, NULL)) != -1) {
		switch (c) {
		case 'h':
			help();
			return STATUS_YES;
		case 'V':
			puts("ctx " CTX_VERSION);
			return STATUS_YES;
		default:
			return bad_option(c, argv, options);
		}
	}
	if (optind == argc)
		return bad_usage("which command?");
	return call_command(argc - optind, argv + optind);
}

/* Through a link of that name it is that command. */
static bool is_timeout(const char *path)
{
	const char *slash = path ? strrchr(path, '/') : NULL;

	return path && !strcmp(slash ? slash + 1 : path, "timeout");
}

int main(int argc, char **argv)
{
	char timeout[] = "timeout";
	int status;

	if (is_timeout(argv[0])) {
		argv[0] = timeout;
		status = call_command(argc, argv);
	} else {
		status = run(argc, argv);
	}

	/* What could not be written must not look like success. */
	if (!flush_output()) {
		complain("cannot write the output%s%s", output_error ? ": " : "",
			 output_error ? strerror(output_error) : "");
		return command->usage_status;
	}
	return status;
}
