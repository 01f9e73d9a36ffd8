// SPDX-License-Identifier: GPL-2.0-only
/* ctxfd_group_*(): threads and processes that end together. */
#include "libctxfd_roles.h"

FIXTURE(group) {
	int ctx, fds, threads;
	struct ctxfd_group *group;
};

FIXTURE_SETUP(group)
{
	self->ctx = new_root();
	ASSERT_LE(0, self->ctx);
	self->fds = ctx_nr_fds();
	self->threads = nr_threads_at_rest();
	self->group = ctxfd_group_new(self->ctx, 0);
	ASSERT_NE(NULL, self->group);
}

FIXTURE_TEARDOWN(group)
{
}

static int succeed(int ctx, void *arg)
{
	(void)ctx;
	if (arg)
		__atomic_add_fetch((int *)arg, 1, __ATOMIC_SEQ_CST);
	return 0;
}

static int fail_with(int ctx, void *arg)
{
	(void)ctx;
	errno = (int)(intptr_t)arg;
	return -1;
}

/* As work does: until the context ends. */
static int wait_for_end(int ctx, void *arg)
{
	(void)arg;
	return ctxfd_sleep(ctx, NULL);
}

static int end_in_peace(int ctx, void *arg)
{
	(void)arg;
	return ctxfd_wait(ctx, LONG) == 1 ? 0 : -1;
}

static int wait_for_event(int ctx, void *arg)
{
	__u64 value;

	return ctxfd_read(ctx, *(int *)arg, &value, 8) == 8 ? 0 : -1;
}

TEST_F(group, all_succeed)
{
	int count = 0;

	for (int i = 0; i < 10; i++)
		EXPECT_EQ(0, ctxfd_group_go(self->group, succeed, &count));
	EXPECT_EQ(0, ctxfd_group_wait(self->group));
	EXPECT_EQ(10, count);
	EXPECT_TRUE(becomes(nr_threads() == self->threads));
	check_alive(ctxfd_group_ctx(self->group));
	ctxfd_group_free(self->group);
	EXPECT_EQ(self->fds, ctx_nr_fds());
	check_alive(self->ctx);
}

TEST_F(group, first_failure_ends_the_others_and_is_the_cause)
{
	struct ctx_info info;

	EXPECT_EQ(0, ctxfd_group_go(self->group, wait_for_end, NULL));
	EXPECT_EQ(0, ctxfd_group_go(self->group, wait_for_end, NULL));
	EXPECT_EQ(0, ctxfd_group_go(self->group, fail_with, (void *)EDOM));
	check_errno(EDOM, ctxfd_group_wait(self->group));
	EXPECT_EQ(0, ctxfd_info(ctxfd_group_ctx(self->group), &info));
	EXPECT_EQ(ECANCELED, info.err);
	EXPECT_EQ(EDOM, info.cause);
	/* Not what is above. */
	check_alive(self->ctx);
	ctxfd_group_free(self->group);
}

TEST_F(group, cancellation_from_above_ends_all)
{
	EXPECT_EQ(0, ctxfd_group_go(self->group, wait_for_end, NULL));
	EXPECT_EQ(0, ctxfd_group_spawn(self->group, role("sleep"), NULL));
	EXPECT_EQ(0, ctxfd_cancel(self->ctx));
	check_errno(ECANCELED, ctxfd_group_wait(self->group));
	ctxfd_group_free(self->group);
}

TEST_F(group, none_begins_in_one_that_has_ended)
{
	EXPECT_EQ(0, ctxfd_cancel(self->ctx));
	check_errno(ECANCELED, ctxfd_group_go(self->group, succeed, NULL));
	check_errno(ECANCELED, ctxfd_group_spawn(self->group, role("exit", "0"), NULL));
	/* That is no failure of one in it. */
	EXPECT_EQ(0, ctxfd_group_wait(self->group));
	ctxfd_group_free(self->group);
}

static int leave_thread(int ctx, void *arg)
{
	(void)ctx;
	(void)arg;
	pthread_exit(NULL);
}

TEST_F(group, a_function_that_ends_its_thread_has_failed)
{
	EXPECT_EQ(0, ctxfd_group_go(self->group, leave_thread, NULL));
	check_errno(ECANCELED, ctxfd_group_wait(self->group));
	ctxfd_group_free(self->group);
}

/* Processes */

