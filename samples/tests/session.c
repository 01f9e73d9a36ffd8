// SPDX-License-Identifier: GPL-2.0-only
/* samples/programs/session */
#include "session.h"

TEST_F_TIMEOUT(session, a_session_is_there_until_it_ends, SECONDS)
{
	new_store();
	start(1, "show", self->token);
	check_ends(1, 0, "alice\n");
	start(1, "logout", self->token);
	check_ends(1, 0, "");
	start(1, "show", self->token);
	check_ends(1, 1, "");
	says(1, ": there is no such session\n");
}

TEST_F_TIMEOUT(session, one_initialises_and_the_others_wait, SECONDS)
{
	start_slow(0, "1h", "put", "x");
	says(0, "initialises the store\n");
	says(0, "works\n");
	start_timeout(1, "300ms", "take");
	check_waits_for(1, 0);
	check_ends(1, 1, "");
	says(1, "given up: timed out");
	start(2, "put", "y");
	check_waits_for(2, 0);
	check_killed(0);
	check_ends(2, 0, "");
	says(2, "takes the lock of a process that was killed\n");
	says(2, "initialises the store\n");
	start(3, "take");
	check_ends(3, 0, "y\n");
}

TEST_F_TIMEOUT(session, who_waits_goes_on_when_the_holder_is_killed, SECONDS)
{
	new_store();
	start_slow(0, "1h", "login", "bob");
	says(0, "works\n");
	start(1, "show", self->token);
	start(2, "show", self->token);
	check_waits_for(1, 0);
	check_waits_for(2, 0);
	check_killed(0);
	check_ends(1, 0, "alice\n");
	check_ends(2, 0, "alice\n");
}

TEST_F_TIMEOUT(session, who_is_cancelled_in_the_middle_changes_nothing, SECONDS)
{
	new_store();
	start_slow(0, "1h", "logout", self->token);
	says(0, "works\n");
	start(1, "show", self->token);
	check_waits_for(1, 0);
	kill(self->process[0].pid, SIGTERM);
	check_ends(0, 1, "");
	says(0, "given up: cancelled: Interrupted system call (SIGTERM)\n");
	check_ends(1, 0, "alice\n");
}

TEST_F_TIMEOUT(session, readers_share_and_a_writer_waits, SECONDS)
{
	new_store();
	start_slow(0, "1h", "show", self->token);
	says(0, "works\n");
	start(1, "show", self->token);
	check_ends(1, 0, "alice\n");
	start(2, "login", "bob");
	check_waits_for(2, 0);
	/* Behind a writer that waits new readers wait, too. */
	start(1, "show", self->token);
	check_waits_for(1, 2);
	kill(self->process[2].pid, SIGINT);
	check_ends(2, 1, "");
	check_ends(1, 0, "alice\n");
}

TEST_F_TIMEOUT(session, a_writer_does_not_wait_for_a_reader_that_was_killed, SECONDS)
{
	new_store();
	start_slow(0, "1h", "show", self->token);
	says(0, "works\n");
	start(1, "logout", self->token);
	check_waits_for(1, 0);
	check_killed(0);
	check_ends(1, 0, "");
}

TEST_F_TIMEOUT(session, more_readers_come_than_were_killed, SECONDS)
{
	new_store();
	for (int i = 0; i < 10; i++) {
		start_slow(0, "1h", "show", self->token);
		says(0, "works\n");
		check_killed(0);
		close(self->process[0].log);
	}
	start(1, "show", self->token);
	check_ends(1, 0, "alice\n");
}

TEST_F_TIMEOUT(session, lines_are_counted_once, SECONDS)
{
	char log[1024];

	new_store();
	start(1, "lines", self->file);
	check_ends(1, 0, "3\n");
	says(1, "counts the lines of ");
	start(1, "lines", self->file);
	check_ends(1, 0, "3\n");
	program_log(&self->process[1], log, sizeof(log));
	EXPECT_STREQ("", log);
}

TEST_F_TIMEOUT(session, only_who_wants_the_same_waits_for_a_count, SECONDS)
{
	new_store();
	start_slow(0, "1h", "lines", self->file);
	says(0, "works\n");
	start(1, "lines", "/proc/self/comm");
	check_ends(1, 0, "1\n");
	start(1, "lines", self->file);
	check_waits_for(1, 0);
	check_killed(0);
	check_ends(1, 0, "3\n");
	says(1, "counts the lines of ");
}

TEST_F_TIMEOUT(session, a_consumer_waits_for_a_message, SECONDS)
{
	new_store();
	start(0, "take");
	says(0, "waits: the queue is empty\n");
	start(1, "put", "hello");
	check_ends(1, 0, "");
	check_ends(0, 0, "hello\n");
}

