// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Sessions, a cache and a queue that processes share: each command is a process of its own.
 *
 * What it shows: Go's Mutex, RWMutex, Once and Cond, and what is built with them, between
 * processes, in a file that all of them map. A context ends each wait: by a timeout, by Ctrl-C, or
 * whatever the context says under which the command runs. The locks are contexts, too, which the
 * kernel ends when their holder is killed, so that nobody waits for the dead: see sync.h.
 *
 * To run it:
 *
 *	session() { build/programs/session/session "$@"; }
 *	session /dev/shm/store login alice	prints a token
 *	session /dev/shm/store show TOKEN	prints whose that is; logout TOKEN ends it
 *	session /dev/shm/store lines FILE	counts, the first time only
 *	session /dev/shm/store take		waits for a message
 *	session /dev/shm/store put hello	waits where there are four already
 *
 * With -s 20s all takes so long that another can be seen to wait, in a second terminal, say with
 * -t 5s; kill -9 the first, and the second goes on. The file holds ids of contexts: it belongs
 * into a file system that is gone after a boot, as /dev/shm.
 */
#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/duration.h"
#include "session/store.h"

static int login(int ctx, const struct user *user, const char *name)
{
	char token[TOKEN_SIZE];

	if (!*name || strlen(name) >= USER_SIZE)
		errx(2, "a name has 1 to %d bytes", USER_SIZE - 1);
	if (store_login(ctx, user, name, token))
		return -1;
	puts(token);
	return 0;
}

static int show(int ctx, const struct user *user, const char *token)
{
	char name[USER_SIZE];

	if (store_find(ctx, user, token, name))
		return -1;
	puts(name);
	return 0;
}

static int logout(int ctx, const struct user *user, const char *token)
{
	return store_logout(ctx, user, token);
}

static int lines(int ctx, const struct user *user, const char *path)
{
	uint64_t n;

	if (*path != '/' || strlen(path) >= PATH_SIZE)
		errx(2, "a path begins with / and has at most %d bytes", PATH_SIZE - 1);
	if (store_lines(ctx, user, path, &n))
		return -1;
	printf("%" PRIu64 "\n", n);
	return 0;
}

static int put(int ctx, const struct user *user, const char *message)
{
	if (strlen(message) >= MESSAGE_SIZE)
		errx(2, "a message has at most %d bytes", MESSAGE_SIZE - 1);
	return store_put(ctx, user, message);
}

static int take(int ctx, const struct user *user, const char *nothing)
{
	char message[MESSAGE_SIZE];

	(void)nothing;
	if (store_take(ctx, user, message))
		return -1;
	puts(message);
	return 0;
}

static const struct command {
	const char *name;
	int nr_arguments;
	int (*run)(int ctx, const struct user *user, const char *argument);
} commands[] = {
	{ "login", 1, login }, { "show", 1, show }, { "logout", 1, logout },
	{ "lines", 1, lines }, { "put", 1, put }, { "take", 0, take },
};

static const char usage[] =
	"usage: session [-t DURATION] [-s DURATION] FILE COMMAND, where COMMAND is one of\n"
	"login USER, show TOKEN, logout TOKEN, lines PATH, put MESSAGE, take";

/* @argv begins with its name. */
static const struct command *find_command(int argc, char **argv)
{
	for (size_t i = 0; argc > 0 && i < sizeof(commands) / sizeof(*commands); i++)
		if (!strcmp(argv[0], commands[i].name) && argc == 1 + commands[i].nr_arguments)
			return &commands[i];
	errx(2, "%s", usage);
}

/* Why it has not come about: most often the end of the context */
static void complain(int ctx, const char *what, int error)
{
	struct ctx_info info = { };
	char why[200];

	ctxfd_info(ctx, &info);
	ctxfd_describe(&info, why, sizeof(why));
	if (info.err)
		warnx("%s: given up: %s", what, why);
	else if (error == EBADMSG)
		warnx("%s: is no store", what);
	else if (error == ENODATA)
		warnx("%s: there is no such session", what);
	else if (error == EAGAIN)
		warnx("%s: there is no room for more", what);
	else
		warnx("%s: %s", what, strerror(error));
}

static int run(int ctx, const struct user *user, const struct command *command,
	       const char *argument)
{
	int ret = command->run(ctx, user, argument);

	if (ret)
		complain(ctx, argument ?: command->name, errno);
	else if (fflush(stdout))
		err(1, "output");
	return ret;
}

int main(int argc, char **argv)
{
	struct ctxfd_create_opts opts = { .name = "session" };
	struct ctxfd_after *signals;
	const struct command *command;
	struct timespec timeout;
	struct user user = { };
	int opt, ctx, ret;

	while ((opt = getopt(argc, argv, "t:s:")) != -1) {
		if (opt == 't') {
			timeout = duration_argument(optarg);
			opts.timeout = &timeout;
		} else if (opt == 's') {
			user.slow = duration_argument(optarg);
		} else {
			errx(2, "%s", usage);
		}
	}
	command = find_command(argc - optind - 1, argv + optind + 1);
	ctx = ctxfd_create_opts(ctxfd_from_env(), &opts);
	signals = ctxfd_cancel_on_signal(ctx, 0);
	if (!signals)
		err(1, "no context (is the module loaded?)");
	ret = store_open(ctx, &user, argv[optind]);
	if (ret)
		complain(ctx, argv[optind], errno);
	else
		ret = run(ctx, &user, command, argv[optind + 2]);
	if (user.store)
		munmap(user.store, sizeof(*user.store));
	ctxfd_after_stop(signals);
	close(ctx);
	return ret ? 1 : 0;
}