TEST_F(group, a_process_that_exits_with_0_has_succeeded)
{
	for (int i = 0; i < 5; i++)
		EXPECT_EQ(0, ctxfd_group_spawn(self->group, role("exit", "0"), NULL));
	EXPECT_EQ(0, ctxfd_group_wait(self->group));
	/* Nobody else has to wait for them. */
	check_errno(ECHILD, waitpid(-1, NULL, 0));
	ctxfd_group_free(self->group);
	EXPECT_TRUE(becomes(ctx_nr_fds() == self->fds));
}

#define check_told(text) ({						\
	struct ctx_info __info;						\
									\
	EXPECT_EQ(0, ctxfd_info(ctxfd_group_ctx(self->group), &__info));\
	EXPECT_NE(NULL, memmem(__info.message, __info.message_len, (text), strlen(text))); \
})

TEST_F(group, a_process_that_fails_ends_the_others)
{
	EXPECT_EQ(0, ctxfd_group_go(self->group, wait_for_end, NULL));
	EXPECT_EQ(0, ctxfd_group_spawn(self->group, role("sleep"), NULL));
	EXPECT_EQ(0, ctxfd_group_spawn(self->group, role("work"), NULL));
	EXPECT_EQ(0, ctxfd_group_spawn(self->group, role("exit", "3"), NULL));
	check_errno(ECANCELED, ctxfd_group_wait(self->group));
	check_told("libctxfd_group: exit status 3");
	ctxfd_group_free(self->group);
}

TEST_F(group, a_process_that_is_killed_has_failed)
{
	EXPECT_EQ(0, ctxfd_group_spawn(self->group, role("abort"), NULL));
	check_errno(ECANCELED, ctxfd_group_wait(self->group));
	check_told("libctxfd_group: signal 9");
	ctxfd_group_free(self->group);
}

TEST_F(group, a_thread_that_fails_ends_processes)
{
	EXPECT_EQ(0, ctxfd_group_spawn(self->group, role("sleep"), NULL));
	EXPECT_EQ(0, ctxfd_group_go(self->group, fail_with, (void *)ENOSPC));
	check_errno(ENOSPC, ctxfd_group_wait(self->group));
	ctxfd_group_free(self->group);
}

TEST_F(group, a_program_that_is_not_there_is_no_failure_of_the_group)
{
	check_errno(ENOENT, ctxfd_group_spawn(self->group, (char *[]){ "/no/such", NULL }, NULL));
	EXPECT_EQ(0, ctxfd_group_wait(self->group));
	check_alive(ctxfd_group_ctx(self->group));
	ctxfd_group_free(self->group);
}

/* As many as may */

struct crowd {
	int now, most;
};

