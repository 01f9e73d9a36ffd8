// SPDX-License-Identifier: GPL-2.0-only
/*
 * ctx log: who cancels what, why, and how far that reaches, as it happens.
 */
#include "ctx_features.h"
#include "ctx_json.h"
#include "ctx_screen.h"

#include <ctype.h>
#include <grp.h>
#include <sched.h>

#define INSTANCES	"/sys/kernel/tracing/instances"
#define NOBODY		65534
/* More than the buffers of all processors have room for. */
#define FLOOD		20000

static char *format(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Tests are short: what this returns is not freed. */
static char *format(const char *fmt, ...)
{
	va_list args;
	char *text;

	va_start(args, fmt);
	if (vasprintf(&text, fmt, args) < 0)
		abort();
	va_end(args);
	return text;
}

FIXTURE(log) {
	int dev;
};

FIXTURE_SETUP(log)
{
	static const char *const variables[] = { "LC_ALL", "LC_CTYPE", "LANG", "TZ", "CTX_FD" };
	unsigned int i;

	for (i = 0; i < ctx_array_size(variables); i++)
		unsetenv(variables[i]);
	prctl(PR_SET_NAME, "tester");
	if (access(INSTANCES, F_OK))
		mount("tracefs", "/sys/kernel/tracing", "tracefs", 0, NULL);
	if (access(INSTANCES, W_OK))
		SKIP(return, "no instance of tracefs can be made");
	self->dev = ctx_background();
	ASSERT_LE(0, self->dev);
}

FIXTURE_TEARDOWN(log)
{
	close(self->dev);
}

static int new(int parent, const char *name)
{
	int fd = ctx_new_named(parent, name);

	fcntl(fd, F_SETFD, FD_CLOEXEC);
	return fd;
}

/* The instance of the process; NULL where there is none. */
static char *instance_of(pid_t pid)
{
	char *prefix = format("ctx-log-%d-", pid), *found = NULL;
	struct dirent *entry;
	DIR *dir = opendir(INSTANCES);

	while (dir && !found && (entry = readdir(dir)))
		if (!strncmp(entry->d_name, prefix, strlen(prefix)))
			found = format(INSTANCES "/%s", entry->d_name);
	closedir(dir);
	return found;
}

/* The number of instances of all processes. */
static unsigned int nr_instances(void)
{
	struct dirent *entry;
	DIR *dir = opendir(INSTANCES);
	unsigned int nr = 0;

	while (dir && (entry = readdir(dir)))
		nr += !strncmp(entry->d_name, "ctx-log-", strlen("ctx-log-"));
	closedir(dir);
	return nr;
}

/* Waits until the process sees events, of which @last is what it turns on last. */
static bool wait_for_log(pid_t pid, const char *last)
{
	__u64 end = ctx_clock(CLOCK_MONOTONIC) + TOOL_WAIT_MS * NSEC_PER_MSEC;
	char *instance, on = '0';
	int fd;

	while (on != '1' && ctx_clock(CLOCK_MONOTONIC) < end) {
		usleep(1000);
		instance = instance_of(pid);
		if (!instance)
			continue;
		fd = open(format("%s/events/ctx/%s/enable", instance, last), O_RDONLY | O_CLOEXEC);
		if (read(fd, &on, 1) != 1)
			on = '0';
		close(fd);
	}
	return on == '1';
}

#define start_log(log, ...) ({						\
	tool_start((log), (char *[]){ "ctx", "log", ##__VA_ARGS__, NULL });	\
	ASSERT_TRUE(wait_for_log((log)->pid, "ctx_wake"));		\
})

/* Whether the word is a time, as 12:34:56.123456, or how long something took, as 1.5ms. */
static bool is_time(const char *word)
{
	static const char shape[] = "00:00:00.000000";
	size_t i;

	for (i = 0; shape[i]; i++)
		if (shape[i] == '0' ? !isdigit((unsigned char)word[i]) : word[i] != shape[i])
			return false;
	return true;
}

static bool is_took(const char *word)
{
	size_t n = strspn(word, "0123456789.");

	if (!n)
		return false;
	n += word[n] == 'u' || word[n] == 'm';
	return word[n] == 's' && strchr("\r\n", word[n + 1]);
}

/* Text with others in the place of all times, which are never the same twice. */
static char *with_times(const char *text, const char *time, const char *took)
{
	char *copy = calloc(4, strlen(text) + 1), *end = copy;
	size_t n;

	for (; *text; text += n) {
		n = strcspn(text, " \r\n");
		n += !n;
		if (is_time(text))
			end = stpcpy(end, time);
		else if (is_took(text))
			end = stpcpy(end, took);
		else
			end = mempcpy(end, text, n);
	}
	return copy;
}

/* It ends by itself, has told that, and left nothing behind. */
#define check_log(log, expected) ({					\
	tool_end(log);							\
	check_text("", (log)->err);					\
	check_text((expected), with_times((log)->out, "TIME", "TOOK"));			\
	EXPECT_EQ(0, (log)->status);					\
	EXPECT_EQ(0, nr_instances());					\
	tool_free(log);							\
})

