/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Programs to be spawned: this one, exec'ed with one of these roles as its first argument.
 * Each exits with 0 where it finds what it should.
 */
#ifndef LIBCTXFD_ROLES_H
#define LIBCTXFD_ROLES_H

#include "libctxfd_note.h"

/* Its standard three and its context, nothing else. */
static inline int role_descriptors(char **argv)
{
	(void)argv;
	for (int fd = 0; fd < 1024; fd++)
		if ((fcntl(fd, F_GETFD) >= 0) != (fd <= 3))
			return 1;
	return 0;
}

static inline int role_context(char **argv)
{
	int ctx = ctxfd_from_env();

	return ctx != 3 || ctx_id(ctx) != strtoull(argv[0], NULL, 10) ||
	       !(ctxfd_cancel(ctx) == -1 && errno == EBADF);
}

/* Blocks none, and ignores the one that is named alone. */
static inline int role_signals(char **argv)
{
	struct sigaction now;
	sigset_t mask;

	if (sigprocmask(SIG_SETMASK, NULL, &mask))
		return 1;
	for (int sig = 1; sig < NSIG; sig++) {
		if (sigaction(sig, NULL, &now))
			continue;
		if (sigismember(&mask, sig) > 0)
			return 2;
		if ((now.sa_handler == SIG_IGN) != (sig == atoi(argv[0])))
			return 3;
	}
	return 0;
}

static inline int role_directory(char **argv)
{
	char path[4096];

	return !getcwd(path, sizeof(path)) || strcmp(path, argv[0]);
}

static inline int role_environment(char **argv)
{
	const char *value = getenv("ROLE");

	return !value || strcmp(value, argv[0]) || strcmp(getenv("CTX_FD"), "3");
}

static inline int role_copy(char **argv)
{
	char byte;

	(void)argv;
	while (read(0, &byte, 1) == 1)
		if (write(1, &byte, 1) != 1 || write(2, &byte, 1) != 1)
			return 1;
	return 0;
}

static inline int role_exit(char **argv)
{
	return atoi(argv[0]);
}

static inline int role_abort(char **argv)
{
	(void)argv;
	return raise(SIGKILL);
}

static inline int role_sleep(char **argv)
{
	(void)argv;
	/* What ends it is a signal that it does not catch. */
	return pause();
}

static inline int role_work(char **argv)
{
	(void)argv;
	/* What a well-behaved program does. */
	return ctxfd_wait(ctxfd_from_env(), LONG) != 1;
}

static void __attribute__((constructor)) play_role(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*play)(char **argv);
	} roles[] = {
		{ "role:descriptors", role_descriptors },
		{ "role:context", role_context },
		{ "role:signals", role_signals },
		{ "role:directory", role_directory },
		{ "role:environment", role_environment },
		{ "role:copy", role_copy },
		{ "role:exit", role_exit },
		{ "role:abort", role_abort },
		{ "role:sleep", role_sleep },
		{ "role:work", role_work },
	};

	for (size_t i = 0; argc > 1 && i < ARRAY_SIZE(roles); i++)
		if (!strcmp(argv[1], roles[i].name))
			_exit(roles[i].play(argv + 2));
}

/* Its own path, which under valgrind is not what runs. */
static inline char *own_path(void)
{
	static char path[4096];

	return readlink("/proc/self/exe", path, sizeof(path) - 1) < 0 ? NULL : path;
}

#define role(name, ...) ((char *[]){ own_path(), "role:" name, ##__VA_ARGS__, NULL })

#endif /* LIBCTXFD_ROLES_H */
