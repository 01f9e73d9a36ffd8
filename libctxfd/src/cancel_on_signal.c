// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A context that is cancelled by a signal: in the handler, in whatever thread that runs,
 * as all that it takes is a system call.
 *
 * The registrations are static, as a handler that has just begun may look at them at any
 * time. There is one for each signal, of one process: a child has a copy that is not its
 * own, in which the handler does what the signal did before.
 */

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "after.h"
#include "control.h"
#include "internal.h"

enum { TAKEN, ARMED, FIRED, STATES = 4 };

static struct slot {
	/* STATES times the process that has taken it, and a state; or 0. */
	atomic_ulong word;
	atomic_uint inside;		/* whose handlers look at it, and how many: see enter() */
	/* All that follows is as it was when ARMED was set. */
	struct ctxfd_control control;
	struct ctx_cancel_args args;
	char message[16];
	struct sigaction before;
} slots[NSIG];

struct registration {
	struct ctxfd_after after;
	unsigned long process;
	int signals[2];
	int n;
};

/*
 * A child may be forked while another thread is in the handler, which never leaves it
 * there. So the count has half of the process's number in front: with another's, it is 0.
 */
static unsigned int mark_of(unsigned long process)
{
	return (unsigned int)process << 16;
}

static unsigned int count_of(unsigned int inside, unsigned int mark)
{
	return (inside ^ mark) & 0xffff0000 ? 0 : inside & 0xffff;
}

static void enter(struct slot *slot, unsigned int mark)
{
	unsigned int seen = atomic_load(&slot->inside);

	while (!atomic_compare_exchange_weak(&slot->inside, &seen,
					     mark | (count_of(seen, mark) + 1)))
		;
}

static void leave(struct slot *slot)
{
	atomic_fetch_sub(&slot->inside, 1);
}

/* The next instance, which waits for the handler's end, does what the signal did before. */
static void pass_on(int sig, const struct slot *slot)
{
	sigaction(sig, &slot->before, NULL);
	/* NOLINTNEXTLINE(cert-err33-c): there is nobody to tell */
	raise(sig);
}

static void handle(int sig)
{
	struct slot *slot = &slots[sig];
	unsigned long process = ctxfd_process(), word = process * STATES + ARMED;
	int err = errno;

	enter(slot, mark_of(process));
	if (atomic_compare_exchange_strong(&slot->word, &word, process * STATES + FIRED))
		ctxfd_control_cancel(&slot->control, &slot->args);
	else if (word != process * STATES + FIRED)
		pass_on(sig, slot);
	leave(slot);
	errno = err;
}

static bool is_ours(const struct sigaction *now)
{
	return !(now->sa_flags & SA_SIGINFO) && now->sa_handler == handle;
}

static void fill_slot(struct slot *slot, int sig, const struct ctxfd_control *control)
{
	const char *name = sigabbrev_np(sig);

	if (name)
		snprintf(slot->message, sizeof(slot->message), "SIG%s", name);
	else
		snprintf(slot->message, sizeof(slot->message), "signal %d", sig);
	slot->control = *control;
	slot->args = (struct ctx_cancel_args){
		.cause = EINTR,
		.message = (__u64)(uintptr_t)slot->message,
		.message_len = (__u32)strlen(slot->message),
	};
}

/* 1 where @sig is taken now, 0 where it is ignored, which it stays, or -1. */
static int take(int sig, const struct ctxfd_control *control, unsigned long process)
{
	struct sigaction action = { .sa_handler = handle, .sa_flags = SA_RESTART | SA_ONSTACK };
	struct slot *slot = &slots[sig];
	unsigned long word = atomic_load(&slot->word);
	struct sigaction now;

	if (sigaction(sig, NULL, &now))
		return -1;
	if (word / STATES == process ||
	    !atomic_compare_exchange_strong(&slot->word, &word, process * STATES + TAKEN)) {
		errno = EBUSY;
		return -1;
	}
	/* What a parent took is its handler yet, and what was before is known. */
	if (!is_ours(&now))
		slot->before = now;
	if (slot->before.sa_handler == SIG_IGN) {
		atomic_store(&slot->word, 0);
		return 0;
	}
	fill_slot(slot, sig, control);
	atomic_store(&slot->word, process * STATES + ARMED);
	sigemptyset(&action.sa_mask);
	if (!sigaction(sig, &action, NULL))
		return 1;
	atomic_store(&slot->word, 0);
	return -1;
}

/* Returns whether the signal has not come. */
static bool give_back(int sig, unsigned long process)
{
	struct slot *slot = &slots[sig];
	unsigned int mark = mark_of(process);
	unsigned long word = atomic_load(&slot->word);
	struct sigaction now;

	/* A child has taken for itself what it had a copy of. */
	if (word / STATES != process)
		return true;
	/* Unless somebody has put another in its place. */
	if (!sigaction(sig, NULL, &now) && is_ours(&now))
		sigaction(sig, &slot->before, NULL);
	word = atomic_exchange(&slot->word, process * STATES + TAKEN);
	/* It takes a system call. Asleep: with a real-time priority a yield may wait for ever. */
	while (process == ctxfd_process() && count_of(atomic_load(&slot->inside), mark))
		nanosleep(&(struct timespec){ .tv_nsec = NSEC_PER_SEC / 10000 }, NULL);
	atomic_store(&slot->word, 0);
	return word % STATES == ARMED;
}

static bool give_back_all(const struct registration *registration)
{
	int err = errno, state = ctxfd_hold_cancel();
	bool none = true;

	for (int i = 0; i < registration->n; i++)
		none &= give_back(registration->signals[i], registration->process);
	ctxfd_release_cancel(state);
	errno = err;
	return none;
}

static int stop(struct ctxfd_after *after, bool wait)
{
	struct registration *registration = (struct registration *)after;
	bool none = give_back_all(registration);

	(void)wait;
	free(registration);
	return none;
}

static int take_all(struct registration *registration, const struct ctxfd_control *control,
		    const int *signals, int n)
{
	for (int i = 0; i < n; i++) {
		int taken = take(signals[i], control, registration->process);

		if (taken < 0)
			return -1;
		if (taken)
			registration->signals[registration->n++] = signals[i];
	}
	return 0;
}

struct ctxfd_after *ctxfd_cancel_on_signal(int ctx, int sig)
{
	static const int both[] = { SIGINT, SIGTERM };
	struct registration *registration;
	struct ctxfd_control control;

	if (ctxfd_failed(ctx) || ctxfd_control_begin(&control, ctx))
		return NULL;
	if (sig < 0 || sig >= NSIG || sig == SIGKILL || sig == SIGSTOP) {
		errno = EINVAL;
		return NULL;
	}
	registration = malloc(sizeof(*registration));
	if (!registration)
		return NULL;
	*registration = (struct registration){ .after.stop = stop, .process = ctxfd_process() };
	if (!registration->process)
		errno = ENOMEM;
	else if (!take_all(registration, &control, sig ? &sig : both, sig ? 1 : 2))
		return &registration->after;
	give_back_all(registration);
	free(registration);
	return NULL;
}