#define ONE	"  1 context, 0 waited for, TOOK\n"

TEST_F(log, cancellation_is_told_with_its_message_and_who_cancelled)
{
	int job = new(self->dev, "the job");
	struct tool log;
	pid_t pid;

	start_log(&log, "-c1");
	in_child(pid) {
		prctl(PR_SET_NAME, "killer");
		EXPECT_EQ(0, ctx_cancel(job, EPIPE, "the client hung up"));
	}
	check_child(pid);
	check_log(&log, format("TIME  #%llu \"the job\"  cancelled EPIPE \"the client hung up\""
			       "  by %d(killer)" ONE, ctx_id(job), pid));
	close(job);
}

TEST_F(log, who_cancelled_is_named_as_he_was_then)
{
	int job = new(self->dev, "job");
	struct tool log;
	pid_t pid;

	start_log(&log, "-c1");
	kill(log.pid, SIGSTOP);
	in_child(pid) {
		prctl(PR_SET_NAME, "killer");
		EXPECT_EQ(0, ctx_cancel(job, 4711, NULL));
		prctl(PR_SET_NAME, "angel");
	}
	check_child(pid);
	kill(log.pid, SIGCONT);
	check_log(&log, format("TIME  #%llu job  cancelled 4711  by %d(killer)" ONE,
			       ctx_id(job), pid));
	close(job);
}

TEST_F(log, deadline_is_told_as_nobodys)
{
	int job = new(self->dev, "job");
	struct tool log;

	start_log(&log, "-c1");
	EXPECT_EQ(0, ctx_set_timeout(job, NSEC_PER_MSEC));
	check_log(&log, format("TIME  #%llu job  timed out" ONE, ctx_id(job)));
	close(job);
}

TEST_F(log, end_of_the_owner_is_told)
{
	int job = new(self->dev, "job"), watch = ctx_watch(job, CTX_CLOEXEC);
	struct tool log;

	start_log(&log, "-c1");
	close(job);
	check_log(&log, format("TIME  #%llu job  cancelled EOWNERDEAD  by %d(tester)" ONE,
			       ctx_id(watch), getpid()));
	close(watch);
}

TEST_F(log, it_tells_how_many_were_reached_and_waited_for)
{
	struct epoll_event event = { .events = EPOLLIN };
	int job = new(self->dev, "job"), ep = epoll_create1(EPOLL_CLOEXEC), step[9], i;
	struct tool log;

	for (i = 0; i < 9; i++) {
		step[i] = new(job, "step");
		if (i % 3 == 0)
			ASSERT_EQ(0, epoll_ctl(ep, EPOLL_CTL_ADD, step[i], &event));
	}
	start_log(&log, "-c1");
	EXPECT_EQ(0, ctx_cancel(job, 0, NULL));
	check_log(&log, format("TIME  #%llu job  cancelled  by %d(tester)"
			       "  10 contexts, 3 waited for, TOOK\n", ctx_id(job), getpid()));
	while (i--)
		close(step[i]);
	close(ep);
	close(job);
}

