/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the commands of ctx share.
 *
 * A command is a function that takes its arguments as main does, its own name
 * first, and returns the exit status. It calls getopt_long with an option string
 * that begins with ':' (or "+:") and leaves '?' and ':' to bad_option().
 */
#ifndef CTX_H
#define CTX_H

#include <getopt.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

/* Exit statuses of all commands but run. */
enum {
	STATUS_YES	= 0,
	STATUS_NO	= 1,	/* asked, and the answer is no */
	STATUS_ERROR	= 2,	/* could not ask */
};

int cmd_run(int argc, char **argv);

/* ctx.c */

/* "ctx COMMAND: ...", a line on stderr. */
void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same, with the advice to ask for help. Returns the exit status for it. */
int bad_usage(const char *format, ...) __attribute__((format(printf, 1, 2)));

/*
 * For what getopt_long returned as @c, '?' or ':'. All short options have a long
 * name in @options. Returns the exit status.
 */
int bad_option(int c, char **argv, const struct option *options);

/* duration.c */

/*
 * Reads "5", "5s", "1.5h", "100ms", "2m" or "1d". Returns NULL, or what is wrong
 * with @text, which is to follow it in a line: "'-1' is negative".
 */
const char *duration_parse(const char *text, struct timespec *duration);

#endif /* CTX_H */
