/* SPDX-License-Identifier: GPL-2.0-only */
/* Processes of samples/programs/session, and the store that they share */
#ifndef SESSION_H
#define SESSION_H

#include "programs.h"

#define PROCESSES	5

FIXTURE(session) {
	char dir[32];
	char store[64];
	char file[64];			/* of three lines */
	char token[17];			/* of alice */
	struct program process[PROCESSES];
};

FIXTURE_TEARDOWN(session)
{
	for (int i = 0; i < PROCESSES; i++)
		if (self->process[i].pid > 0)
			kill(self->process[i].pid, SIGKILL);
	check_all_goes();
	EXPECT_TRUE(comes_true(nr_contexts(NULL) == 0));
	unlink(self->store);
	unlink(self->file);
	rmdir(self->dir);
	for (int i = 0; i < PROCESSES && !_metadata->passed; i++)
		if (self->process[i].pid > 0)
			program_show(&self->process[i]);
}

/* start(0, "-s", "1h", "login", "bob"): process 0 does that. */
#define start_slow(i, slow, ...) \
	ASSERT_EQ(0, program_start(&self->process[i], "session/session", (char *[]){ \
		"session", "-s", (slow), self->store, __VA_ARGS__, NULL }))

#define start(i, ...) \
	start_slow(i, "0s", __VA_ARGS__)

#define start_timeout(i, timeout, ...) \
	ASSERT_EQ(0, program_start(&self->process[i], "session/session", (char *[]){ \
		"session", "-t", (timeout), self->store, __VA_ARGS__, NULL }))

#define says(i, text) \
	EXPECT_TRUE(program_says(&self->process[i], (text)))

/* Reads what a process has printed. It has ended with @status then, or else there is nothing. */
static inline void session_end(struct program *process, int *status, char *text, size_t size)
{
	ssize_t len = 0;

	*status = program_wait(process);
	if (*status >= 0)
		len = read(process->out, text, size - 1);
	text[len > 0 ? len : 0] = '\0';
	close(process->out);
	process->pid = *status < 0 ? process->pid : 0;
}

#define check_ends(i, status, text) ({					\
	char __text[256];						\
	int __status;							\
									\
	session_end(&self->process[i], &__status, __text, sizeof(__text)); \
	EXPECT_EQ((status), __status);					\
	EXPECT_STREQ((text), __text);					\
})

#define check_killed(i) ({						\
	kill(self->process[i].pid, SIGKILL);				\
	check_ends(i, 128 + SIGKILL, "");				\
})

/* It waits for a lock that process @holder has. */
#define check_waits_for(i, holder) ({					\
	char __line[64];						\
									\
	snprintf(__line, sizeof(__line), "waits for process %d\n", self->process[holder].pid); \
	says(i, __line);						\
})

/* A new store, in which alice has a session */
#define new_store() ({							\
	int __status;							\
	char __text[256];						\
									\
	unlink(self->store);						\
	start(0, "login", "alice");					\
	session_end(&self->process[0], &__status, __text, sizeof(__text)); \
	ASSERT_EQ(0, __status);						\
	ASSERT_EQ(17, strlen(__text));					\
	memcpy(self->token, __text, 16);				\
})

FIXTURE_SETUP(session)
{
	int fd;

	ASSERT_EQ(0, prctl(PR_SET_CHILD_SUBREAPER, 1));
	strcpy(self->dir, "/tmp/session.XXXXXX");
	ASSERT_NE(NULL, mkdtemp(self->dir));
	snprintf(self->store, sizeof(self->store), "%s/store", self->dir);
	snprintf(self->file, sizeof(self->file), "%s/file", self->dir);
	fd = open(self->file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	ASSERT_EQ(6, write(fd, "a\nb\nc\n", 6));
	close(fd);
}

#endif /* SESSION_H */
