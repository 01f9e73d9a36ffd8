// SPDX-License-Identifier: GPL-2.0-only
/*
 * ctx tree and ctx ls on a terminal.
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

/* What a terminal of so many columns shows, without carriage returns. */
static char *screen(char *command, unsigned short columns)
{
	struct tool tool = { .status = -1 };
	int fd = terminal(&tool.out_fd, columns);
	char *text = calloc(1, 65536), *from, *to;

	if (fd < 0 || !text)
		return NULL;
	tool.err_fd = memfd_create("err", MFD_CLOEXEC);
	tool_exec(&tool, (char *[]){ "ctx", command, NULL });
	close(tool.out_fd);
	tool.out_fd = memfd_create("none", MFD_CLOEXEC);
	read_until(fd, NULL, 0, text, 65536);
	tool_end(&tool);
	close(fd);
	for (from = to = text; *from; from++)
		if (*from != '\r')
			*to++ = *from;
	*to = '\0';
	if (tool.status || *tool.err)
		fprintf(stderr, "# %d %s\n", tool.status, tool.err);
	return text;
}

static char *screen_file(const char *command, unsigned short columns)
{
	char path[PATH_MAX] = "";
	int fd;

	if (readlink("/proc/self/exe", path, sizeof(path) - 64) > 0)
		*strrchr(path, '/') = '\0';
	fd = open(format("%s/screens/%s-%u.txt", path, command, columns), O_RDONLY | O_CLOEXEC);
	return fd < 0 ? NULL : tool_text(fd);
}

/* In namespaces of its own the maker's pid is always the same, and others' contexts are not. */
TEST_F(ctx, screens_are_as_kept)
{
	static const unsigned short columns[] = { 44, 80, 200 };
	static char *const commands[] = { "tree", "ls" };
	unsigned int i;
	__u64 first;
	pid_t pid;

	if (geteuid())
		SKIP(return, "needs root");
	use_up_ids(self->dev, 999);
	setenv("LC_ALL", "C.UTF-8", 1);
	ASSERT_EQ(0, unshare(CLONE_NEWPID));
	/* It does not see its parent, so in_child() is not for it. */
	pid = fork();
	if (!pid) {
		ASSERT_TRUE(!unshare(CLONE_NEWNS) &&
			    !mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL));
		first = ctx_id(make_contexts(self->dev));
		ASSERT_EQ(MAKER_PID, getpid());
		ASSERT_EQ(0, mount("proc", "/proc", "proc", 0, NULL));
		for (i = 0; i < 6 && first < 9900; i++) {
			char *kept = screen_file(commands[i / 3], columns[i % 3]);
			char *seen = screen(commands[i / 3], columns[i % 3]);

			ASSERT_TRUE(seen);
			count_from_1001(seen, first);
			check_text(kept ?: "", seen);
		}
		_exit(_metadata->passed ? 0 : 1);
	}
	check_child(pid);
}

TEST_HARNESS_MAIN
