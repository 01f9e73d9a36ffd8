// SPDX-License-Identifier: LGPL-2.1-or-later
/* A context in a plain epoll loop: one more descriptor to wait for. */
#include <ctxfd.h>
#include <err.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

static void wait_for(int epoll, int fd)
{
	struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };

	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event))
		err(1, "epoll_ctl");
}

static int new_ticker(void)
{
	struct itimerspec times = {
		.it_value.tv_nsec = 1,
		.it_interval.tv_nsec = 100000000,
	};
	int ticker = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);

	if (ticker < 0 || timerfd_settime(ticker, 0, &times, NULL))
		err(1, "timerfd");
	return ticker;
}

int main(void)
{
	/* Below the context that it was started under, and for a minute at most. */
	int parent = ctxfd_from_env();
	int ctx = parent < 0 ? -1 : ctxfd_with_timeout(parent, &(struct timespec){ 60, 0 });
	struct epoll_event event;
	struct ctx_info info;
	int epoll, ticker, n;
	uint64_t ticks;

	if (ctx < 0)
		err(1, "no context");
	epoll = epoll_create1(EPOLL_CLOEXEC);
	if (epoll < 0)
		err(1, "epoll_create1");
	setlinebuf(stdout);
	ticker = new_ticker();
	wait_for(epoll, ctx);
	wait_for(epoll, ticker);

	for (;;) {
		n = epoll_wait(epoll, &event, 1, -1);
		if (n < 0 && errno != EINTR)
			err(1, "epoll_wait");
		if (n > 0 && event.data.fd == ctx)
			break;
		if (n > 0 && read(ticker, &ticks, sizeof(ticks)) > 0)
			puts("tick");
	}

	if (ctxfd_info(ctx, &info))
		err(1, "ctxfd_info");
	printf("stops: %s: %s\n", strerror((int)info.err), strerror(info.cause));
	close(ticker);
	close(epoll);
	close(ctx);
	return 0;
}
