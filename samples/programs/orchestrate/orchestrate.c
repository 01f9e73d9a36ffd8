// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Runs the tasks of a file, each line a shell command, several at a time. The first that fails
 * ends the others: what Go's errgroup does, for processes.
 *
 * What it shows: a group with one context below this program's, a limit, and an error that gets its
 * story on the way up. The task that fails first cancels the group's context with its cause and
 * its message, and these are what is reported here; nobody else keeps an error. What runs gets a
 * SIGTERM from the kernel as soon as the context ends, and a SIGKILL when it is not gone after a
 * time: see command.c. That includes kill -9 of this program.
 *
 * To run it:
 *
 *	printf '%s\n' 'sleep 1; echo one' 'sleep 2; exit 3' 'sleep 60' >tasks
 *	build/programs/orchestrate/orchestrate -j 3 tasks
 *
 * It ends after 2 s with "tasks: line 2: sleep 2; exit 3: exit status 3". With -k it goes on, and
 * tells of all that failed at the end; with -j 1 line 3 never begins. Then try -t 1s, Ctrl-C, and
 * `ctx tree` meanwhile. A line may be another orchestrate, which ends with this one.
 */
#include <ctxfd.h>
#include <err.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/duration.h"
#include "orchestrate/command.h"

#define AT_ONCE_MAX	1000
#define COMMAND_SHOWN	60	/* bytes, so that a message has room for what went wrong */

struct options {
	unsigned int at_once;
	bool goes_on;			/* where a task fails */
	const struct timespec *timeout;
	struct timespec grace;		/* from SIGTERM to SIGKILL */
};

enum state { WAITING, RUNNING, DONE, FAILED, STOPPED, NR_STATES };

struct run;

struct task {
	struct run *run;
	unsigned int line;
	const char *command;
	enum state state;		/* with the lock */
	struct failure failure;
};

struct run {
	const char *name;		/* of the file */
	struct options options;
	int ctx;			/* all ends with it */
	int last;			/* what has not ended with that ends with this one */
	struct task *tasks;
	unsigned int nr;
	pthread_mutex_t lock;
	unsigned int count[NR_STATES];
	struct timespec start;
};

static void set_state(struct task *task, enum state state)
{
	struct run *run = task->run;

	pthread_mutex_lock(&run->lock);
	run->count[task->state]--;
	run->count[state]++;
	task->state = state;
	pthread_mutex_unlock(&run->lock);
}

/* The end of a message that does not fit, where no character is cut in two */
static size_t shortened(const char *text, size_t size)
{
	size_t len = strlen(text);

	if (len > size)
		for (len = size; len && ((unsigned char)text[len] & 0xc0) == 0x80; len--)
			;
	return len;
}

/* Says how the task ended. Only the first that fails cancels, and has its message kept. */
static int task_end(struct task *task, int ctx, int ret)
{
	struct failure *failure = &task->failure;
	bool was_stopped = ret && ctxfd_err(ctx);
	char why[256];
	struct ctx_info info = { };

	if (ret && !was_stopped && !task->run->options.goes_on) {
		failure->text[shortened(failure->text, CTX_MESSAGE_MAX)] = '\0';
		was_stopped = ctxfd_cancel_cause(ctx, failure->cause, failure->text) == 1;
	}
	if (was_stopped) {
		ctxfd_info(ctx, &info);
		ctxfd_describe(&info, why, sizeof(why));
		fprintf(stderr, "orchestrate: line %u: stopped: %s\n", task->line, why);
	} else if (ret) {
		fprintf(stderr, "orchestrate: %s\n", failure->text);
	}
	set_state(task, was_stopped ? STOPPED : ret ? FAILED : DONE);
	errno = failure->cause;
	return ret && !task->run->options.goes_on ? -1 : 0;
}

