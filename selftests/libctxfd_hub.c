// SPDX-License-Identifier: GPL-2.0-only
/* The one thread for all functions that are to be called: who shares it, and what it outlives. */
#include "libctxfd_note.h"
#include "race.h"

FIXTURE(hub) {
	int ctx, other, fds, threads;
	struct note first, second;
};

FIXTURE_SETUP(hub)
{
	self->ctx = new_root();
	self->other = new_root();
	ASSERT_LE(0, self->other);
	note_init(&self->first);
	note_init(&self->second);
	ASSERT_LE(0, self->second.go);
	self->fds = ctx_nr_fds();
	self->threads = nr_threads_at_rest();
	ASSERT_LT(0, self->threads);
}

FIXTURE_TEARDOWN(hub)
{
}

static struct ctxfd_after *begin(int ctx, struct note *note)
{
	note->after = ctxfd_after_func(ctx, run, note);
	return note->after;
}

#define check_ended(note) ({						\
	check_event(note);						\
	EXPECT_TRUE(becomes(__atomic_load_n(&(note)->ends, __ATOMIC_ACQUIRE)));\
})

TEST_F(hub, all_have_one_thread_and_a_descriptor_each)
{
	struct ctxfd_after *afters[10];

	for (int i = 0; i < 10; i++) {
		afters[i] = ctxfd_after_func(self->ctx, run, &self->first);
		ASSERT_NE(NULL, afters[i]);
	}
	EXPECT_EQ(self->threads + 1, nr_threads());
	EXPECT_EQ(self->fds + 2 + 10, ctx_nr_fds());
	for (int i = 0; i < 10; i++)
		EXPECT_EQ(1, ctxfd_after_stop(afters[i]));
	EXPECT_EQ(self->fds, ctx_nr_fds());
	EXPECT_TRUE(becomes(nr_threads() == self->threads));
}

TEST_F(hub, functions_run_one_after_the_other)
{
	self->first.waits = true;
	ASSERT_NE(NULL, begin(self->ctx, &self->first));
	ASSERT_NE(NULL, begin(self->other, &self->second));
	EXPECT_EQ(0, ctxfd_cancel(self->ctx));
	check_event(&self->first);
	EXPECT_EQ(0, ctxfd_cancel(self->other));
	EXPECT_FALSE(becomes_readable(self->second.begun, 20));
	ASSERT_EQ(0, put_event(self->first.go));
	check_ended(&self->second);
	EXPECT_NE(0, pthread_equal(self->first.thread, self->second.thread));
	EXPECT_EQ(0, ctxfd_after_stop(self->first.after));
	EXPECT_EQ(0, ctxfd_after_stop(self->second.after));
}

struct pair {
	struct ctxfd_after *afters[2];
	int stopped[2], runs, done;
};

static void stop_other(struct pair *pair, int me)
{
	pair->runs++;
	pair->stopped[me] = ctxfd_after_stop(pair->afters[!me]);
	put_event(pair->done);
}

static void stop_second(void *pair)
{
	stop_other(pair, 0);
}

static void stop_first(void *pair)
{
	stop_other(pair, 1);
}

TEST_F(hub, of_two_that_stop_each_other_one_runs_and_gets_a_one)
{
	struct pair pair = { .stopped = { -1, -1 }, .done = self->first.begun };
	int ran;

	pair.afters[0] = ctxfd_after_func(self->ctx, stop_second, &pair);
	ASSERT_NE(NULL, pair.afters[0]);
	pair.afters[1] = ctxfd_after_func(self->ctx, stop_first, &pair);
	ASSERT_NE(NULL, pair.afters[1]);
	EXPECT_EQ(0, ctxfd_cancel(self->ctx));
	check_event(&self->first);
	ran = pair.stopped[1] >= 0;
	EXPECT_EQ(0, ctxfd_after_stop(pair.afters[ran]));
	EXPECT_EQ(1, pair.runs);
	EXPECT_EQ(1, pair.stopped[ran]);
	EXPECT_EQ(-1, pair.stopped[!ran]);
	EXPECT_EQ(self->fds, ctx_nr_fds());
}

