// SPDX-License-Identifier: GPL-2.0-only
/*
 * Running a program: the model goes ahead as far as nothing depends on clocks, then the kernel
 * makes the same calls in one batch, then the two are compared.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "agent.h"
#include "apart.h"
#include "run.h"

static int64_t now_on(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static int64_t now(void)
{
	return now_on(CLOCK_MONOTONIC);
}

/* Narrows what is known of how far @clock is ahead of CLOCK_MONOTONIC. */
static void compare_clocks(clockid_t clock, struct span *ahead)
{
	int64_t before = now(), then = now_on(clock), after = now();

	if (then - after > ahead->from)
		ahead->from = then - after;
	if (then - before < ahead->to)
		ahead->to = then - before;
}

static int run_batch(struct run *run, struct batch_call *calls, unsigned int nr)
{
	struct batch_run args;
	int done;

	while (nr) {
		args = (struct batch_run) { .calls = (uintptr_t)calls, .nr = nr };
		done = ioctl(run->batch, BATCH_RUN, &args);
		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return failed(run, 0, "the batch gave %d: %m", done);
		calls += done;
		nr -= done;
	}
	return 0;
}

/* The calls of operation @i: itself, a look at one context, a view of all. */
static void make_calls(struct run *run, unsigned int i)
{
	static const uint16_t what[] = {
		[OP_IOCTL] = BATCH_IOCTL, [OP_CLOSE] = BATCH_CLOSE, [OP_DUP] = BATCH_DUP,
		[OP_POLL] = BATCH_POLL, [OP_READ] = BATCH_READ, [OP_MMAP] = BATCH_MMAP,
		[OP_MUNMAP] = BATCH_MUNMAP, [OP_WAIT] = BATCH_WAIT, [OP_UNWAIT] = BATCH_UNWAIT,
		[OP_OPEN] = BATCH_ASKED, [OP_LIST] = BATCH_ASKED,
	};
	const struct op *op = &run->ops[i];
	struct batch_call *calls = &run->calls[CALLS_PER_OP * i];

	if (op->kind < OP_EXPIRE)
		calls[0] = (struct batch_call) {
			.what = what[op->kind], .flags = BATCH_STAMP, .slot = op->slot,
			.out = op->out, .index = op->index, .cmd = op->cmd, .arg = op->arg,
		};
	if (op->kind == OP_LIST)
		calls[0].flags |= BATCH_BEFORE;
	calls[1] = (struct batch_call) {
		.what = BATCH_IOCTL, .flags = BATCH_STAMP, .slot = op->look, .out = -1,
		.cmd = CTX_IOC_INFO, .arg = (uintptr_t)&run->info[i],
	};
	calls[2] = (struct batch_call) {
		.what = BATCH_VIEW, .out = -1, .arg = (uintptr_t)&run->seen[i],
	};
}

/* What the model sees after operation @i. */
void run_foresee(struct run *run, unsigned int i)
{
	unsigned int n;

	model_look(&run->model, run->ops[i].look, &run->look[i]);
	run->view[i].readable = model_readable(&run->model);
	for (n = 0; n < MAPS; n++)
		run->view[i].status[n] = model_status(&run->model, n);
	for (n = 0; n < WAITERS; n++)
		run->view[i].woken[n] = model_woken(&run->model, n);
}

static void step(struct run *run, unsigned int i)
{
	run->model.now = i;
	model_step(&run->model, &run->ops[i], &run->expect[i]);
	if (run->expect[i].skipped) {
		run->ops[i].kind = OP_POLL;
		run->ops[i].out = -1;
		model_step(&run->model, &run->ops[i], &run->expect[i]);
	}
}

int run_compare(struct run *run, unsigned int i)
{
	/* The view is not counted, though it polls them all. */
	run->total += run->expect[i].on_context + (run->look[i].context != NOBODY);
	return (!run->expect[i].skipped && check_op(run, i)) || check_look(run, i) || check_view(run, i);
}

/* Forgets a difference that may pass, and gives it time to. */
void run_pause(struct run *run)
{
	struct timespec pause = { .tv_nsec = 200000 };

	*run->failure = '\0';
	nanosleep(&pause, NULL);
}