/* Each has a child context of its own, by which `ctx tree` shows what runs. */
static int task_run(int group_ctx, void *arg)
{
	struct task *task = arg;
	struct failure *failure = &task->failure;
	char name[CTX_NAME_LEN];
	int ctx, last, ret;

	set_state(task, RUNNING);
	snprintf(name, sizeof(name), "line %u", task->line);
	ctx = ctxfd_create_opts(group_ctx, &(struct ctxfd_create_opts){ .name = name });
	last = ctx < 0 ? -1 : ctxfd_with_cancel(task->run->last);
	if (last < 0)
		ret = failure_set(failure, errno, "no context: %s", strerror(errno));
	else
		ret = command_run(task->command, ctx, last, failure);
	if (ret)
		failure_wrap(failure, "line %u: %.*s", task->line,
			     (int)shortened(task->command, COMMAND_SHOWN), task->command);
	if (last >= 0)
		close(last);
	if (ctx >= 0)
		close(ctx);
	return task_end(task, group_ctx, ret);
}

/* Once the group's context has ended, what runs has so much time. */
static void last_call(void *arg)
{
	struct run *run = arg;

	ctxfd_set_timeout(run->last, &run->options.grace);
}

/* Says each second how far it is. */
static int progress(int ctx, void *arg)
{
	struct run *run = arg;

	while (!ctxfd_sleep(ctx, &(struct timespec){ .tv_sec = 1 })) {
		pthread_mutex_lock(&run->lock);
		fprintf(stderr, "orchestrate: after %.0f s: %u of %u done, %u running, %u failed\n",
			milliseconds_since(&run->start) / 1000, run->count[DONE], run->nr,
			run->count[RUNNING], run->count[FAILED]);
		pthread_mutex_unlock(&run->lock);
	}
	return 0;
}

/* What is left to say of the context: nothing, or why it ended. Returns 0, or -1 with @failure. */
static int outcome(const struct run *run, int ctx, struct failure *failure)
{
	struct ctx_info info = { };
	char why[256];

	ctxfd_info(ctx, &info);
	if (!info.err && run->count[FAILED])
		return failure_set(failure, ECANCELED, "%u of %u tasks failed", run->count[FAILED],
				   run->nr);
	if (!info.err)
		return 0;
	/* By a task, which has said all that there is to say; or from above. */
	if (info.origin_id == info.id)
		return failure_set(failure, info.cause, "%.*s", (int)info.message_len,
				   info.message);
	ctxfd_describe(&info, why, sizeof(why));
	return failure_set(failure, info.cause, "%s; %u of %u tasks done", why, run->count[DONE],
			   run->nr);
}

/* Returns 0, or -1 with @failure. */
static int run_tasks(struct run *run, struct failure *failure)
{
	struct ctxfd_group *group = ctxfd_group_new(run->ctx, run->options.at_once);
	struct ctxfd_group *clock = ctxfd_group_new(ctxfd_background(), 0);
	int ctx = group ? ctxfd_group_ctx(group) : -1, ret;
	struct ctxfd_after *after = ctxfd_after_func(ctx, last_call, run);

	if (!group || !clock || !after || ctxfd_group_go(clock, progress, run))
		return failure_set(failure, errno, "no context: %s", strerror(errno));
	for (unsigned int i = 0; i < run->nr; i++) {
		if (!ctxfd_group_go(group, task_run, &run->tasks[i]))
			continue;
		if (!ctxfd_err(ctx)) {
			failure_set(&run->tasks[i].failure, errno, "line %u: no thread: %s",
				    run->tasks[i].line, strerror(errno));
			task_end(&run->tasks[i], ctx, -1);
		}
	}
	ctxfd_group_wait(group);
	ctxfd_group_free(clock);
	ret = outcome(run, ctx, failure);
	ctxfd_after_stop(after);
	ctxfd_group_free(group);
	return ret ? failure_wrap(failure, "%s", run->name) : 0;
}

/* All of them, where the first did not end it */
static void say_failures(const struct run *run)
{
	for (unsigned int i = 0; i < run->nr; i++)
		if (run->tasks[i].state == FAILED)
			fprintf(stderr, "orchestrate: %s: %s\n", run->name,
				run->tasks[i].failure.text);
}

static void add_task(struct run *run, unsigned int line, const char *command)
{
	run->tasks = reallocarray(run->tasks, run->nr + 1, sizeof(*run->tasks));
	if (!run->tasks)
		err(1, "%s", run->name);
	run->tasks[run->nr++] = (struct task){ .run = run, .line = line, .command = command };
	run->count[WAITING]++;
}

