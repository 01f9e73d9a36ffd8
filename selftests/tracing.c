// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tracepoints: who made, cancelled and ended a context, and what it reached.
 */
#include "ctx_features.h"
#include <sched.h>
#include <stdbool.h>
#include <sys/mount.h>
#include <linux/perf_event.h>

#define TRACEFS		"/sys/kernel/tracing"
#define TRACE_SIZE	(1 << 20)

FIXTURE(tracing) {
	int dev;
	char instance[64];	/* a buffer of our own; empty where there is none */
	char *trace;		/* what it said when it was last asked */
};

FIXTURE_SETUP(tracing)
{
	self->dev = ctx_background();
	ASSERT_LE(0, self->dev);
	self->trace = malloc(TRACE_SIZE);
	ASSERT_NE(NULL, self->trace);
	if (access(TRACEFS "/instances", F_OK))
		mount("tracefs", TRACEFS, "tracefs", 0, NULL);
	snprintf(self->instance, sizeof(self->instance), TRACEFS "/instances/ctx-%d", getpid());
	if (mkdir(self->instance, 0700)) {
		self->instance[0] = '\0';
		return;
	}
	ASSERT_EQ(0, ctx_write_file(self->instance, "events/ctx/enable", "1"));
}

FIXTURE_TEARDOWN(tracing)
{
	if (self->instance[0]) {
		ctx_write_file(self->instance, "events/ctx/enable", "0");
		rmdir(self->instance);
	}
	free(self->trace);
	close(self->dev);
}

#define needs_tracefs(self) do {					\
	if (!(self)->instance[0])					\
		SKIP(return, "there is no tracefs at " TRACEFS);	\
} while (0)

/* A whole file of the instance, as a string. */
static char *read_instance(FIXTURE_DATA(tracing) *self, const char *name)
{
	char path[128];
	ssize_t n;
	size_t len = 0;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", self->instance, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	while ((n = read(fd, self->trace + len, TRACE_SIZE - 1 - len)) > 0)
		len += n;
	close(fd);
	self->trace[len] = '\0';
	return self->trace;
}

/*
 * The line that an @event of context @id left, from its beginning, or NULL. *nr is
 * how many there are of them.
 */
static char *find_event(FIXTURE_DATA(tracing) *self, const char *event, __u64 id, int *nr)
{
	char text[64], *line, *next, *found = NULL;

	snprintf(text, sizeof(text), " %s: id=%llu ", event, id);
	*nr = 0;
	for (line = read_instance(self, "trace"); line; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		if (strstr(line, text) && !(*nr)++)
			found = line;
	}
	return found;
}

/* A number behind "NAME=", or -1 */
static long long field(const char *line, const char *name)
{
	char text[32];
	const char *at;

	snprintf(text, sizeof(text), " %s=", name);
	at = strstr(line, text);
	return at ? strtoll(at + strlen(text), NULL, 0) : -1;
}

/* The one line of @event about context @id; "" where there is not exactly one. */
#define one_event(self, event, id) ({					\
	int __nr;							\
	char *__line = find_event((self), (event), (id), &__nr);	\
									\
	EXPECT_EQ(1, __nr);						\
	__line ?: "";							\
})

#define no_event(self, event, id) ({					\
	int __nr;							\
									\
	find_event((self), (event), (id), &__nr);			\
	EXPECT_EQ(0, __nr);						\
})

TEST_F(tracing, each_event_describes_its_fields)
{
	static const struct {
		const char *event;
		const char *fields[9];
	} events[] = {
		{ "ctx_create", { "id", "parent", "flags", "depth", "name[", "comm[" } },
		{ "ctx_cancel", { "id", "origin", "err", "cause", "canceller", "name[",
				  "message[", "comm[" } },
		{ "ctx_wake", { "id", "origin", "reached", "woken", "ns" } },
		{ "ctx_release", { "id", "flags", "name[", "comm[" } },
	};
	char path[64], text[32], *format;
	unsigned int i, j;

	needs_tracefs(self);
	for (i = 0; i < ctx_array_size(events); i++) {
		snprintf(path, sizeof(path), "events/ctx/%s/format", events[i].event);
		format = read_instance(self, path);
		for (j = 0; events[i].fields[j]; j++) {
			snprintf(text, sizeof(text), " %s%s", events[i].fields[j],
				 strchr(events[i].fields[j], '[') ? "" : ";");
			EXPECT_NE(NULL, strstr(format, text))
				TH_LOG("%s has no field %s", events[i].event, text);
		}
	}
}

