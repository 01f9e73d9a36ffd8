/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Commands that go on until a signal ends them, and have to clean up before that does.
 */
#ifndef CTX_ENDINGS_H
#define CTX_ENDINGS_H

#include <signal.h>
#include <stddef.h>

/*
 * Blocks the signals that end a program, but those that are ignored. Returns a descriptor
 * that polls readable once one of them has come.
 */
int endings_block(void);

/* Which has come to @fd; 0 for none. */
int endings_take(int fd);

/*
 * Writes all of that to @out, however long it takes, unless one of the signals comes meanwhile,
 * or came before and @out takes no more at once. Returns how much it has written; less than @len
 * with errno set, to EINTR for a signal.
 */
size_t endings_write(int fd, int out, const char *text, size_t len);

/*
 * Between these two a signal ends a write to @out that others try again, as curses does, for as
 * long as a terminal takes nothing: what is written goes nowhere from then on, unless the
 * terminal turns out to take it.
 */
void endings_allow(int out);
void endings_forbid(void);

/* The end of all that: @fd is closed, and signals end the program by themselves again. */
void endings_close(int fd);

/* Ends the program by @sig, as though it had not been blocked. */
void endings_die(int sig) __attribute__((noreturn));

#endif /* CTX_ENDINGS_H */
