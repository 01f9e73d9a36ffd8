// SPDX-License-Identifier: LGPL-2.1-or-later
#include <ctxfd.h>
#include <err.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void)
{
	int job = ctxfd_with_timeout(ctxfd_background(), &(struct timespec){ .tv_sec = 60 });
	int watch = ctxfd_watch(job);		/* can wait, cannot cancel */
	pid_t worker = watch < 0 ? -1 : fork();
	struct ctx_info info;

	if (worker < 0)
		err(1, "no context (is the module loaded?)");
	if (worker > 0)
		return wait(NULL) < 0;		/* kill it here, with -9 if you like */
	close(job);				/* is the parent's alone */
	ctxfd_wait(watch, NULL);		/* or poll it beside all else */
	ctxfd_info(watch, &info);
	printf("worker stops: %s: %s\n", strerror((int)info.err), strerror(info.cause));
	return 0;
}
