// SPDX-License-Identifier: GPL-2.0-only
/* samples/programs/workers */
#include "workers.h"

#define FULL	"2 in hand, 1 in the queue"

/* All files are pipes now, which are empty and do not end: their jobs wait. */
#define make_pipes() ({							\
	for (int __i = 0; __i < FILES; __i++) {				\
		ASSERT_EQ(0, mkfifo(self->file[__i], 0600));		\
		self->ends[__i] = open(self->file[__i], O_RDWR | O_CLOEXEC); \
		ASSERT_LE(0, self->ends[__i]);				\
	}								\
})

/* Lets the job of pipe @i end, with that in it. */
#define end_pipe(i, text) ({						\
	ASSERT_EQ((ssize_t)strlen(text), write(self->ends[i], (text), strlen(text))); \
	ASSERT_TRUE(comes_true(is_empty(self->ends[i])));		\
	close(self->ends[i]);						\
})

static bool is_empty(int fd)
{
	int n;

	return !ioctl(fd, FIONREAD, &n) && !n;
}

#define start_pipes(...) ({						\
	make_pipes();							\
	start("-p", "-n", "2", "-q", "1", __VA_ARGS__, ALL_FILES);	\
	says(FULL);							\
})

/* It ends with @status, and has printed @line among others, which ends with a newline. */
#define check_ends(status, line) ({					\
	char __out[4096];						\
	ssize_t __len;							\
									\
	EXPECT_EQ((status), program_wait(&self->count));		\
	__len = read(self->count.out, __out, sizeof(__out) - 1);	\
	__out[__len > 0 ? __len : 0] = '\0';				\
	EXPECT_NE(NULL, strstr(__out, (line)))				\
		TH_LOG("no %s in: %s", (line), __out);			\
})

TEST_F_TIMEOUT(workers, counts_lines_and_bytes, SECONDS)
{
	char line[128];

	for (int i = 0; i < FILES; i++)
		ASSERT_EQ(0, write_file(self->file[i], "abba\n\n"));
	start("-n", "3", "-q", "1", ALL_FILES);
	snprintf(line, sizeof(line), "         2              6    3 %s\n", self->file[2]);
	check_ends(0, line);
	says("4 files counted, 0 not");
}

TEST_F_TIMEOUT(workers, adds_all_up, SECONDS)
{
	ASSERT_EQ(0, write_file(self->file[0], "one\n"));
	ASSERT_EQ(0, write_file(self->file[1], ""));
	start(self->file[0], self->file[1], self->file[0]);
	check_ends(0, "         2              8 total\n");
}

TEST_F_TIMEOUT(workers, nothing_of_the_last_job_is_left_in_a_buffer, SECONDS)
{
	char line[128];

	ASSERT_EQ(0, write_file(self->file[0], "many different bytes\n"));
	ASSERT_EQ(0, write_file(self->file[1], "x"));
	start("-n", "1", self->file[0], self->file[1]);
	snprintf(line, sizeof(line), "         0              1    1 %s\n", self->file[1]);
	check_ends(0, line);
	says("2 files counted, 0 not, in 1 buffers\n");
}

TEST_F_TIMEOUT(workers, a_full_queue_blocks_the_submitter, SECONDS)
{
	start_pipes("-g", "1h");
	end_pipe(0, "x");
	says(" 1 of 4, 0 MB; " FULL);
	end_pipe(1, "x");
	says(" 2 of 4, 0 MB; 2 in hand, 0 in the queue");
	end_pipe(2, "x");
	end_pipe(3, "x");
	check_ends(0, "         0              4 total\n");
}

TEST_F_TIMEOUT(workers, sigterm_lets_jobs_in_hand_end, SECONDS)
{
	start_pipes("-g", "1h");
	kill(self->count.pid, SIGTERM);
	says("stops: cancelled: Interrupted system call (SIGTERM); the jobs in hand have 3600 s");
	says("/2: was not begun\n");
	end_pipe(0, "one\n");
	end_pipe(1, "two\n");
	check_ends(1, "         2              8 total\n");
	says("2 files counted, 2 not");
}