TEST_F(tracing, create_tells_what_was_made_below_what)
{
	int root, child, merged;
	char *line;

	needs_tracefs(self);
	root = ctx_new_named(self->dev, "the root");
	child = ctx_create(root, &(struct ctx_create_args){
		.flags = CTX_CREATE_DETACHED, .name = "the child",
	});
	merged = ctx_new_merged2(child, root);
	ASSERT_LE(0, merged);

	line = one_event(self, "ctx_create", ctx_id(root));
	EXPECT_EQ(0, field(line, "parent"));
	EXPECT_EQ(0, field(line, "depth"));
	EXPECT_EQ(0, field(line, "flags"));
	EXPECT_NE(NULL, strstr(line, "name=\"the root\""));

	line = one_event(self, "ctx_create", ctx_id(child));
	EXPECT_EQ((long long)ctx_id(root), field(line, "parent"));
	EXPECT_EQ(1, field(line, "depth"));
	EXPECT_EQ(CTX_CREATE_DETACHED, field(line, "flags"));
	EXPECT_NE(NULL, strstr(line, "name=\"the child\""));

	line = one_event(self, "ctx_create", ctx_id(merged));
	EXPECT_EQ((long long)ctx_id(child), field(line, "parent"));
	EXPECT_EQ(2, field(line, "depth"));
	EXPECT_NE(NULL, strstr(line, "name=\"\""));
	close(merged);
	close(child);
	close(root);
}

TEST_F(tracing, create_tells_nothing_of_what_failed)
{
	struct ctx_value bad = ctx_value_of("", "", 0);
	int nr = 0, fd;
	char *at;

	needs_tracefs(self);
	check_errno(EINVAL, ctx_new_values(self->dev, &bad, 1));
	check_errno(EBADF, ctx_new_merged2(self->dev, -1));
	for (at = read_instance(self, "trace"); (at = strstr(at, " ctx_create: ")); at++)
		nr++;
	EXPECT_EQ(0, nr);
	fd = ctx_new(self->dev);
	one_event(self, "ctx_create", ctx_id(fd));
	close(fd);
}

TEST_F(tracing, cancel_tells_why_and_in_which_process)
{
	int root;
	pid_t pid;
	char *line, task[32];

	needs_tracefs(self);
	root = ctx_new_named(self->dev, "the root");
	in_child(pid)
		EXPECT_EQ(0, ctx_cancel(root, 77, "tired \" of\nit"));
	check_child(pid);
	line = one_event(self, "ctx_cancel", ctx_id(root));
	EXPECT_EQ(pid, field(line, "canceller"));
	EXPECT_NE(NULL, strstr(line, "message=\"tired ? of?it\""));
	EXPECT_EQ((long long)ctx_id(root), field(line, "origin"));
	EXPECT_EQ(ECANCELED, field(line, "err"));
	EXPECT_EQ(77, field(line, "cause"));
	EXPECT_NE(NULL, strstr(line, "name=\"the root\""));
	/* COMMAND-PID, at the line's beginning */
	snprintf(task, sizeof(task), "-%d ", pid);
	EXPECT_NE(NULL, strstr(line, task));
	close(root);
}

TEST_F(tracing, cancel_tells_of_a_deadline)
{
	int root;
	char *line;

	needs_tracefs(self);
	root = ctx_new_timeout(self->dev, NSEC_PER_MSEC);
	check_becomes_cancelled(root, ETIMEDOUT, ETIMEDOUT, ctx_id(root));
	line = one_event(self, "ctx_cancel", ctx_id(root));
	EXPECT_EQ(ETIMEDOUT, field(line, "err"));
	EXPECT_EQ(0, field(line, "canceller"));
	EXPECT_NE(NULL, strstr(line, "message=\"\""));
	EXPECT_EQ(ETIMEDOUT, field(line, "cause"));
	close(root);
}