/* Operations @from to before @to, which no clock has a say in */
static int run_plain(struct run *run, unsigned int from, unsigned int to)
{
	unsigned int i;

	for (i = from; i < to; i++) {
		step(run, i);
		make_calls(run, i);
		run_foresee(run, i);
	}
	if (from < to && run_batch(run, &run->calls[CALLS_PER_OP * from], CALLS_PER_OP * (to - from)))
		return -1;
	for (i = from; i < to; i++) {
		run->span[i].from = run->calls[CALLS_PER_OP * i].begin;
		/* What munmap lets go of goes before the next call. */
		run->span[i].to = run->calls[CALLS_PER_OP * i + 1].begin;
		if (run_compare(run, i))
			return -1;
	}
	return 0;
}

static int call(int fd, unsigned int cmd, void *arg)
{
	return ioctl(fd, cmd, arg) ? -errno : 0;
}

/* Waits until the deadline that was just set has struck. */
static int wait_for_end(struct run *run, unsigned int i, int context)
{
	struct pollfd fd = { .fd = model_fd(&run->model, run->ops[i].slot), .events = POLLIN };
	int ret;

	do {
		ret = poll(&fd, 1, BOUND * 1000);
	} while (ret < 0 && errno == EINTR);
	if (ret != 1)
		return failed(run, i, "the deadline has not struck after %d s", BOUND);
	model_cancel(&run->model, context, ETIMEDOUT, ETIMEDOUT, NULL, 0);
	return 0;
}

/*
 * Removes the deadline that was just set. Where it is too late for that, it has struck; otherwise
 * it never will.
 */
static int remove_deadline(struct run *run, unsigned int i, int context)
{
	const struct ctx_deadline_args *args = (const void *)run->ops[i].memory->args;
	struct ctx_deadline_args none = { .clockid = CLOCK_MONOTONIC };
	int ret = call(model_fd(&run->model, run->ops[i].slot), CTX_IOC_SET_DEADLINE, &none);

	if (ret == -ECANCELED) {
		model_cancel(&run->model, context, ETIMEDOUT, ETIMEDOUT, NULL, 0);
		return 0;
	}
	if (ret)
		return failed(run, i, "the deadline cannot be removed: %s", strerror(-ret));
	run->model.contexts[context].deadline.set = false;
	if (run->lapsed < now() + (int64_t)args->deadline)
		run->lapsed = now() + (int64_t)args->deadline;
	return 0;
}

/*
 * No call says when all below have been told of a deadline, nor when it has come to the children
 * of further parents; but the plain subtree is cancelled at once.
 */
static int compare_when_told(struct run *run, unsigned int i)
{
	const struct batch_view *view = &run->view[i], *seen = &run->seen[i];
	int64_t end = now() + BOUND * 1000000000LL;
	bool strict = !model_merges(&run->model);

	for (;;) {
		if (run_batch(run, &run->calls[CALLS_PER_OP * i + 1], 2))
			return -1;
		if (!run_compare(run, i))
			return 0;
		if (strict && (seen->readable != view->readable || check_op(run, i) ||
			       check_look(run, i)))
			return -1;
		if (now() > end)
			return -1;
		run_pause(run);
	}
}

/* An operation that clocks have a say in, by system calls of its own */
static int run_timed(struct run *run, unsigned int i)
{
	struct op *op = &run->ops[i];
	int fd = model_fd(&run->model, op->slot), context = model_context(&run->model, op->slot);

	compare_clocks(CLOCK_REALTIME, &run->real);
	compare_clocks(CLOCK_BOOTTIME, &run->boot);
	step(run, i);
	run->span[i].from = now();
	run->calls[CALLS_PER_OP * i].ret = call(fd, op->cmd, op->memory->args);
	if (!run->calls[CALLS_PER_OP * i].ret) {
		/* The deadline counts from the call alone. */
		run->span[i].to = now();
		if (op->kind == OP_LAPSE ? remove_deadline(run, i, context) :
					   wait_for_end(run, i, context))
			return -1;
	}
	run->span[i].to = now();
	make_calls(run, i);
	run_foresee(run, i);
	return compare_when_told(run, i);
}

static bool is_timed(const struct op *op)
{
	return op->kind == OP_EXPIRE || op->kind == OP_LAPSE;
}

