/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Commands that go on until a signal ends them, and have to clean up before that does.
 */
#ifndef CTX_ENDINGS_H
#define CTX_ENDINGS_H

#include <signal.h>

/*
 * Blocks the signals that end a program, but those that are ignored. Returns a descriptor
 * that polls readable once one of them has come.
 */
int endings_block(void);

/* Which has come to @fd; 0 for none. */
int endings_take(int fd);

/* Ends the program by @sig, as though it had not been blocked. */
void endings_die(int sig) __attribute__((noreturn));

#endif /* CTX_ENDINGS_H */
