/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Programs that run in several processes: agents do what the fuzzer tells them to, one at a time,
 * by the system calls themselves, so that what must come of it is known; but some of them wait
 * meanwhile.
 */
#ifndef FUZZ_APART_H
#define FUZZ_APART_H

#include "run.h"

int apart_open(struct run *run);
int apart_program(struct run *run);
void apart_agent(unsigned int number) __attribute__((noreturn));

#endif /* FUZZ_APART_H */