TEST_F(log, lines_are_there_as_it_happens)
{
	struct tool log;
	int i, fd;

	start_log(&log, "--count=3");
	for (i = 0; i < 3; i++) {
		fd = new(self->dev, format("n%d", i));
		EXPECT_EQ(0, ctx_cancel(fd, 0, NULL));
		close(fd);
		if (i < 2)
			EXPECT_TRUE(tool_says(&log, format(" n%d  cancelled  by ", i)));
	}
	tool_end(&log);
	EXPECT_EQ(0, log.status);
	tool_free(&log);
}

TEST_F(log, names_and_ids_choose)
{
	int a = new(self->dev, "a"), b = new(self->dev, "b"), c = new(self->dev, "c");
	int quoted = new(self->dev, "\"quoted\"");
	struct tool log;

	start_log(&log, "-c3", "b", format("#%llu", ctx_id(c)), "\"quoted\"");
	EXPECT_EQ(0, ctx_cancel(a, 1, NULL));
	EXPECT_EQ(0, ctx_cancel(b, 2, NULL));
	EXPECT_EQ(0, ctx_cancel(c, 3, NULL));
	EXPECT_EQ(0, ctx_cancel(quoted, 4, NULL));
	check_log(&log, format("TIME  #%llu b  cancelled ENOENT  by %d(tester)" ONE
			       "TIME  #%llu c  cancelled ESRCH  by %d(tester)" ONE
			       "TIME  #%llu ?quoted?  cancelled EINTR  by %d(tester)" ONE,
			       ctx_id(b), getpid(), ctx_id(c), getpid(), ctx_id(quoted), getpid()));
	close(a);
	close(b);
	close(c);
	close(quoted);
}

TEST_F(log, names_and_ids_choose_what_is_cancelled_with_one_above)
{
	int job = new(self->dev, "job"), step = new(job, "a\nb"), other = new(step, "other");
	int merged = ctx_new_merged2(self->dev, other);
	struct tool log;

	fcntl(merged, F_SETFD, FD_CLOEXEC);
	start_log(&log, "-c2", "a\nb", format("%llu", ctx_id(merged)));
	EXPECT_EQ(0, ctx_cancel(job, EIO, "disk 3"));
	check_log(&log, format("TIME  #%llu a\\012b  cancelled EIO \"disk 3\"  with #%llu  by %d(tester)\n"
			       "TIME  #%llu -  cancelled EIO \"disk 3\"  with #%llu  by %d(tester)\n",
			       ctx_id(step), ctx_id(job), getpid(), ctx_id(merged), ctx_id(job),
			       getpid()));
	close(merged);
	close(other);
	close(step);
	close(job);
}

TEST_F(log, it_sleeps_while_nothing_happens)
{
	struct tool log;

	start_log(&log);
	EXPECT_EQ(0, ctx_wait_in_syscall(log.pid, log.pid, SYS_poll));
	kill(log.pid, SIGINT);
	tool_end(&log);
	tool_free(&log);
}

TEST_F(log, all_tells_of_creations_and_releases)
{
	struct tool log;
	int a, b, watch;
	__u64 ids[2];

	tool_start(&log, (char *[]){ "ctx", "log", "--all", "-c5", NULL });
	ASSERT_TRUE(wait_for_log(log.pid, "ctx_release"));
	a = new(self->dev, "a");
	b = new(a, "b");
	ids[0] = ctx_id(a);
	ids[1] = ctx_id(b);
	watch = ctx_watch(a, CTX_CLOEXEC);
	close(b);
	close(a);
	check_log(&log, format("TIME  #%llu a  created  by %d(tester)\n"
			       "TIME  #%llu b  created below #%llu  by %d(tester)\n"
			       "TIME  #%llu b  released  by %d(tester)\n"
			       "TIME  #%llu a  released  by %d(tester)\n"
			       "TIME  #%llu a  cancelled EOWNERDEAD  by %d(tester)" ONE,
			       ids[0], getpid(), ids[1], ids[0], getpid(), ids[1], getpid(),
			       ids[0], getpid(), ids[0], getpid()));
	close(watch);
}