TEST_F(hub, a_function_can_stop_one_that_ran)
{
	struct ctxfd_after *second;

	ASSERT_NE(NULL, begin(self->ctx, &self->first));
	EXPECT_EQ(0, ctxfd_cancel(self->ctx));
	check_ended(&self->first);
	self->second.stops = self->second.waits = true;
	ASSERT_NE(NULL, begin(self->other, &self->second));
	second = self->second.after;
	self->second.after = self->first.after;
	EXPECT_EQ(0, ctxfd_cancel(self->other));
	ASSERT_EQ(0, put_event(self->second.go));
	check_ended(&self->second);
	EXPECT_EQ(0, ctxfd_after_stop(second));
	EXPECT_EQ(0, self->second.stopped);
}

/* Whoever abandons */

TEST_F(hub, abandoned_in_time_never_runs)
{
	ASSERT_NE(NULL, begin(self->ctx, &self->first));
	EXPECT_EQ(1, ctxfd_after_abandon(self->first.after));
	EXPECT_EQ(0, ctxfd_cancel(self->ctx));
	EXPECT_TRUE(becomes(ctx_nr_fds() == self->fds));
	EXPECT_TRUE(becomes(nr_threads() == self->threads));
	EXPECT_EQ(0, self->first.runs);
}

TEST_F(hub, abandon_does_not_wait_for_the_function_that_runs)
{
	self->first.waits = true;
	ASSERT_NE(NULL, begin(self->ctx, &self->first));
	EXPECT_EQ(0, ctxfd_cancel(self->ctx));
	check_event(&self->first);
	EXPECT_EQ(0, ctxfd_after_abandon(self->first.after));
	EXPECT_EQ(0, self->first.ends);
	ASSERT_EQ(0, put_event(self->first.go));
	check_event(&self->first);
	EXPECT_TRUE(becomes(ctx_nr_fds() == self->fds));
	EXPECT_TRUE(becomes(nr_threads() == self->threads));
}

TEST_F(hub, abandon_of_one_that_ran_is_zero)
{
	ASSERT_NE(NULL, begin(self->ctx, &self->first));
	EXPECT_EQ(0, ctxfd_cancel(self->ctx));
	check_ended(&self->first);
	EXPECT_EQ(0, ctxfd_after_abandon(self->first.after));
	EXPECT_EQ(0, ctxfd_after_abandon(NULL));
	EXPECT_TRUE(becomes(ctx_nr_fds() == self->fds));
}

TEST_F(hub, stop_waits_for_no_function_but_its_own)
{
	self->first.waits = true;
	ASSERT_NE(NULL, begin(self->ctx, &self->first));
	ASSERT_NE(NULL, begin(self->other, &self->second));
	EXPECT_EQ(0, ctxfd_cancel(self->ctx));
	check_event(&self->first);
	/* The last that is armed, while the thread is busy. */
	EXPECT_EQ(1, ctxfd_after_stop(self->second.after));
	ASSERT_EQ(0, put_event(self->first.go));
	EXPECT_EQ(0, ctxfd_after_stop(self->first.after));
	EXPECT_EQ(self->fds, ctx_nr_fds());
}

/* What becomes of threads */

TEST_F(hub, thread_begins_anew_after_the_last)
{
	for (int i = 0; i < 3; i++) {
		int ctx = new_root();

		self->first.ends = 0;
		ASSERT_NE(NULL, begin(ctx, &self->first));
		EXPECT_EQ(0, ctxfd_cancel(ctx));
		check_ended(&self->first);
		EXPECT_EQ(0, ctxfd_after_stop(self->first.after));
		EXPECT_TRUE(becomes(nr_threads() == self->threads));
		close(ctx);
	}
	EXPECT_EQ(self->fds, ctx_nr_fds());
}

static void leave(void *arg)
{
	put_event(*(int *)arg);
	pthread_exit(NULL);
}

TEST_F(hub, a_function_that_ends_the_thread_takes_none_with_it)
{
	struct ctxfd_after *after = ctxfd_after_func(self->ctx, leave, &self->first.begun);

	ASSERT_NE(NULL, after);
	ASSERT_NE(NULL, begin(self->other, &self->second));
	EXPECT_EQ(0, ctxfd_cancel(self->ctx));
	check_event(&self->first);
	EXPECT_EQ(0, ctxfd_cancel(self->other));
	check_ended(&self->second);
	EXPECT_EQ(0, ctxfd_after_stop(after));
	EXPECT_EQ(0, ctxfd_after_stop(self->second.after));
	EXPECT_EQ(self->fds, ctx_nr_fds());
	EXPECT_TRUE(becomes(nr_threads() == self->threads));
}

