// SPDX-License-Identifier: GPL-2.0-only
/*
 * How ctx run reaches every process of a tree: by the kernel's lists of children,
 * and by a look at all processes.
 */
#include "ctx_tool.h"
#include "../tools/run.h"

FIXTURE(tree) {
	int said[2];
};

FIXTURE_VARIANT(tree) {
	bool scan;
};

FIXTURE_VARIANT_ADD(tree, by_lists) {
	.scan = false,
};

FIXTURE_VARIANT_ADD(tree, by_scan) {
	.scan = true,
};

FIXTURE_SETUP(tree)
{
	ASSERT_EQ(0, pipe2(self->said, O_CLOEXEC));
	ASSERT_EQ(0, prctl(PR_SET_CHILD_SUBREAPER, 1));
}

FIXTURE_TEARDOWN(tree)
{
	close(self->said[0]);
	close(self->said[1]);
}

/* Says 'r', then for each signal 1 or 2 that it is sent, for ever. */
static void say_signals(int fd)
{
	sigset_t set;
	int signal;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	if (write(fd, "r", 1) != 1)
		_exit(1);
	/* USR1 comes first where both are there. */
	while (!sigwait(&set, &signal))
		if (write(fd, signal == SIGUSR1 ? "1" : "2", 1) != 1)
			_exit(1);
	_exit(1);
}

/* Below each process @width, @depth deep; every other in a session of its own. */
static void grow(int fd, int width, int depth)
{
	for (int i = 0; depth && i < width; i++) {
		if (fork())
			continue;
		if (i % 2)
			setsid();
		grow(fd, width, depth - 1);
		say_signals(fd);
	}
}

/* @n bytes come, and all are @byte. */
#define check_said(fd, n, byte)						\
	for (int __i = 0; __i < (n); __i++) {				\
		char __byte = 0;					\
									\
		ASSERT_EQ(POLLIN, ctx_poll((fd), CTX_WAIT_MS) & POLLIN);\
		ASSERT_EQ(1, read((fd), &__byte, 1));			\
		ASSERT_EQ((byte), __byte);				\
	}

static void block_user_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_BLOCK, &set, NULL);
}

TEST_F(tree, reaches_each_descendant_once)
{
	struct tree *tree = tree_new(variant->scan);
	int n = 3 + 9 + 27;

	block_user_signals();
	grow(self->said[1], 3, 3);
	check_said(self->said[0], n, 'r');
	EXPECT_EQ(n, tree_signal(tree, SIGUSR1));
	check_said(self->said[0], n, '1');
	/* Told already: the next word of each is of the other signal. */
	EXPECT_EQ(n, tree_signal(tree, SIGUSR1));
	EXPECT_EQ(n, tree_signal(tree_new(variant->scan), SIGUSR2));
	check_said(self->said[0], n, '2');
	while (tree_signal(tree, SIGKILL))
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
	check_nothing_left();
}

/* What took the signal and execs then is on its way to end. */
TEST_F(tree, leaves_alone_what_execs_in_answer)
{
	struct tree *tree = tree_new(variant->scan);

	block_user_signals();
	if (!fork()) {
		sigset_t set;
		int signal;

		sigemptyset(&set);
		sigaddset(&set, SIGUSR1);
		if (write(self->said[1], "r", 1) != 1 || sigwait(&set, &signal))
			_exit(1);
		sigprocmask(SIG_UNBLOCK, &set, NULL);
		dup2(self->said[1], STDOUT_FILENO);
		execlp("sh", "sh", "-c", "printf 1; sleep 0.2; printf 2; sleep 1000", NULL);
		_exit(2);
	}
	check_said(self->said[0], 1, 'r');
	EXPECT_EQ(1, tree_signal(tree, SIGUSR1));
	check_said(self->said[0], 1, '1');
	EXPECT_LE(1, tree_signal(tree, SIGUSR1));
	tree_signal_orphans(tree, SIGUSR1);
	check_said(self->said[0], 1, '2');
	while (tree_signal(tree, SIGKILL))
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
	check_nothing_left();
}

static void *grow_in_thread(void *arg)
{
	grow(*(int *)arg, 2, 1);
	pause();
	return NULL;
}

TEST_F(tree, reaches_children_of_threads)
{
	struct tree *tree = tree_new(variant->scan);
	pthread_t thread;

	block_user_signals();
	if (!fork()) {
		if (pthread_create(&thread, NULL, grow_in_thread, &self->said[1]))
			_exit(1);
		say_signals(self->said[1]);
	}
	check_said(self->said[0], 3, 'r');
	EXPECT_EQ(3, tree_signal(tree, SIGUSR1));
	check_said(self->said[0], 3, '1');
	EXPECT_EQ(3, tree_signal(tree, SIGKILL));
	check_all_goes();
}

TEST_F(tree, reaches_orphans)
{
	struct tree *tree = tree_new(variant->scan);

	block_user_signals();
	if (!fork()) {
		grow(self->said[1], 2, 2);
		_exit(0);
	}
	check_said(self->said[0], 6, 'r');
	ASSERT_LT(0, waitpid(-1, NULL, 0));
	EXPECT_EQ(6, tree_signal(tree, SIGUSR1));
	check_said(self->said[0], 6, '1');
	while (tree_signal(tree, SIGKILL))
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
	check_nothing_left();
}

TEST_F(tree, spares_children_from_before)
{
	struct tree *tree = tree_new(variant->scan);

	block_user_signals();
	grow(self->said[1], 1, 3);
	check_said(self->said[0], 3, 'r');
	EXPECT_EQ(0, tree_except_children(tree));
	grow(self->said[1], 2, 1);
	check_said(self->said[0], 2, 'r');
	EXPECT_EQ(2, tree_signal(tree, SIGUSR1));
	check_said(self->said[0], 2, '1');
	EXPECT_EQ(5, tree_signal(tree_new(variant->scan), SIGKILL));
	check_all_goes();
}

TEST_HARNESS_MAIN