TEST_F(log, json_is_an_object_a_line)
{
	static const char *const fields[] = {
		"{\"event\":\"cancel\",\"time\":", "\"name\":\"job\"", "\"origin\":", "\"err\":125",
		"\"cause\":5,\"cause_name\":\"EIO\"", "\"message\":\"disk 3\\u", "\"reached\":1",
		"\"woken\":0", "\"took\":0.", ",\"command\":\"tester\"}",
	};
	int job = new(self->dev, "job"), timer = new(self->dev, "timer");
	char *line, *rest;
	struct tool log;
	unsigned int i;

	start_log(&log, "--json", "-c2");
	/* A line feed of C1, which is UTF-8 and no graphic character */
	EXPECT_EQ(0, ctx_cancel(job, EIO, "disk 3\xc2\x85"));
	EXPECT_EQ(0, ctx_set_timeout(timer, NSEC_PER_MSEC));
	tool_end(&log);
	line = strtok_r(log.out, "\n", &rest);
	ASSERT_NE(NULL, line);
	EXPECT_TRUE(json_is_valid(line));
	for (i = 0; i < ctx_array_size(fields); i++)
		EXPECT_NE(NULL, strstr(line, fields[i])) TH_LOG("no %s in %s", fields[i], line);
	EXPECT_NE(NULL, strstr(line, format("\"id\":%llu,", ctx_id(job))));
	EXPECT_NE(NULL, strstr(line, format("\"canceller\":{\"pid\":%d,", getpid())));
	line = strtok_r(NULL, "\n", &rest);
	ASSERT_NE(NULL, line);
	EXPECT_TRUE(json_is_valid(line));
	EXPECT_NE(NULL, strstr(line, "\"canceller\":null"));
	EXPECT_EQ(NULL, strtok_r(NULL, "\n", &rest));
	tool_free(&log);
	close(timer);
	close(job);
}

TEST_F(log, times_are_those_of_the_wall)
{
	int job = new(self->dev, "job");
	struct timespec before, after;
	double time = 0;
	struct tool log;
	char *at;

	start_log(&log, "-J", "-c1");
	clock_gettime(CLOCK_REALTIME, &before);
	EXPECT_EQ(0, ctx_cancel(job, 0, NULL));
	clock_gettime(CLOCK_REALTIME, &after);
	tool_end(&log);
	at = strstr(log.out, "\"time\":");
	if (at)
		time = strtod(at + strlen("\"time\":"), NULL);
	/* Two clocks are not read at once. */
	EXPECT_LE(before.tv_sec - 1, time);
	EXPECT_GE(after.tv_sec + 2, time);
	tool_free(&log);
	close(job);
}

TEST_F(log, what_cannot_be_shown_is_escaped)
{
	int job = new(self->dev, "a\033[2J\xff\u202e");
	struct tool log;
	pid_t pid;

	start_log(&log, "-c1");
	in_child(pid) {
		prctl(PR_SET_NAME, "\033[31mred\n1 x");
		EXPECT_EQ(0, ctx_cancel(job, EIO, "\x9b" "31m\xc3"));
	}
	check_child(pid);
	check_log(&log, format("TIME  #%llu a?[2J\\377\\342\\200\\256  cancelled EIO "
			       "\"\\23331m\\303\"  by %d(\\033[31mred\\0121 x)" ONE,
			       ctx_id(job), pid));
	close(job);
}

TEST_F(log, signals_end_it_and_leave_no_instance)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
	struct tool log;
	unsigned int i;

	for (i = 0; i < ctx_array_size(signals); i++) {
		start_log(&log);
		EXPECT_EQ(1, nr_instances());
		kill(log.pid, signals[i]);
		tool_end(&log);
		EXPECT_EQ(128 + signals[i], log.status);
		check_text("", log.err);
		EXPECT_EQ(0, nr_instances());
		tool_free(&log);
	}
}