/* All of the file, which is to be freed once the tasks are done; or NULL where it is empty */
static char *read_text(const char *name)
{
	FILE *file = strcmp(name, "-") ? fopen(name, "re") : stdin;
	char *text = NULL;
	size_t size = 0;
	ssize_t len;

	if (!file)
		err(1, "%s", name);
	len = getdelim(&text, &size, '\0', file);
	if (ferror(file))
		err(1, "%s", name);
	if (!feof(file))
		errx(1, "%s: is no text", name);
	(void)fclose(file);
	if (len > 0)
		return text;
	free(text);
	return NULL;
}

/* Each line but empty ones and comments. */
static void find_tasks(struct run *run, char *text)
{
	char *line;

	for (unsigned int nr = 1; (line = strsep(&text, "\n")); nr++) {
		line += strspn(line, " \t");
		if (*line && *line != '#')
			add_task(run, nr, line);
	}
	if (!run->nr)
		errx(1, "%s: has no tasks, a shell command a line", run->name);
}

static unsigned int at_once_argument(const char *text)
{
	char *end;
	unsigned long nr = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || !nr || nr > AT_ONCE_MAX)
		errx(2, "%s is no number of tasks from 1 to %d", text, AT_ONCE_MAX);
	return (unsigned int)nr;
}

/* Returns what follows the options. */
static const char *parse(int argc, char **argv, struct options *options)
{
	static struct timespec timeout;
	int opt;

	while ((opt = getopt(argc, argv, "g:j:kt:")) != -1) {
		switch (opt) {
		case 'g':
			options->grace = duration_argument(optarg);
			break;
		case 'j':
			options->at_once = at_once_argument(optarg);
			break;
		case 'k':
			options->goes_on = true;
			break;
		case 't':
			timeout = duration_argument(optarg);
			options->timeout = &timeout;
			break;
		default:
			optind = argc;
		}
	}
	if (argc != optind + 1)
		errx(2, "usage: orchestrate [-g DURATION] [-j NUMBER] [-k] [-t DURATION] FILE|-");
	return argv[optind];
}

/*
 * Both end with this process, whoever has inherited a descriptor. The second does not end with what
 * this was started under: that is what gives the tasks their time.
 */
static void make_contexts(struct run *run)
{
	int parent = ctxfd_from_env();

	run->ctx = ctxfd_create_opts(parent, &(struct ctxfd_create_opts){
		.name = "orchestrate",
		.timeout = run->options.timeout,
		.flags = CTX_CREATE_OWNED,
	});
	run->last = ctxfd_create_opts(parent, &(struct ctxfd_create_opts){
		.name = "orchestrate, last call",
		.flags = CTX_CREATE_OWNED | CTX_CREATE_WITHOUT_CANCEL,
	});
	if (run->ctx < 0 || run->last < 0)
		err(1, "no context (is the module loaded?)");
}

int main(int argc, char **argv)
{
	static struct run run = {
		.options.grace.tv_sec = 5,
		.lock = PTHREAD_MUTEX_INITIALIZER,
	};
	struct failure failure;
	struct ctxfd_after *signals;
	char *text;
	int ret;

	run.options.at_once = (unsigned int)sysconf(_SC_NPROCESSORS_ONLN);
	run.name = parse(argc, argv, &run.options);
	text = read_text(run.name);
	find_tasks(&run, text);
	make_contexts(&run);
	signals = ctxfd_cancel_on_signal(run.ctx, 0);
	/* Each command has its context at that number; where SIGCHLD is ignored, no status. */
	if (!signals || setenv("CTX_FD", "3", 1) || signal(SIGCHLD, SIG_DFL) == SIG_ERR)
		err(1, "orchestrate");
	clock_gettime(CLOCK_MONOTONIC, &run.start);
	ret = run_tasks(&run, &failure);
	if (run.options.goes_on)
		say_failures(&run);
	if (ret)
		fprintf(stderr, "orchestrate: %s\n", failure.text);
	else
		fprintf(stderr, "orchestrate: %s: %u tasks done after %.1f s\n", run.name, run.nr,
			milliseconds_since(&run.start) / 1000);
	free(run.tasks);
	free(text);
	ctxfd_after_stop(signals);
	return ret ? 1 : 0;
}