TEST_F_TIMEOUT(workers, jobs_in_hand_are_cancelled_at_the_deadline, SECONDS)
{
	start_pipes("-g", "100ms");
	kill(self->count.pid, SIGTERM);
	check_ends(1, "         0              0 total\n");
	says("/0: timed out");
	says("/1: timed out");
	says("0 files counted, 4 not");
}

TEST_F_TIMEOUT(workers, a_file_that_never_ends_is_given_up, SECONDS)
{
	ASSERT_EQ(0, make_endless(self->file[0]));
	start("-p", "-g", "0s", self->file[0]);
	says(" 1 in hand");
	kill(self->count.pid, SIGINT);
	check_ends(1, " total\n");
	says("/0: timed out");
}

TEST_F_TIMEOUT(workers, a_second_signal_ends_it_at_once, SECONDS)
{
	start_pipes("-g", "1h");
	kill(self->count.pid, SIGTERM);
	says("/2: was not begun\n");
	kill(self->count.pid, SIGTERM);
	EXPECT_EQ(128 + SIGTERM, program_wait(&self->count));
}

TEST_F_TIMEOUT(workers, a_worker_that_is_killed_takes_down_its_job_only, SECONDS)
{
	pid_t first[3], then[3];

	start_pipes("-g", "1h");
	ASSERT_EQ(2, program_children(&self->count, first, 3));
	kill(first[0], SIGKILL);
	says(": its worker was killed by signal 9, after 0 bytes\n");
	says(" 1 of 4, 0 MB; " FULL);
	EXPECT_EQ(2, program_children(&self->count, then, 3));
	for (int i = 0; i < FILES; i++)
		close(self->ends[i]);
	check_ends(1, "         0              0 total\n");
	says("3 files counted, 1 not");
}

TEST_F_TIMEOUT(workers, a_worker_that_is_stopped_is_killed_behind_the_deadline, SECONDS)
{
	pid_t pids[3];

	start_pipes("-g", "100ms");
	ASSERT_EQ(2, program_children(&self->count, pids, 3));
	kill(pids[1], SIGSTOP);
	kill(self->count.pid, SIGTERM);
	check_ends(1, "         0              0 total\n");
	says(": its worker was killed by signal 9");
	says(": timed out");
}

TEST_F_TIMEOUT(workers, its_death_ends_all_workers, SECONDS)
{
	start_pipes("-g", "1h");
	kill(self->count.pid, SIGKILL);
	EXPECT_EQ(128 + SIGKILL, program_wait(&self->count));
}

TEST_F_TIMEOUT(workers, its_own_context_ends_all, SECONDS)
{
	int ctx = ctxfd_with_cancel(ctxfd_background());

	ASSERT_LE(0, ctx);
	ASSERT_EQ(0, ctxfd_to_env(ctx));
	start_pipes("-g", "1h");
	ctxfd_cancel(ctx);
	check_ends(1, "         0              0 total\n");
	close(ctx);
	unsetenv("CTX_FD");
}

TEST_F_TIMEOUT(workers, tells_what_it_cannot_count, SECONDS)
{
	ASSERT_EQ(0, write_file(self->file[0], "one\n"));
	start(self->file[0], "/nowhere", "/proc");
	check_ends(1, "         1              4 total\n");
	says("count: /nowhere: No such file or directory, after 0 bytes\n");
	says("count: /proc: Is a directory, after 0 bytes\n");
}

#define check_refuses(text, ...) ({					\
	start(__VA_ARGS__);						\
	EXPECT_EQ(2, program_wait(&self->count));			\
	says(text);							\
})

TEST_F_TIMEOUT(workers, refuses_bad_arguments, SECONDS)
{
	check_refuses("usage: count", "-p");
	check_refuses("usage: count", "-x", "/proc/version");
	check_refuses("0 is no number from 1 to 64\n", "-n", "0", "/proc/version");
	check_refuses("many is no number from 1 to 10000\n", "-q", "many", "/proc/version");
	check_refuses("5 is no duration such as 2s or 250ms\n", "-g", "5", "/proc/version");
	check_refuses("an argument is empty, or too long for a path\n", "");
	ASSERT_EQ(0, program_start(&self->count, "workers/worker", (char *[]){ "worker", NULL }));
	EXPECT_EQ(2, program_wait(&self->count));
	says("the program count starts it\n");
}

TEST_HARNESS_MAIN