TEST_F(log, it_ends_with_who_reads_it)
{
	struct tool log;
	int out[2];

	ASSERT_EQ(0, pipe2(out, O_CLOEXEC));
	log.out_fd = out[1];
	log.err_fd = memfd_create("err", MFD_CLOEXEC);
	tool_exec(&log, (char *[]){ "ctx", "log", NULL });
	ASSERT_TRUE(wait_for_log(log.pid, "ctx_wake"));
	close(out[0]);
	tool_end(&log);
	EXPECT_EQ(128 + SIGPIPE, log.status);
	check_text("", log.err);
	EXPECT_EQ(0, nr_instances());
	tool_free(&log);
}

/* ctx log into a pipe that has no room; @out is the end that could be read. */
static void start_unread(struct tool *log, int out[2])
{
	char lines[4096];
	int flags;

	memset(lines, '\n', sizeof(lines));
	pipe2(out, O_CLOEXEC);
	flags = fcntl(out[1], F_GETFL);
	fcntl(out[1], F_SETFL, flags | O_NONBLOCK);
	while (write(out[1], lines, sizeof(lines)) > 0)
		;
	fcntl(out[1], F_SETFL, flags);
	log->out_fd = out[1];
	log->err_fd = memfd_create("err", MFD_CLOEXEC);
	tool_exec(log, (char *[]){ "ctx", "log", NULL });
}

TEST_F(log, signals_end_it_while_nobody_reads_it)
{
	static const int signals[] = { SIGINT, SIGTERM };
	int job[] = { new(self->dev, "a"), new(self->dev, "b") }, out[2];
	struct tool log;
	unsigned int i;

	for (i = 0; i < ctx_array_size(signals); i++) {
		start_unread(&log, out);
		ASSERT_TRUE(wait_for_log(log.pid, "ctx_wake"));
		EXPECT_EQ(0, ctx_cancel(job[i], EIO, NULL));
		kill(log.pid, signals[i]);
		tool_end(&log);
		EXPECT_EQ(128 + signals[i], log.status);
		check_text("", log.err);
		EXPECT_EQ(0, nr_instances());
		tool_free(&log);
		close(out[0]);
		close(job[i]);
	}
}

TEST_F(log, who_reads_it_late_misses_nothing)
{
	int job = new(self->dev, "job"), out[2];
	struct tool log;
	FILE *in;
	char line[256] = "\n";

	start_unread(&log, out);
	ASSERT_TRUE(wait_for_log(log.pid, "ctx_wake"));
	EXPECT_EQ(0, ctx_cancel(job, EIO, "what it is about"));
	in = fdopen(out[0], "r");
	while (*line == '\n' && fgets(line, sizeof(line), in))
		;
	check_text(format("TIME  #%llu job  cancelled EIO \"what it is about\"  by %d(tester)" ONE,
			  ctx_id(job), getpid()), with_times(line, "TIME", "TOOK"));
	kill(log.pid, SIGTERM);
	tool_end(&log);
	EXPECT_EQ(128 + SIGTERM, log.status);
	tool_free(&log);
	fclose(in);
	close(job);
}

TEST_F(log, full_disk_is_told_for_what_it_is)
{
	int job = new(self->dev, "job");
	struct tool log;

	log.out_fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
	log.err_fd = memfd_create("err", MFD_CLOEXEC);
	tool_exec(&log, (char *[]){ "ctx", "log", NULL });
	ASSERT_TRUE(wait_for_log(log.pid, "ctx_wake"));
	EXPECT_EQ(0, ctx_cancel(job, 0, NULL));
	tool_end(&log);
	check_text("ctx log: cannot write the output: No space left on device\n", log.err);
	EXPECT_EQ(2, log.status);
	EXPECT_EQ(0, nr_instances());
	tool_free(&log);
	close(job);
}

