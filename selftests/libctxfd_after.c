// SPDX-License-Identifier: GPL-2.0-only
/* ctxfd_after_func() and ctxfd_after_stop(). */
#include "libctxfd_note.h"
#include "race.h"

FIXTURE(after) {
	int ctx;
	struct note note;
	int threads;		/* before the test makes any */
};

FIXTURE_SETUP(after)
{
	self->ctx = new_root();
	ASSERT_LE(0, self->ctx);
	note_init(&self->note);
	ASSERT_LE(0, self->note.go);
	self->threads = nr_threads_at_rest();
	ASSERT_LT(0, self->threads);
}

FIXTURE_TEARDOWN(after)
{
}

TEST_F(after, runs_once_the_context_is_cancelled)
{
	int fds = ctx_nr_fds();
	struct ctxfd_after *after = ctxfd_after_func(self->ctx, run, &self->note);

	ASSERT_NE(NULL, after);
	EXPECT_EQ(self->threads + 1, nr_threads());
	EXPECT_FALSE(becomes_readable(self->note.begun, 20));
	EXPECT_EQ(0, ctxfd_cancel(self->ctx));
	check_event(&self->note);
	EXPECT_EQ(0, ctxfd_after_stop(after));
	EXPECT_EQ(1, self->note.runs);
	EXPECT_EQ(1, self->note.ends);
	EXPECT_EQ(0, pthread_equal(pthread_self(), self->note.thread));
	EXPECT_EQ(fds, ctx_nr_fds());
	EXPECT_TRUE(becomes(nr_threads() == self->threads));
}

TEST_F(after, runs_with_the_deadline)
{
	struct ctxfd_after *after = ctxfd_after_func(new_short(), run, &self->note);

	ASSERT_NE(NULL, after);
	check_event(&self->note);
	EXPECT_EQ(0, ctxfd_after_stop(after));
}

TEST_F(after, runs_at_once_where_the_context_is_cancelled_already)
{
	struct ctxfd_after *after = ctxfd_after_func(new_cancelled(), run, &self->note);

	ASSERT_NE(NULL, after);
	check_event(&self->note);
	EXPECT_EQ(0, ctxfd_after_stop(after));
	EXPECT_EQ(1, self->note.runs);
}

TEST_F(after, stopped_in_time_never_runs)
{
	int fds = ctx_nr_fds();
	struct ctxfd_after *after = ctxfd_after_func(self->ctx, run, &self->note);

	ASSERT_NE(NULL, after);
	EXPECT_EQ(1, ctxfd_after_stop(after));
	EXPECT_EQ(fds, ctx_nr_fds());
	EXPECT_TRUE(becomes(nr_threads() == self->threads));
	EXPECT_EQ(0, ctxfd_cancel(self->ctx));
	EXPECT_EQ(0, self->note.runs);
}

TEST_F(after, stop_of_nothing_is_zero)
{
	EXPECT_EQ(0, ctxfd_after_stop(NULL));
}

static long call_stop(struct caller *caller)
{
	return ctxfd_after_stop(caller->buf);
}

TEST_F(after, stop_waits_for_the_function_that_runs)
{
	struct caller caller = { call_stop, .syscall = SYS_futex };

	self->note.waits = true;
	caller.buf = ctxfd_after_func(self->ctx, run, &self->note);
	ASSERT_NE(NULL, caller.buf);
	EXPECT_EQ(0, ctxfd_cancel(self->ctx));
	check_event(&self->note);
	ASSERT_EQ(0, caller_start(&caller));
	ASSERT_EQ(0, put_event(self->note.go));
	check_returned(&caller, 0);
	EXPECT_EQ(1, self->note.ends);
}

TEST_F(after, function_can_stop_itself)
{
	int fds = ctx_nr_fds();

	self->note.waits = self->note.stops = true;
	self->note.after = ctxfd_after_func(self->ctx, run, &self->note);
	ASSERT_NE(NULL, self->note.after);
	EXPECT_EQ(0, ctxfd_cancel(self->ctx));
	check_event(&self->note);
	ASSERT_EQ(0, put_event(self->note.go));
	check_event(&self->note);
	EXPECT_TRUE(becomes(nr_threads() == self->threads));
	EXPECT_EQ(0, self->note.stopped);
	EXPECT_EQ(1, self->note.ends);
	EXPECT_EQ(fds, ctx_nr_fds());
}

TEST_F(after, function_runs_with_all_signals_blocked_and_the_caller_does_not)
{
	struct ctxfd_after *after;
	sigset_t before = {}, now = {};

	ASSERT_EQ(0, pthread_sigmask(SIG_SETMASK, NULL, &before));
	after = ctxfd_after_func(self->ctx, run, &self->note);
	ASSERT_NE(NULL, after);
	ASSERT_EQ(0, pthread_sigmask(SIG_SETMASK, NULL, &now));
	EXPECT_EQ(0, memcmp(&before, &now, sizeof(now)));
	EXPECT_EQ(0, ctxfd_cancel(self->ctx));
	EXPECT_EQ(0, (check_event(&self->note), ctxfd_after_stop(after)));
	for (int sig = 1; sig < NSIG; sig++)
		if (sig != SIGKILL && sig != SIGSTOP && sig != 32 && sig != 33)
			EXPECT_EQ(1, sigismember(&self->note.mask, sig));
}