TEST_F(tracing, cancel_tells_of_a_release)
{
	int root, watch;
	__u64 id;

	needs_tracefs(self);
	root = ctx_new(self->dev);
	watch = ctx_watch(root, 0);
	id = ctx_id(root);
	close(root);
	EXPECT_EQ(EOWNERDEAD, field(one_event(self, "ctx_cancel", id), "cause"));
	one_event(self, "ctx_release", id);
	close(watch);
}

TEST_F(tracing, cancel_tells_of_it_once)
{
	int root, child;

	needs_tracefs(self);
	root = ctx_new(self->dev);
	child = ctx_new(root);
	EXPECT_EQ(0, ctx_cancel(root, 0, NULL));
	EXPECT_EQ(1, ctx_cancel(root, 0, NULL));
	EXPECT_EQ(1, ctx_cancel(child, 0, NULL));
	one_event(self, "ctx_cancel", ctx_id(root));
	close(child);
	close(root);
}

TEST_F(tracing, cancel_tells_which_further_parent_reached_a_merged_context)
{
	int parent, merged;
	char *line;

	needs_tracefs(self);
	parent = ctx_new(self->dev);
	merged = ctx_new_merged2(self->dev, parent);
	EXPECT_EQ(0, ctx_cancel(parent, 77, NULL));
	line = one_event(self, "ctx_cancel", ctx_id(merged));
	EXPECT_EQ((long long)ctx_id(parent), field(line, "origin"));
	EXPECT_EQ(77, field(line, "cause"));
	close(merged);
	close(parent);
}

TEST_F(tracing, wake_tells_how_many_it_reached_and_woke)
{
	struct epoll_event event = { .events = EPOLLIN };
	int fds[200], root, ep, i;
	char *line;

	needs_tracefs(self);
	root = ctx_new(self->dev);
	ep = epoll_create1(EPOLL_CLOEXEC);
	/* Somebody waits for each third of them. */
	for (i = 0; i < 200; i++) {
		fds[i] = ctx_new(root);
		ASSERT_LE(0, fds[i]);
		if (i % 3 == 0)
			ASSERT_EQ(0, epoll_ctl(ep, EPOLL_CTL_ADD, fds[i], &event));
	}
	EXPECT_EQ(0, ctx_cancel(root, 0, NULL));
	line = one_event(self, "ctx_wake", ctx_id(root));
	EXPECT_EQ((long long)ctx_id(root), field(line, "origin"));
	EXPECT_EQ(201, field(line, "reached"));
	EXPECT_EQ(67, field(line, "woken"));
	EXPECT_LE(0, field(line, "ns"));
	for (i = 0; i < 200; i++)
		close(fds[i]);
	close(ep);
	close(root);
}

TEST_F(tracing, wake_counts_what_is_below_a_further_parent)
{
	int parent, merged, below[3], i;

	needs_tracefs(self);
	parent = ctx_new(self->dev);
	merged = ctx_new_merged2(self->dev, parent);
	for (i = 0; i < 3; i++)
		below[i] = ctx_new(merged);
	EXPECT_EQ(0, ctx_cancel(parent, 0, NULL));
	EXPECT_EQ(5, field(one_event(self, "ctx_wake", ctx_id(parent)), "reached"));
	for (i = 0; i < 3; i++)
		close(below[i]);
	close(merged);
	close(parent);
}

TEST_F(tracing, release_tells_of_the_writable_descriptor_alone)
{
	int root, watch;
	__u64 id;
	char *line;

	needs_tracefs(self);
	root = ctx_create(self->dev, &(struct ctx_create_args){
		.flags = CTX_CREATE_DETACHED, .name = "the root",
	});
	watch = ctx_watch(root, 0);
	id = ctx_id(root);
	close(watch);
	no_event(self, "ctx_release", id);
	close(dup(root));
	no_event(self, "ctx_release", id);
	close(root);
	line = one_event(self, "ctx_release", id);
	EXPECT_EQ(CTX_CREATE_DETACHED, field(line, "flags"));
	EXPECT_NE(NULL, strstr(line, "name=\"the root\""));
	no_event(self, "ctx_cancel", id);
}

