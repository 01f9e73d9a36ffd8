// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A worker below a supervisor. It sleeps, which stands for work, and beats meanwhile.
 *
 * SIGUSR1 makes it hang: it beats no more, and does not look at its context either.
 */
#include <err.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "supervise/supervised.h"

static void hang(int sig)
{
	(void)sig;
	for (;;)
		pause();
}

int main(void)
{
	struct supervised self = { };

	if (!supervised_begin(&self))
		errx(2, "the program supervise starts it");
	if (signal(SIGUSR1, hang) == SIG_ERR)
		err(1, "%s", self.name);
	fprintf(stderr, "%s: works (pid %d)\n", self.name, getpid());
	while (!ctxfd_sleep(self.ctx, &self.interval))
		supervised_beat(&self);
	supervised_say_end(&self, self.ctx);
	return 0;
}