static int run_ops(struct run *run)
{
	unsigned int from, to;

	for (from = 0; from < run->nr; from = to) {
		for (to = from; to < run->nr && !is_timed(&run->ops[to]); to++)
			;
		if (run_plain(run, from, to))
			return -1;
		if (to < run->nr && run_timed(run, to++))
			return -1;
	}
	return 0;
}

/* At the end no deadline that was removed has struck, and all slots are looked at once more. */
static int look_at_all(struct run *run)
{
	unsigned int slot, last = run->nr - 1;

	while (run->lapsed && now() <= run->lapsed) {
		struct timespec rest = { .tv_nsec = 100000 };

		nanosleep(&rest, NULL);
	}
	for (slot = 0; slot < SLOTS; slot++) {
		run->ops[last].look = slot;
		make_calls(run, last);
		run_foresee(run, last);
		if (run_batch(run, &run->calls[CALLS_PER_OP * last + 1], 2) ||
		    check_look(run, last) || check_view(run, last))
			return -1;
	}
	return 0;
}

/* Closes all, so that the next program finds nothing of this one. */
static int clean(struct run *run)
{
	struct batch_call calls[MAPS + WAITERS + SLOTS];
	unsigned int i, n = 0;

	for (i = 0; i < WAITERS; i++)
		calls[n++] = (struct batch_call) { .what = BATCH_UNWAIT, .index = i };
	for (i = 0; i < MAPS; i++)
		calls[n++] = (struct batch_call) { .what = BATCH_MUNMAP, .index = i };
	for (i = 1; i < SLOTS; i++)
		calls[n++] = (struct batch_call) { .what = BATCH_CLOSE, .slot = i };
	return run_batch(run, calls, n);
}

/*
 * Runs the operations @keep of the program that @seed stands for, or the first @nr where @keep is
 * NULL. Returns 0, or -1 with run->failure set.
 */
int run_program(struct run *run, uint64_t seed, const unsigned int *keep, unsigned int nr)
{
	unsigned int i;
	int ret;

	*run->failure = '\0';
	run->lapsed = 0;
	memset(run->ids, 0, sizeof(run->ids));
	memset(run->cancelled_at, 0, sizeof(run->cancelled_at));
	model_init(&run->model, run->background);
	run->model.limit = run->apart && program_is_limited(seed) ? USER_CONTEXTS : 0;
	run->nr = nr;
	for (i = 0; i < nr; i++) {
		run->number[i] = keep ? keep[i] : i;
		run->ops[i].memory = &run->memory[i];
		op_make(&run->ops[i], seed, run->number[i], run->apart);
	}
	if (run->apart)
		return apart_program(run);
	ret = run_ops(run) || look_at_all(run) ? -1 : 0;
	return clean(run) ? -1 : ret;
}

void run_print(const struct run *run)
{
	unsigned int i;

	for (i = 0; i < run->nr; i++) {
		printf("%4u  ", run->number[i]);
		op_print(stdout, &run->ops[i]);
	}
	if (*run->failure)
		printf("FAIL %s\n", run->failure);
}

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

/* Readies the process to run programs. Returns NULL where that cannot be; errno says why. */
struct run *run_open(unsigned int max_depth, bool apart)
{
	struct run *run = calloc(1, sizeof(*run));
	struct batch_call background;
	int fd;

	if (!run)
		return NULL;
	run->apart = apart;
	/* Not closed on exec, so that all processes have the same. */
	run->batch = open("/dev/ctx_batch", O_RDWR);
	run->background = open("/dev/ctx", O_RDONLY | O_NONBLOCK);
	run->model.other = open("/dev/null", O_RDWR);
	if (run->batch < 0 || run->background < 0 || run->model.other < 0 || apart_open(run))
		return NULL;
	agent_limit(false);
	run->model.max_depth = max_depth;
	for (fd = 0; fd < FDS_MAX; fd++)
		run->model.used[fd] = fd != run->background && is_open(fd);
	run->real = run->boot = (struct span) { INT64_MIN, INT64_MAX };
	compare_clocks(CLOCK_REALTIME, &run->real);
	compare_clocks(CLOCK_BOOTTIME, &run->boot);
	background = (struct batch_call) {
		.what = BATCH_SET, .out = BACKGROUND, .arg = run->background,
	};
	return run_batch(run, &background, 1) ? NULL : run;
}