TEST_F(tracing, events_can_be_filtered_by_their_fields)
{
	int fds[2];

	needs_tracefs(self);
	ASSERT_EQ(0, ctx_write_file(self->instance, "events/ctx/ctx_cancel/filter",
				    "cause == 77 && name == \"chosen\""));
	fds[0] = ctx_new_named(self->dev, "chosen");
	fds[1] = ctx_new_named(self->dev, "other");
	EXPECT_EQ(0, ctx_cancel(fds[0], 77, NULL));
	EXPECT_EQ(0, ctx_cancel(fds[1], 77, NULL));
	one_event(self, "ctx_cancel", ctx_id(fds[0]));
	no_event(self, "ctx_cancel", ctx_id(fds[1]));
	close(fds[0]);
	close(fds[1]);
}

TEST_F(tracing, perf_counts_them)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_TRACEPOINT,
		.size = sizeof(attr),
	};
	__u64 count = 0;
	int perf, fds[5], i, cpu = sched_getcpu();
	cpu_set_t one;

	needs_tracefs(self);
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	ASSERT_EQ(0, sched_setaffinity(0, sizeof(one), &one));
	attr.config = atoi(read_instance(self, "events/ctx/ctx_create/id"));
	/* Of a CPU: for one of a task the kernel patches its scheduler, see qemu/boot. */
	perf = syscall(SYS_perf_event_open, &attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);
	if (perf < 0)
		SKIP(return, "there are no perf events: %s", strerror(errno));
	for (i = 0; i < 5; i++)
		fds[i] = ctx_new(i ? fds[i - 1] : self->dev);
	EXPECT_EQ(sizeof(count), read(perf, &count, sizeof(count)));
	EXPECT_EQ(5, count);
	close(perf);
	while (i--)
		close(fds[i]);
}

/* As it stands in Documentation/ctx.rst, of which scripts/check-docs sees to it. */
#define COMMAND	"cd /sys/kernel/tracing && echo 1 >events/ctx/enable && read -r _; cat trace"

/* Starts the command; *in is what it reads, *out what it prints. */
static pid_t start_command(int *in, int *out)
{
	int input[2], output[2];
	pid_t pid;

	if (pipe2(input, O_CLOEXEC) || pipe2(output, O_CLOEXEC))
		return -1;
	pid = fork();
	if (!pid) {
		dup2(input[0], STDIN_FILENO);
		dup2(output[1], STDOUT_FILENO);
		execl("/bin/sh", "sh", "-c", COMMAND, NULL);
		_exit(127);
	}
	close(input[0]);
	close(output[1]);
	*in = input[1];
	*out = output[0];
	return pid;
}

static bool events_are_on(void)
{
	char on = '0';
	int fd = open(TRACEFS "/events/ctx/enable", O_RDONLY | O_CLOEXEC);

	if (read(fd, &on, 1) != 1)
		on = '0';
	close(fd);
	return on == '1';
}

TEST_F(tracing, the_command_of_the_page_says_who_cancelled_and_what_it_reached)
{
	int root = ctx_new(self->dev), child = ctx_new(root), in, out;
	char cancelled[96], woke[96];
	size_t len = 0;
	ssize_t n;
	pid_t pid;

	needs_tracefs(self);
	ctx_write_file(TRACEFS, "trace", "\n");
	pid = start_command(&in, &out);
	ASSERT_LT(0, pid);
	while (!events_are_on())
		sched_yield();
	EXPECT_EQ(0, ctx_cancel(root, EIO, NULL));
	/* The line that it waits for, and the end of its input */
	EXPECT_EQ(1, write(in, "\n", 1));
	close(in);
	while ((n = read(out, self->trace + len, TRACE_SIZE - 1 - len)) > 0)
		len += n;
	self->trace[len] = '\0';
	close(out);
	EXPECT_EQ(pid, waitpid(pid, NULL, 0));
	ctx_write_file(TRACEFS, "events/ctx/enable", "0");

	snprintf(cancelled, sizeof(cancelled), "ctx_cancel: id=%llu origin=%llu err=125 cause=5 ",
		 ctx_id(root), ctx_id(root));
	snprintf(woke, sizeof(woke), "ctx_wake: id=%llu origin=%llu reached=2 ",
		 ctx_id(root), ctx_id(root));
	EXPECT_NE(NULL, strstr(self->trace, cancelled));
	EXPECT_NE(NULL, strstr(self->trace, woke));
	close(child);
	close(root);
}

TEST_HARNESS_MAIN
