/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COMMAND_H
#define COMMAND_H

#include "orchestrate/failure.h"

/*
 * Runs @line in a shell, and waits until it has ended; what it has left behind is killed then. All
 * its processes get a SIGTERM when @ctx ends and a SIGKILL when @last does, by the kernel: also
 * where this process has ended. Returns 0, or -1 with @failure where it did not exit with 0.
 */
int command_run(const char *line, int ctx, int last, struct failure *failure);

#endif /* COMMAND_H */
