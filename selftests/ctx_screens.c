// SPDX-License-Identifier: GPL-2.0-only
/*
 * The commands on a terminal.
 *
 * What they print on terminals of several widths is kept in screens/.
 */
#include "ctx_command.h"

FIXTURE(ctx) {
	int dev;
};

FIXTURE_SETUP(ctx)
{
	forget_variables();
	self->dev = ctx_background();
	ASSERT_LE(0, self->dev);
	prctl(PR_SET_NAME, "tester");
}

FIXTURE_TEARDOWN(ctx)
{
}

/* One of so many columns, in a mount namespace of our own. -1 where there can be none. */
static int terminal(int *user, unsigned short columns)
{
	struct winsize size = { .ws_row = 10, .ws_col = columns };
	int fd;

	if (access("/dev/pts/ptmx", F_OK)) {
		if (unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL))
			return -1;
		mkdir("/dev/pts", 0755);
		if (mount("devpts", "/dev/pts", "devpts", 0, "ptmxmode=666"))
			return -1;
	}
	fd = open("/dev/pts/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (fd < 0 || unlockpt(fd) || ioctl(fd, TIOCSWINSZ, &size))
		return -1;
	*user = ioctl(fd, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	return fd;
}

/* Reads until @n of @part have come, or all where it is NULL. */
static bool read_until(int fd, const char *part, unsigned int n, char *text, size_t size)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	size_t len = 0;
	ssize_t ret;

	while (len < size - 1 && poll(&pfd, 1, CTX_WAIT_MS) == 1) {
		ret = read(fd, text + len, size - 1 - len);
		if (ret <= 0)
			break;
		len += ret;
		text[len] = '\0';
		if (part && count(text, part) >= n)
			return true;
	}
	text[len] = '\0';
	if (part)
		fprintf(stderr, "# no %s in: %s\n", part, text);
	return !part;
}

/* Runs it on a terminal and waits for @part to be there @n times. */
#define check_on_terminal(n, part, ...) \
	check_on_terminal_saying("", n, part, ##__VA_ARGS__)

/* The same; what it says on stderr comes at its end, which is then waited for. */
#define check_on_terminal_saying(said, n, part, ...) ({			\
	static char __text[65536];					\
	struct tool __tool = { .status = -1 };				\
	int __fd = terminal(&__tool.out_fd, 40);			\
									\
	if (__fd < 0)							\
		SKIP(return, "no pseudo terminals");			\
	__tool.err_fd = memfd_create("err", MFD_CLOEXEC);		\
	tool_exec(&__tool, (char *[]){ "ctx", __VA_ARGS__, NULL });	\
	EXPECT_TRUE(read_until(__fd, (part), (n), __text, sizeof(__text)));	\
	if (!*(said))							\
		kill(__tool.pid, SIGTERM);				\
	tool_end(&__tool);						\
	check_text((said), __tool.err);					\
	close(__fd);							\
})

TEST_F(ctx, tree_has_colours_on_a_terminal)
{
	int fd = new(self->dev, "a");

	EXPECT_LE(0, fd);
	setenv("TERM", "xterm", 1);
	check_on_terminal(1, " a    \033[32malive\033[0m ", "tree");
	check_on_terminal(1, " a    alive ", "tree", "--color=never");
	setenv("NO_COLOR", "", 1);
	check_on_terminal(1, " a    \033[32malive\033[0m ", "tree");
	setenv("NO_COLOR", "1", 1);
	check_on_terminal(1, " a    alive ", "tree");
	check_on_terminal(1, " a    \033[32malive\033[0m ", "tree", "--color=always");
	unsetenv("NO_COLOR");
	setenv("TERM", "dumb", 1);
	check_on_terminal(1, " a    alive ", "tree");
}

TEST_F(ctx, tree_watches_on_a_terminal)
{
	int fd[12], n;

	for (n = 0; n < 12; n++)
		fd[n] = new(self->dev, format("n%d", n));
	ASSERT_LE(0, fd[11]);
	/* Home again and again; nine lines at most, and what stands for the others. */
	check_on_terminal(3, "\033[H\033[?7lID", "tree", "--watch=0.01");
	check_on_terminal(2, " n7   alive", "tree", "--watch=0.01");
	check_on_terminal(2, "\n...\033[?7h\033[J", "tree", "--watch=0.01");
}