static void *stop_it(void *note)
{
	return (void *)(intptr_t)ctxfd_after_stop(((struct note *)note)->after);
}

/*
 * The thread gets no turn between the stop of the last and the begin of the next: both run on its
 * processor, before it.
 */
TEST_F(hub, stop_of_the_last_waits_for_none_that_follows)
{
	const struct sched_param before_all = { .sched_priority = 1 };
	pthread_t thread;

	race_stay();
	ASSERT_NE(NULL, begin(self->ctx, &self->first));
	ASSERT_EQ(0, sched_setscheduler(0, SCHED_FIFO, &before_all));
	ASSERT_EQ(0, pthread_create(&thread, NULL, stop_it, &self->first));
	sched_yield();
	ASSERT_NE(NULL, begin(self->other, &self->second));
	ASSERT_EQ(0, ctx_thread_join(thread));
	EXPECT_EQ(1, ctxfd_after_stop(self->second.after));
	EXPECT_EQ(self->fds, ctx_nr_fds());
}

static long call_begin(struct caller *caller)
{
	return begin(caller->ctx, caller->buf) ? 0 : -1;
}

TEST_F(hub, outlives_the_thread_that_asked_for_it)
{
	struct caller caller = { call_begin, .ctx = self->ctx, .buf = &self->first };

	ASSERT_EQ(0, caller_go(&caller));
	check_returned(&caller, 0);
	EXPECT_EQ(0, ctxfd_cancel(self->ctx));
	check_event(&self->first);
	EXPECT_EQ(0, ctxfd_after_stop(self->first.after));
}

static long call_stop(struct caller *caller)
{
	return ctxfd_after_stop(caller->buf);
}

TEST_F(hub, stop_is_no_cancellation_point)
{
	struct caller caller = { call_stop, .syscall = SYS_futex };

	self->first.waits = true;
	caller.buf = begin(self->ctx, &self->first);
	ASSERT_NE(NULL, caller.buf);
	EXPECT_EQ(0, ctxfd_cancel(self->ctx));
	check_event(&self->first);
	ASSERT_EQ(0, caller_start(&caller));
	ASSERT_EQ(0, pthread_cancel(caller.thread));
	ASSERT_EQ(0, put_event(self->first.go));
	check_returned(&caller, 0);
	EXPECT_EQ(1, self->first.ends);
	EXPECT_EQ(self->fds, ctx_nr_fds());
}

/* As some daemons do. */
/* The library's thread, or 0. */
static pid_t hub_tid(void)
{
	DIR *dir = opendir("/proc/self/task");
	char path[300], name[16];
	struct dirent *entry;
	pid_t tid = 0;
	FILE *file;

	while (dir && !tid && (entry = readdir(dir))) {
		snprintf(path, sizeof(path), "/proc/self/task/%s/comm", entry->d_name);
		file = fopen(path, "re");
		if (!file)
			continue;
		if (fgets(name, sizeof(name), file) && !strcmp(name, "ctxfd\n"))
			tid = atoi(entry->d_name);
		fclose(file);
	}
	if (dir)
		closedir(dir);
	return tid;
}

TEST_F(hub, a_program_that_closes_what_it_did_not_open_can_stop_and_is_told)
{
	int first = dup(0);

	close(first);
	ASSERT_NE(NULL, begin(self->ctx, &self->first));
	/* Before, it would see that it is done, and the next one begin anew. */
	ASSERT_TRUE(becomes(hub_tid()));
	ASSERT_EQ(0, ctx_wait_in_syscall(getpid(), hub_tid(), SYS_poll));
	/* That of the context, and those of the thread. */
	for (int fd = first; fd < first + 3; fd++)
		ASSERT_EQ(0, close(fd));
	EXPECT_EQ(1, ctxfd_after_stop(self->first.after));
	check_null(EBADF, ctxfd_after_func(self->ctx, run, &self->second));
	EXPECT_EQ(0, self->first.runs);
}

