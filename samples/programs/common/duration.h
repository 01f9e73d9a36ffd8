/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef DURATION_H
#define DURATION_H

#include <stdbool.h>
#include <time.h>

/* Takes @text such as 2s, 1.5m, 250ms or 1h for a duration. False where it is none. */
bool duration_parse(const char *text, struct timespec *duration);

/* The same for the argument of a program, which ends with a clear error where it is none. */
struct timespec duration_argument(const char *text);

/* Since @start, of CLOCK_MONOTONIC */
double milliseconds_since(const struct timespec *start);

#endif /* DURATION_H */