TEST_F(after, descriptor_may_be_closed_and_keeps_nothing_alive)
{
	int watch = ctxfd_watch(self->ctx);
	struct ctxfd_after *after = ctxfd_after_func(self->ctx, run, &self->note);

	ASSERT_NE(NULL, after);
	EXPECT_EQ(0, ctxfd_err(watch));
	/* The last writable one: the release. */
	close(self->ctx);
	check_becomes_cancelled(watch, ECANCELED, EOWNERDEAD, ctx_id(watch));
	check_event(&self->note);
	EXPECT_EQ(0, ctxfd_after_stop(after));
}

TEST_F(after, descriptors_are_closed_on_exec)
{
	struct ctxfd_after *after;
	int first = dup(0);

	close(first);
	after = ctxfd_after_func(self->ctx, run, &self->note);
	ASSERT_NE(NULL, after);
	check_cloexec(first);
	check_cloexec(first + 1);
	check_cloexec(first + 2);
	EXPECT_EQ(1, ctxfd_after_stop(after));
}

TEST_F(after, background_and_watch_descriptors_are_contexts)
{
	struct ctxfd_after *after = ctxfd_after_func(ctxfd_background(), run, &self->note);

	ASSERT_NE(NULL, after);
	EXPECT_FALSE(becomes_readable(self->note.begun, 20));
	EXPECT_EQ(1, ctxfd_after_stop(after));

	after = ctxfd_after_func(ctxfd_watch(self->ctx), run, &self->note);
	ASSERT_NE(NULL, after);
	EXPECT_EQ(0, ctxfd_cancel(self->ctx));
	check_event(&self->note);
	EXPECT_EQ(0, ctxfd_after_stop(after));
}

TEST_F(after, descriptor_for_strangers_is_a_context)
{
	struct ctxfd_after *after;

	after = ctxfd_after_func(ctxfd_watch_only(self->ctx), run, &self->note);
	ASSERT_NE(NULL, after);
	EXPECT_EQ(0, ctxfd_cancel(self->ctx));
	check_event(&self->note);
	EXPECT_EQ(0, ctxfd_after_stop(after));
}

TEST_F(after, errors_are_told)
{
	struct rlimit limit = {};
	int last, fds = ctx_nr_fds();

	check_null(EINVAL, ctxfd_after_func(self->ctx, NULL, NULL));
	check_null(EBADF, ctxfd_after_func(-1, run, &self->note));
	check_null(ENOTTY, ctxfd_after_func(self->note.go, run, &self->note));
	EXPECT_EQ(fds, ctx_nr_fds());

	/* Nor for those of the thread. */
	last = use_up_descriptors();
	ASSERT_LE(0, last);
	check_null(EMFILE, ctxfd_after_func(self->ctx, run, &self->note));
	close(last);
	check_null(EMFILE, ctxfd_after_func(self->ctx, run, &self->note));
	EXPECT_EQ(last, dup(0));
	for (int fd = last - 2; fd <= last; fd++)
		close(fd);

	/* Nor for another thread: root has no limit, so nobody it is. */
	ASSERT_EQ(0, setrlimit(RLIMIT_NPROC, &limit));
	ASSERT_EQ(0, setuid(65534));
	check_null(EAGAIN, ctxfd_after_func(self->ctx, run, &self->note));
	for (int fd = last - 2; fd <= last; fd++)
		EXPECT_EQ(fd, dup(0));
}

TEST_F(after, child_has_no_thread_and_may_stop_or_not)
{
	struct ctxfd_after *armed = ctxfd_after_func(self->ctx, run, &self->note);
	int other = new_root(), fds;
	struct note ran;
	struct ctxfd_after *done;
	pid_t pid;

	note_init(&ran);
	ran.waits = true;
	done = ctxfd_after_func(other, run, &ran);
	ASSERT_NE(NULL, armed);
	ASSERT_NE(NULL, done);
	EXPECT_EQ(0, ctxfd_cancel(other));
	check_event(&ran);
	fds = ctx_nr_fds();
	in_child(pid) {
		EXPECT_EQ(1, nr_threads());
		/* It runs in the parent; here nobody would wait for an end. */
		EXPECT_EQ(0, ctxfd_after_stop(done));
		EXPECT_EQ(1, ctxfd_after_stop(armed));
		/* The one that runs had none any more. */
		EXPECT_EQ(fds - 1, ctx_nr_fds());
		EXPECT_EQ(0, self->note.runs);
	}
	check_child(pid);
	/* The parent's go on untouched. */
	ASSERT_EQ(0, put_event(ran.go));
	EXPECT_EQ(0, ctxfd_after_stop(done));
	EXPECT_EQ(1, ran.ends);
	EXPECT_FALSE(becomes_readable(self->note.begun, 20));
	EXPECT_EQ(0, ctxfd_cancel(self->ctx));
	check_event(&self->note);
	EXPECT_EQ(0, ctxfd_after_stop(armed));
}