TEST_F(log, what_a_killed_one_left_is_removed_by_the_next)
{
	struct tool killed, other, log;

	start_log(&killed);
	start_log(&other);
	kill(killed.pid, SIGKILL);
	tool_end(&killed);
	EXPECT_EQ(2, nr_instances());
	start_log(&log);
	/* Its own, and that of the other, which is alive. */
	EXPECT_EQ(2, nr_instances());
	EXPECT_NE(NULL, instance_of(other.pid));
	kill(log.pid, SIGINT);
	tool_end(&log);
	kill(other.pid, SIGINT);
	tool_end(&other);
	EXPECT_EQ(0, nr_instances());
	tool_free(&killed);
	tool_free(&other);
	tool_free(&log);
}

TEST_F(log, what_others_made_stays)
{
	static const char *const names[] = {
		INSTANCES "/ctx-log-mine", INSTANCES "/ctx-log-1", INSTANCES "/ctx-log-1-",
		INSTANCES "/ctx-log-1-0-old", INSTANCES "/ctx-log--0",
	};
	struct tool log;
	unsigned int i;

	for (i = 0; i < ctx_array_size(names); i++)
		ASSERT_EQ(0, mkdir(names[i], 0700));
	start_log(&log);
	kill(log.pid, SIGINT);
	tool_end(&log);
	for (i = 0; i < ctx_array_size(names); i++)
		EXPECT_EQ(0, rmdir(names[i]));
	tool_free(&log);
}

TEST_F(log, lost_events_are_told)
{
	int i, fd, last = new(self->dev, "last");
	struct tool log;

	start_log(&log, "-J", "last");
	kill(log.pid, SIGSTOP);
	for (i = 0; i < FLOOD; i++) {
		fd = ctx_new_named(self->dev, "flood");
		ctx_cancel(fd, 0, NULL);
		close(fd);
	}
	kill(log.pid, SIGCONT);
	EXPECT_EQ(0, ctx_cancel(last, 0, NULL));
	EXPECT_TRUE(tool_says(&log, "\"name\":\"last\""));
	kill(log.pid, SIGTERM);
	tool_end(&log);
	EXPECT_NE(NULL, strstr(log.out, "{\"event\":\"lost\","));
	EXPECT_NE(NULL, strstr(log.err, "ctx log: events were lost: "));
	tool_free(&log);
	close(last);
}

#define PROCESSOR	"/sys/devices/system/cpu/cpu1/online"

static bool turn_processor(const char *to)
{
	int fd = open(PROCESSOR, O_WRONLY | O_CLOEXEC);
	bool done = write(fd, to, 1) == 1;

	close(fd);
	return done;
}

static int run_there(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(1, &set);
	return sched_setaffinity(0, sizeof(set), &set);
}

TEST_F(log, processor_that_is_turned_on_later_costs_nothing_and_is_read_then)
{
	int job = new(self->dev, "job");
	struct tool log;
	pid_t pid;

	if (!turn_processor("0"))
		SKIP(return, "no processor can be turned off");
	start_log(&log, "-c1");
	EXPECT_EQ(0, ctx_wait_in_syscall(log.pid, log.pid, SYS_poll));
	ASSERT_TRUE(turn_processor("1"));
	in_child(pid) {
		EXPECT_EQ(0, run_there());
		EXPECT_EQ(0, ctx_cancel(job, EIO, NULL));
	}
	check_child(pid);
	check_log(&log, format("TIME  #%llu job  cancelled EIO  by %d(tester)" ONE,
			       ctx_id(job), pid));
	close(job);
}

TEST_F(log, it_ends_with_the_module)
{
	int file = module_open();
	struct tool log;

	if (file < 0)
		SKIP(return, "there is no module to load again");
	start_log(&log);
	close(self->dev);
	ASSERT_EQ(0, module_remove());
	tool_end(&log);
	check_text("ctx log: the module was unloaded\n", log.err);
	EXPECT_EQ(2, log.status);
	check_tool(2, "", "ctx log: there is no /dev/ctx: load the module, with 'modprobe ctx'\n",
		   "log");
	EXPECT_EQ(0, nr_instances());
	EXPECT_EQ(0, module_load(file));
	tool_free(&log);
	close(file);
	self->dev = ctx_background();
}