static int count_crowd(int ctx, void *arg)
{
	struct crowd *crowd = arg;
	int now = __atomic_add_fetch(&crowd->now, 1, __ATOMIC_SEQ_CST), most;

	most = __atomic_load_n(&crowd->most, __ATOMIC_SEQ_CST);
	while (now > most && !__atomic_compare_exchange_n(&crowd->most, &most, now, false,
							  __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		;
	ctxfd_sleep(ctx, MSEC(1));
	__atomic_sub_fetch(&crowd->now, 1, __ATOMIC_SEQ_CST);
	return 0;
}

TEST_F(group, no_more_run_than_may)
{
	struct ctxfd_group *group = ctxfd_group_new(self->ctx, 3);
	struct crowd crowd = {};

	ASSERT_NE(NULL, group);
	for (int i = 0; i < 30; i++)
		EXPECT_EQ(0, ctxfd_group_go(group, count_crowd, &crowd));
	EXPECT_EQ(0, ctxfd_group_wait(group));
	EXPECT_EQ(0, crowd.now);
	EXPECT_GE(3, crowd.most);
	ctxfd_group_free(group);
}

static long call_go(struct caller *caller)
{
	return ctxfd_group_go(caller->buf, succeed, NULL);
}

TEST_F(group, go_waits_for_one_to_end)
{
	struct ctxfd_group *group = ctxfd_group_new(self->ctx, 1);
	struct caller caller = { call_go, .buf = group };
	int event = eventfd(0, 0);

	ASSERT_NE(NULL, group);
	EXPECT_EQ(0, ctxfd_group_go(group, wait_for_event, &event));
	ASSERT_EQ(0, caller_start(&caller));
	ASSERT_EQ(0, put_event(event));
	check_returned(&caller, 0);
	EXPECT_EQ(0, ctxfd_group_wait(group));
	ctxfd_group_free(group);
}

TEST_F(group, a_process_counts_too)
{
	struct ctxfd_group *group = ctxfd_group_new(self->ctx, 1);
	struct caller caller = { call_go, .buf = group };
	int in[2];

	ASSERT_NE(NULL, group);
	ASSERT_EQ(0, pipe2(in, O_CLOEXEC));
	EXPECT_EQ(0, ctxfd_group_spawn(group, role("copy"), &(struct ctxfd_spawn_opts){
		.fds = (int[]){ in[0], -1, -1 } }));
	ASSERT_EQ(0, caller_start(&caller));
	close(in[1]);
	check_returned(&caller, 0);
	EXPECT_EQ(0, ctxfd_group_wait(group));
	ctxfd_group_free(group);
}

TEST_F(group, the_cancellation_ends_the_wait_for_one_to_end)
{
	struct ctxfd_group *group = ctxfd_group_new(self->ctx, 1);
	struct caller caller = { call_go, .buf = group };

	ASSERT_NE(NULL, group);
	EXPECT_EQ(0, ctxfd_group_go(group, end_in_peace, NULL));
	ASSERT_EQ(0, caller_start(&caller));
	EXPECT_EQ(0, ctxfd_cancel(self->ctx));
	check_failed(&caller, ECANCELED);
	EXPECT_EQ(0, ctxfd_group_wait(group));
	ctxfd_group_free(group);
}

/* The end of it */

TEST_F(group, free_ends_what_runs_and_waits)
{
	EXPECT_EQ(0, ctxfd_group_go(self->group, wait_for_end, NULL));
	EXPECT_EQ(0, ctxfd_group_spawn(self->group, role("sleep"), NULL));
	ctxfd_group_free(self->group);
	EXPECT_TRUE(becomes(nr_threads() == self->threads));
	EXPECT_TRUE(becomes(ctx_nr_fds() == self->fds));
	check_errno(ECHILD, waitpid(-1, NULL, 0));
	ctxfd_group_free(NULL);
}

TEST_F(group, can_be_used_again)
{
	int count = 0;

	for (int i = 0; i < 3; i++) {
		EXPECT_EQ(0, ctxfd_group_go(self->group, succeed, &count));
		EXPECT_EQ(0, ctxfd_group_wait(self->group));
		EXPECT_EQ(i + 1, count);
	}
	ctxfd_group_free(self->group);
}

static int add_two(int ctx, void *arg)
{
	struct ctxfd_group *group = arg;

	(void)ctx;
	return ctxfd_group_go(group, succeed, NULL) || ctxfd_group_go(group, succeed, NULL) ?
	       -1 : 0;
}

TEST_F(group, a_function_can_add_others)
{
	EXPECT_EQ(0, ctxfd_group_go(self->group, add_two, self->group));
	EXPECT_EQ(0, ctxfd_group_wait(self->group));
	ctxfd_group_free(self->group);
}

TEST_F(group, a_child_frees_its_copy_and_can_do_no_more)
{
	int event = eventfd(0, 0);
	pid_t pid;

	EXPECT_EQ(0, ctxfd_group_go(self->group, wait_for_event, &event));
	in_child(pid) {
		check_errno(EPERM, ctxfd_group_go(self->group, succeed, NULL));
		check_errno(EPERM, ctxfd_group_wait(self->group));
		ctxfd_group_free(self->group);
	}
	check_child(pid);
	check_alive(ctxfd_group_ctx(self->group));
	ASSERT_EQ(0, put_event(event));
	EXPECT_EQ(0, ctxfd_group_wait(self->group));
	ctxfd_group_free(self->group);
}

TEST_F(group, errors_are_told)
{
	struct {
		struct ctxfd_spawn_opts opts;
		long more;
	} later = { .more = 1 };

	check_null(ENOTTY, ctxfd_group_new(STDIN_FILENO, 0));
	errno = EXDEV;
	EXPECT_EQ(NULL, ctxfd_group_new(-1, 0));
	EXPECT_EQ(EXDEV, errno);
	check_errno(EINVAL, ctxfd_group_go(self->group, NULL, NULL));
	check_errno(EFAULT, ctxfd_group_spawn(self->group, NULL, NULL));
	check_errno(E2BIG, ctxfd_group_spawn_sized(self->group, role("exit", "0"), &later.opts,
						   sizeof(later)));
	EXPECT_EQ(0, ctxfd_group_wait(self->group));
	ctxfd_group_free(self->group);
}

TEST_HARNESS_MAIN
