// SPDX-License-Identifier: GPL-2.0-only
/*
 * Commands that go on until a signal ends them, and have to clean up before that does.
 *
 * The signals are blocked, and a descriptor tells of them. A write to what may have no room for
 * it is interrupted by them, and the descriptor tells of them after that. A handler has nothing
 * but the variables here to know what it is to do.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "ctx.h"
#include "endings.h"

/* The blocked ones; and which has come while they were not. */
static sigset_t endings;
static sig_atomic_t came;
/* What goes nowhere once it has, what that was, and nowhere; -1 for none. */
static int diverted = -1, kept = -1, nowhere = -1;

static void note(int sig)
{
	__atomic_store_n(&came, sig, __ATOMIC_RELAXED);
	if (diverted >= 0)
		dup2(nowhere, diverted);
}

int endings_block(void)
{
	static const int signals[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGPIPE };
	/* Not SA_RESTART: it is to interrupt. */
	const struct sigaction interrupt = { .sa_handler = note };
	struct sigaction action;
	size_t i;
	int fd;

	sigemptyset(&endings);
	for (i = 0; i < sizeof(signals) / sizeof(*signals); i++)
		if (!sigaction(signals[i], NULL, &action) && action.sa_handler != SIG_IGN)
			sigaddset(&endings, signals[i]);
	sigprocmask(SIG_BLOCK, &endings, NULL);
	for (i = 0; i < sizeof(signals) / sizeof(*signals); i++)
		if (sigismember(&endings, signals[i]))
			sigaction(signals[i], &interrupt, NULL);
	fd = signalfd(-1, &endings, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		die("cannot wait for signals: %s", strerror(errno));
	return fd;
}

int endings_take(int fd)
{
	struct signalfd_siginfo info;

	return read(fd, &info, sizeof(info)) == sizeof(info) ? (int)info.ssi_signo : 0;
}

/* Blocks them again. The descriptor tells of one that has come; returns whether one has. */
static bool block_again(void)
{
	int sig;

	sigprocmask(SIG_BLOCK, &endings, NULL);
	sig = __atomic_exchange_n(&came, 0, __ATOMIC_RELAXED);
	return sig && !raise(sig);
}

static ssize_t write_interruptibly(int out, const char *text, size_t len)
{
	ssize_t n;
	int error;

	sigprocmask(SIG_UNBLOCK, &endings, NULL);
	n = write(out, text, len);
	error = errno;
	block_again();
	errno = error;
	return n;
}

size_t endings_write(int fd, int out, const char *text, size_t len)
{
	struct pollfd fds[] = {
		{ .fd = out, .events = POLLOUT },
		{ .fd = fd, .events = POLLIN },
	};
	size_t done = 0, part;
	ssize_t n;

	while (done < len) {
		if (poll(fds, 2, -1) < 0)
			continue;
		errno = EINTR;
		if (!fds[0].revents)
			break;
		/* A pipe that has room has it for so much. */
		part = len - done < PIPE_BUF ? len - done : PIPE_BUF;
		n = write_interruptibly(out, text + done, part);
		if (n > 0)
			done += (size_t)n;
		else if (errno != EAGAIN)
			break;
	}
	return done;
}

void endings_allow(int out)
{
	if (nowhere < 0)
		nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
	if (kept < 0)
		kept = fcntl(out, F_DUPFD_CLOEXEC, 0);
	if (nowhere >= 0 && kept >= 0)
		diverted = out;
	sigprocmask(SIG_UNBLOCK, &endings, NULL);
}

void endings_forbid(void)
{
	struct pollfd fd = { .fd = kept, .events = POLLOUT };

	if (block_again() && diverted >= 0 && poll(&fd, 1, 0) == 1)
		dup2(kept, diverted);
	diverted = -1;
}

void endings_close(int fd)
{
	int sig;

	close(fd);
	for (sig = 1; sig < NSIG; sig++)
		if (sigismember(&endings, sig) == 1)
			(void)signal(sig, SIG_DFL);
	sigprocmask(SIG_UNBLOCK, &endings, NULL);
}

void endings_die(int sig)
{
	sigset_t set;

	(void)signal(sig, SIG_DFL);
	raise(sig);
	sigemptyset(&set);
	sigaddset(&set, sig);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	_exit(128 + sig);
}