TEST_F(after, child_can_have_its_own)
{
	struct ctxfd_after *after;
	pid_t pid;

	in_child(pid) {
		after = ctxfd_after_func(self->ctx, run, &self->note);
		EXPECT_NE(NULL, after);
		EXPECT_EQ(0, ctxfd_cancel(self->ctx));
		EXPECT_TRUE(becomes_readable(self->note.begun, CTX_WAIT_MS));
		EXPECT_EQ(0, ctxfd_after_stop(after));
		EXPECT_EQ(1, self->note.runs);
	}
	check_child(pid);
}

static void fork_and_stop(void *arg)
{
	struct note *note = arg;
	pid_t pid;

	take_event(note->go);
	pid = fork();
	if (!pid)
		/* The only thread of the child; its end is the child's. */
		_exit(ctxfd_after_stop(note->after) ? 1 : 0);
	if (waitpid(pid, &note->stopped, 0) == pid)
		put_event(note->begun);
}

TEST_F(after, function_can_fork_and_the_child_can_stop_it)
{
	self->note.after = ctxfd_after_func(self->ctx, fork_and_stop, &self->note);
	ASSERT_NE(NULL, self->note.after);
	EXPECT_EQ(0, ctxfd_cancel(self->ctx));
	ASSERT_EQ(0, put_event(self->note.go));
	check_event(&self->note);
	EXPECT_EQ(0, ctxfd_after_stop(self->note.after));
	EXPECT_EQ(0, self->note.stopped);
}

#define MANY	1000

TEST_F_TIMEOUT(after, a_thousand_run_each_once, 300)
{
	static struct ctxfd_after *afters[MANY];
	static struct note notes[MANY];
	/* Fewer under a checker, to which a thread is dear. */
	int many = getenv("CTX_ROUNDS") ? (int)rounds(MANY) : MANY, fds;

	ASSERT_EQ(0, limit_descriptors(8 * MANY));
	for (int i = 0; i < many; i++)
		note_init(&notes[i]);
	fds = ctx_nr_fds();
	for (int i = 0; i < many; i++) {
		afters[i] = ctxfd_after_func(self->ctx, run, &notes[i]);
		ASSERT_NE(NULL, afters[i]);
	}
	/* Half of them are stopped, the others run. */
	for (int i = 0; i < many; i += 2)
		EXPECT_EQ(1, ctxfd_after_stop(afters[i]));
	EXPECT_EQ(0, ctxfd_cancel(self->ctx));
	for (int i = 1; i < many; i += 2) {
		check_event(&notes[i]);
		EXPECT_EQ(0, ctxfd_after_stop(afters[i]));
	}
	for (int i = 0; i < many; i++)
		EXPECT_EQ(i & 1, notes[i].runs);
	EXPECT_EQ(fds, ctx_nr_fds());
	EXPECT_TRUE(becomes(nr_threads() == self->threads));
}

/* Stop and cancellation at one moment */

struct contest {
	int ctx;
	struct ctxfd_after *after;
	int stopped;
	unsigned int runs;
};

static void count(void *arg)
{
	struct contest *contest = arg;

	contest->runs++;
}

static void do_stop(void *data)
{
	struct contest *contest = data;

	contest->stopped = ctxfd_after_stop(contest->after);
}

static void do_cancel(void *data)
{
	struct contest *contest = data;

	ctxfd_cancel(contest->ctx);
}

TEST_F_TIMEOUT(after, stop_says_truly_whether_it_ran, 300)
{
	struct contest contest;
	unsigned int ran = 0, n = rounds(1000);
	struct race race;
	int fds;

	ASSERT_TRUE(race_start(&race, &contest, do_stop, do_cancel));
	ctxfd_background();
	fds = ctx_nr_fds();
	for (unsigned int i = 0; i < n; i++) {
		contest = (struct contest){ .ctx = new_root(), .stopped = -1 };
		contest.after = ctxfd_after_func(contest.ctx, count, &contest);
		ASSERT_NE(NULL, contest.after);
		ASSERT_TRUE(race_round(&race));
		EXPECT_EQ(1, contest.stopped + contest.runs);
		ran += contest.runs;
		close(contest.ctx);
	}
	race_stop(&race);
	TH_LOG("%u of %u ran", ran, n);
	EXPECT_EQ(fds, ctx_nr_fds());
}

TEST_HARNESS_MAIN