TEST_F(ctx, tree_leaves_room_beside_its_lines)
{
	int fd = self->dev, n;

	for (n = 0; n < 20; n++)
		fd = new(fd, "");
	ASSERT_LE(0, fd);
	/* 40 columns */
	check_on_terminal_saying("ctx tree: 11 more lie deeper than fits here; --depth shows "
				 "them\n", 9, " alive ", "tree");
}

#define MAKER_PID	1	/* in its own pid namespace */

/* Contexts of all kinds; the first is returned. */
static int make_contexts(int dev)
{
	static const char wide[] = "キャンセル文脈";
	int build, compile, link, test;

	build = new(dev, "build");
	ctx_set_timeout(build, 2 * HOUR + 1800 * NSEC_PER_SEC);
	compile = new(build, "compile all of the sources");
	ctx_cancel(new(compile, "a.c b.c"), CAUSE, "the client has gone, and nobody waits for it");
	link = new(build, wide);
	new(compile, "\033[31m");
	test = new(dev, "test");
	ctx_set_timeout(new(test, "slow"), 0);
	merged(test, (int []){ build, link }, 2);
	ctx_cancel(new(dev, "third"), 70000, "メッセージは端末の幅で切られる");
	return build;
}

/* All ids and pids have the same width: four digits, and one. */
static void use_up_ids(int dev, __u64 least)
{
	int fd;

	do {
		fd = new(dev, "");
		least = ctx_id(fd) < least ? least : 0;
		close(fd);
	} while (least);
}

/* The ids from @first on become those from 1001 on. */
static void count_from_1001(char *text, __u64 first)
{
	char *digits;
	__u64 id;

	for (; *text; text += *text ? 1 : 0) {
		if (*text < '0' || *text > '9')
			continue;
		digits = text;
		id = strtoull(digits, &text, 10);
		if (text - digits == 4 && id >= first && id < first + 100)
			memcpy(digits, format("%llu", id - first + 1001), 4);
		if (!*text)
			break;
	}
}

/*
 * What a terminal of so many columns shows of the command, without carriage returns: all of its
 * output. Where @columns are fewer than the lines have, it is the terminal that wraps them.
 */
static char *screen(char *const argv[], unsigned short columns)
{
	struct tool tool = { .status = -1 };
	int fd = terminal(&tool.out_fd, columns);
	char *text = calloc(1, 65536), *from, *to;

	if (fd < 0 || !text)
		return NULL;
	tool.err_fd = dup(tool.out_fd);
	tool_exec(&tool, argv);
	close(tool.out_fd);
	close(tool.err_fd);
	tool.out_fd = memfd_create("none", MFD_CLOEXEC);
	tool.err_fd = memfd_create("none", MFD_CLOEXEC);
	read_until(fd, NULL, 0, text, 65536);
	tool_end(&tool);
	close(fd);
	for (from = to = text; *from; from++)
		if (*from != '\r')
			*to++ = *from;
	*to = '\0';
	return text;
}

static char *kept_screen(const char *name)
{
	char path[PATH_MAX] = "";
	int fd;

	if (readlink("/proc/self/exe", path, sizeof(path) - 64) > 0)
		*strrchr(path, '/') = '\0';
	fd = open(format("%s/screens/%s.txt", path, name), O_RDONLY | O_CLOEXEC);
	return fd < 0 ? "" : tool_text(fd);
}

static const unsigned short widths[] = { 44, 80, 200 };

/*
 * Runs the block that follows in namespaces of its own: the maker's pid is always the same, and
 * others' contexts are not there. It does not see its parent, so in_child() is not for it.
 */
#define in_namespaces(pid)						\
	ASSERT_EQ(0, unshare(CLONE_NEWPID));				\
	for ((pid) = fork(); (pid) == 0 && hide_others();		\
	     _exit(_metadata->passed && getpid() == MAKER_PID ? 0 : 1))

static bool hide_others(void)
{
	return !unshare(CLONE_NEWNS) && !mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) &&
	       !mount("proc", "/proc", "proc", 0, NULL);
}