TEST_F_TIMEOUT(session, a_producer_waits_for_room, SECONDS)
{
	new_store();
	for (int i = 0; i < 4; i++) {
		start(1, "put", (char []){ '0' + i, '\0' });
		check_ends(1, 0, "");
	}
	start(0, "put", "4");
	says(0, "waits: the queue is full\n");
	start(1, "take");
	check_ends(1, 0, "0\n");
	check_ends(0, 0, "");
}

TEST_F_TIMEOUT(session, each_consumer_gets_a_message, SECONDS)
{
	new_store();
	for (int i = 0; i < 3; i++) {
		start(i, "take");
		says(i, "waits: the queue is empty\n");
	}
	for (int i = 0; i < 3; i++) {
		start(3, "put", "same");
		check_ends(3, 0, "");
	}
	for (int i = 0; i < 3; i++)
		check_ends(i, 0, "same\n");
}

TEST_F_TIMEOUT(session, the_others_wait_on_when_one_gives_up_or_is_killed, SECONDS)
{
	new_store();
	for (int i = 0; i < 3; i++) {
		start(i, "take");
		says(i, "waits: the queue is empty\n");
	}
	check_killed(0);
	kill(self->process[1].pid, SIGTERM);
	check_ends(1, 1, "");
	EXPECT_EQ(0, waitpid(self->process[2].pid, NULL, WNOHANG));
	start(3, "put", "hello");
	check_ends(3, 0, "");
	check_ends(2, 0, "hello\n");
}

TEST_F_TIMEOUT(session, a_producer_that_is_killed_has_put_nothing, SECONDS)
{
	new_store();
	start(0, "take");
	says(0, "waits: the queue is empty\n");
	start_slow(1, "1h", "put", "lost");
	says(1, "works\n");
	start(2, "put", "second");
	check_waits_for(2, 1);
	check_killed(1);
	check_ends(2, 0, "");
	check_ends(0, 0, "second\n");
}

TEST_F_TIMEOUT(session, its_own_context_ends_a_wait, SECONDS)
{
	int ctx = ctxfd_with_cancel(ctxfd_background());

	new_store();
	ASSERT_LE(0, ctx);
	ASSERT_EQ(0, ctxfd_to_env(ctx));
	start(0, "take");
	says(0, "waits: the queue is empty\n");
	ctxfd_cancel_cause(ctx, EPIPE, "enough");
	check_ends(0, 1, "");
	says(0, "take: given up: cancelled: Broken pipe (enough)");
	close(ctx);
	unsetenv("CTX_FD");
}

TEST_F_TIMEOUT(session, tells_when_there_is_no_room, SECONDS)
{
	new_store();
	for (int i = 1; i < 16; i++) {
		start(1, "login", "bob");
		ASSERT_EQ(0, program_wait(&self->process[1]));
		close(self->process[1].out);
		close(self->process[1].log);
	}
	start(1, "login", "bob");
	check_ends(1, 1, "");
	says(1, "bob: there is no room for more\n");
}

#define check_refuses(status, text, ...) ({				\
	ASSERT_EQ(0, program_start(&self->process[0], "session/session", \
				   (char *[]){ "session", ##__VA_ARGS__, NULL })); \
	check_ends(0, (status), "");					\
	says(0, (text));						\
})

TEST_F_TIMEOUT(session, refuses_bad_arguments, SECONDS)
{
	static char too_long[300];

	memset(too_long, 'x', sizeof(too_long) - 1);
	too_long[0] = '/';
	check_refuses(2, "usage: session", self->store);
	check_refuses(2, "usage: session", self->store, "dance");
	check_refuses(2, "usage: session", self->store, "take", "it");
	check_refuses(2, "usage: session", self->store, "login");
	check_refuses(2, "usage: session", "-x");
	check_refuses(2, "usage: session");
	check_refuses(2, "soon is no duration such as 2s or 250ms\n", "-t", "soon", self->store, "take");
	check_refuses(1, "/nowhere/store: No such file or directory\n", "/nowhere/store", "take");
	check_refuses(1, "/tmp: Is a directory\n", "/tmp", "take");
	check_refuses(1, ": is no store\n", self->file, "take");
	check_refuses(1, "/dev/null: is no store\n", "/dev/null", "take");
	check_refuses(2, "a name has 1 to 63 bytes\n", self->store, "login", "");
	check_refuses(2, "a name has 1 to 63 bytes\n", self->store, "login", too_long);
	check_refuses(2, "a message has at most 127 bytes\n", self->store, "put", too_long);
	check_refuses(2, "a path begins with / and has at most 255 bytes\n", self->store, "lines", too_long);
	check_refuses(2, "a path begins with / and has at most 255 bytes\n", self->store, "lines", "file");
	check_refuses(1, "/nowhere: No such file or directory\n", self->store, "lines", "/nowhere");
}

TEST_HARNESS_MAIN