TEST_F(log, who_may_not_trace_is_told_so)
{
	pid_t pid;

	in_child(pid) {
		if (setgroups(0, NULL) || setresgid(NOBODY, NOBODY, NOBODY) ||
		    setresuid(NOBODY, NOBODY, NOBODY))
			_exit(1);
		check_tool(2, "", "ctx log: you may not trace the kernel, at /sys/kernel/tracing; "
			   "try as root\n", "log");
	}
	check_child(pid);
}

TEST_F(log, mistakes_are_told)
{
	check_tool(2, "", "ctx log: --count: '0' is no number over 0; try 'ctx log --help'\n",
		   "log", "-c0");
	check_tool(2, "", "ctx log: --count: '-1' is no number over 0; try 'ctx log --help'\n",
		   "log", "-c", "-1");
	check_tool(2, "", "ctx log: --all takes no argument; try 'ctx log --help'\n",
		   "log", "--all=1");
}

/* All that it wrote to the terminal until it ended */
static char *read_terminal(int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	char *text = calloc(1, 65536);
	size_t len = 0;
	ssize_t n;

	while (poll(&pfd, 1, TOOL_WAIT_MS) == 1 && len < 65535) {
		n = read(fd, text + len, 65535 - len);
		if (n <= 0)
			break;
		len += n;
	}
	return text;
}

/* Puts @with in the place of each @what in @text. */
static char *replaced(const char *text, const char *what, const char *with)
{
	char *copy = calloc(strlen(with) + 1, strlen(text) + 1), *end = copy;
	const char *at;

	for (; (at = strstr(text, what)); text = at + strlen(what))
		end = stpcpy(mempcpy(end, text, at - text), with);
	strcpy(end, text);
	return copy;
}

/*
 * What a terminal of so many columns shows of three cancellations. Ids and pids are as long as
 * they happen to be: in their place there are others.
 */
static char *log_screen(unsigned int columns, int dev)
{
	struct screen *screen = calloc(1, sizeof(*screen));
	int terminal = screen_terminal(24, columns), job[3], watch, i;
	static const char *const names[] = { "build 42", "request", "\u8cc7\u6599" };
	struct ctx_info info;
	__u64 ids[3];
	char *text;
	pid_t pid;

	if (terminal < 0)
		return strdup("there is no terminal");
	screen->rows = 24;
	screen->columns = columns;
	pid = screen_run(terminal, (char *[]){ "ctx", "log", "-c3", NULL });
	if (!wait_for_log(pid, "ctx_wake"))
		return strdup("there is no log");
	for (i = 0; i < 3; i++) {
		job[i] = new(dev, names[i]);
		ids[i] = ctx_id(job[i]);
	}
	ctx_cancel(job[0], EPIPE, "the client hung up before the answer was there");
	ctx_set_timeout(job[1], NSEC_PER_MSEC);
	/* Not by waiting for it, which is told. */
	while (!ctx_info(job[1], &info) && !info.err)
		usleep(1000);
	watch = ctx_watch(job[2], CTX_CLOEXEC);
	close(job[2]);
	text = read_terminal(terminal);
	waitpid(pid, NULL, 0);
	text = with_times(text, "12:34:56.123456", "20us");
	for (i = 0; i < 3; i++)
		text = replaced(text, format("#%llu ", ids[i]), format("#4%d ", i));
	text = replaced(text, format(" %d(", getpid()), " 4711(");
	screen_feed(screen, text, strlen(text));
	close(terminal);
	close(job[0]);
	close(job[1]);
	close(watch);
	return screen_text(screen);
}

TEST_F(log, it_fills_the_screen_of_44_columns)
{
	setenv("LC_ALL", "C.UTF-8", 1);
	check_screen("log-44.txt", log_screen(44, self->dev));
}

TEST_F(log, it_fills_the_screen_of_80_columns)
{
	setenv("LC_ALL", "C.UTF-8", 1);
	check_screen("log-80.txt", log_screen(80, self->dev));
}

TEST_F(log, it_fills_the_screen_of_200_columns)
{
	setenv("LC_ALL", "C.UTF-8", 1);
	check_screen("log-200.txt", log_screen(200, self->dev));
}

TEST_HARNESS_MAIN