TEST_F(ctx, screens_are_as_kept)
{
	static char *const commands[] = { "tree", "ls" };
	unsigned int i;
	__u64 first;
	pid_t pid;

	if (geteuid())
		SKIP(return, "needs root");
	use_up_ids(self->dev, 999);
	setenv("LC_ALL", "C.UTF-8", 1);
	in_namespaces(pid) {
		first = ctx_id(make_contexts(self->dev));
		for (i = 0; i < 6 && first < 9900; i++) {
			char *seen = screen((char *[]){ "ctx", commands[i / 3], NULL }, widths[i % 3]);

			ASSERT_TRUE(seen);
			count_from_1001(seen, first);
			check_text(kept_screen(format("%s-%u", commands[i / 3], widths[i % 3])), seen);
		}
	}
	check_child(pid);
}

/* Puts @with in the place of what follows the key in each such line that is not "-". */
static char *with_lines(const char *text, const char *key, const char *with)
{
	char *copy = calloc(2, strlen(text) + 1), *end = copy;
	size_t n, len = strlen(key);

	for (; *text; text += n) {
		n = strcspn(text, "\n");
		n += text[n] == '\n';
		if (!strncmp(text, key, len) && strncmp(text + len, "-\n", 2))
			end += sprintf(end, "%s%s\n", key, with);
		else
			end = mempcpy(end, text, n);
	}
	return copy;
}

/* Lines that are not cut are the same on each terminal. */
#define check_lines(name, first, ...) ({				\
	unsigned int __i;						\
	char *__screen;							\
									\
	for (__i = 0; __i < 3; __i++) {					\
		__screen = screen((char *[]){ "ctx", __VA_ARGS__, NULL }, widths[__i]); \
		ASSERT_TRUE(__screen);					\
		count_from_1001(__screen, (first));			\
		__screen = with_lines(__screen, "cancelled:  ", "0.1s ago");	\
		__screen = with_lines(__screen, "age:        ", "0s");	\
		__screen = with_lines(__screen, "holders:    ", "1:5(tester)*"); \
		check_text(kept_screen(name), __screen);			\
	}								\
})

static int new_valued(int dev)
{
	static const char text[] = "alice \u8cc7\u6599 \033[2J";
	struct ctx_value value = {
		.key = (uintptr_t)"user", .data = (uintptr_t)text, .size = strlen(text),
	};
	struct ctx_create_args args = {
		.fd_flags = CTX_CLOEXEC, .nr_values = 1, .values = (uintptr_t)&value,
	};

	return ctx_create(dev, &args);
}

TEST_F(ctx, lines_are_whole_on_each_terminal)
{
	__u64 first;
	pid_t pid;

	if (geteuid())
		SKIP(return, "needs root");
	use_up_ids(self->dev, 999);
	setenv("LC_ALL", "C.UTF-8", 1);
	in_namespaces(pid) {
		first = ctx_id(make_contexts(self->dev));
		ASSERT_GT(9900, first);
		check_lines("info", first, "info", format("%llu", first), "a.c b.c", "third");
		check_lines("wait", first, "wait", "a.c b.c", "third", "slow");
		check_lines("deadline", first, "deadline", "build");
		check_lines("cancel", first, "cancel", "third");
		check_lines("value", first, "value", by_id(new_valued(self->dev)), "user");
		check_lines("help", first, "help");
	}
	check_child(pid);
}

/* Up to the first line's end: a slow machine may be told of later who is waited for. */
TEST_F(ctx, what_run_says_is_whole_on_each_terminal)
{
	unsigned int i;
	char *seen, *pid;

	for (i = 0; i < 3; i++) {
		seen = screen((char *[]){ "ctx", "run", "-v", "-t", "0.1s", "sleep", "1000", NULL },
			      widths[i]);
		ASSERT_TRUE(seen);
		if (strchr(seen, '\n'))
			strchr(seen, '\n')[1] = '\0';
		pid = strpbrk(seen, "123456789");
		if (pid)
			memmove(pid + 1, pid + strspn(pid, "0123456789"),
				strlen(pid + strspn(pid, "0123456789")) + 1);
		if (pid)
			*pid = '1';
		check_text(kept_screen("run"), seen);
	}
}

TEST_HARNESS_MAIN