/* Children */

static int use_in_child(int ctx, struct note *note)
{
	struct ctxfd_after *after = begin(ctx, note);

	if (!after || ctxfd_cancel(ctx) || !becomes_readable(note->begun, CTX_WAIT_MS))
		return 1;
	return ctxfd_after_stop(after) || note->runs != 1;
}

/* _Fork runs no handlers of pthread_atfork(). */
TEST_F(hub, a_child_of_any_fork_has_its_own)
{
	int status = -1;
	pid_t pid;

	ASSERT_NE(NULL, begin(self->ctx, &self->first));
	pid = _Fork();
	if (!pid)
		_exit(use_in_child(new_root(), &self->second));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(0, self->second.runs);
	EXPECT_EQ(1, ctxfd_after_stop(self->first.after));
}

/* Each is process 1 of a namespace of its own. */
TEST_F(hub, a_child_with_the_same_pid_has_its_own)
{
	pid_t pid, inner;

	if (knows_no_fork_of_threads())
		SKIP(return, "the checker does not know of it");
	ASSERT_EQ(0, unshare(CLONE_NEWPID));
	pid = fork();
	if (!pid) {
		EXPECT_EQ(1, getpid());
		EXPECT_NE(NULL, begin(self->ctx, &self->first));
		EXPECT_EQ(0, unshare(CLONE_NEWPID));
		inner = fork();
		if (!inner)
			_exit(getpid() != 1 || use_in_child(self->other, &self->second));
		check_child(inner);
		EXPECT_EQ(1, ctxfd_after_stop(self->first.after));
		_exit(_metadata->passed ? 0 : 1);
	}
	check_child(pid);
}

TEST_F(hub, copies_that_a_child_keeps_do_not_call_what_was_stopped)
{
	int go[2];
	char byte;
	pid_t pid;

	ASSERT_EQ(0, pipe(go));
	ASSERT_NE(NULL, begin(self->ctx, &self->first));
	ASSERT_NE(NULL, begin(self->other, &self->second));
	in_child(pid) {
		close(go[1]);
		EXPECT_EQ(0, read(go[0], &byte, 1));
	}
	EXPECT_EQ(1, ctxfd_after_stop(self->first.after));
	EXPECT_EQ(0, ctxfd_cancel(self->ctx));
	EXPECT_EQ(0, ctxfd_cancel(self->other));
	check_ended(&self->second);
	EXPECT_EQ(0, ctxfd_after_stop(self->second.after));
	EXPECT_EQ(0, self->first.runs);
	close(go[1]);
	check_child(pid);
}

struct forks {
	int ctx;
	pid_t pid;
};

static void ignore(void *arg)
{
	(void)arg;
}

static void do_begin_and_stop(void *data)
{
	struct forks *forks = data;

	for (int i = 0; i < 10; i++)
		ctxfd_after_stop(ctxfd_after_func(forks->ctx, ignore, NULL));
}

static void do_fork(void *data)
{
	struct forks *forks = data;
	struct note note;

	forks->pid = fork();
	if (forks->pid)
		return;
	alarm(CTX_WAIT_MS / 1000);
	note_init(&note);
	_exit(use_in_child(new_root(), &note));
}

/* Whatever the parent's threads are in the middle of */
TEST_F_TIMEOUT(hub, a_child_is_held_up_by_no_lock_of_its_parent, 300)
{
	struct forks forks = { .ctx = self->ctx };
	unsigned int n = rounds(300);
	struct race race;
	int status;

	if (knows_no_fork_of_threads())
		SKIP(return, "the checker does not know of it");
	ASSERT_TRUE(race_start(&race, &forks, do_fork, do_begin_and_stop));
	for (unsigned int i = 0; i < n; i++) {
		ASSERT_TRUE(race_round(&race));
		status = -1;
		ASSERT_EQ(forks.pid, waitpid(forks.pid, &status, 0));
		EXPECT_EQ(0, status);
	}
	race_stop(&race);
	EXPECT_EQ(self->fds, ctx_nr_fds());
}

TEST_HARNESS_MAIN
