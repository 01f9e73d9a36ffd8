// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * search: looks through a tree of files with several processes, and shows what
 * a cancellation context does for them.
 *
 *	search TREE [STRING]
 *
 * The search runs three times: to its end, with a timeout that strikes in the
 * middle, and with the supervisor killed in the middle. Here is the driver: it
 * starts the supervisor, hears the reports of all, strikes, and judges. The
 * exit status is 0 where every worker did as its context said, 1 otherwise.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "search.h"

#define MSEC		UINT64_C(1000000)
#define OUTLIVES	(10000 * MSEC)	/* to run so long after the end is to outlive it */
#define STALLS		(120000 * MSEC)	/* to say nothing for so long is to hang */
#define FILES_MIN	100		/* fewer have no middle to speak of */

struct act {
	const char *title;
	const char *story;
	enum strike strike;
	uint32_t err;
	int32_t cause;
};

static const struct act acts[] = {
	{
		.title = "To completion",
		.story = "Nothing happens to the search.",
	}, {
		.title = "A timeout strikes in the middle",
		.story = "With half of the files searched, the supervisor sets a short timeout.",
		.strike = STRIKE_TIMEOUT,
		.err = ETIMEDOUT,
		.cause = ETIMEDOUT,
	}, {
		.title = "The supervisor is killed in the middle",
		.story = "With half of the files searched, the supervisor gets a SIGKILL.",
		.strike = STRIKE_KILL,
		.err = ECANCELED,
		.cause = EOWNERDEAD,
	}, {
		.title = NULL,
	},
};

/* One run of the search, as far as the reports have told. */
struct run {
	const struct act *act;
	const struct files *files;
	pid_t supervisor;
	uint64_t root;			/* id of its context; 0 not known yet */
	struct report last[WORKERS];	/* of each worker; pid 0 before the first */
	uint64_t struck_at;		/* CLOCK_MONOTONIC ns; 0 not yet */
	int orders;			/* to the supervisor */
	bool right;
};

uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

void send_report(int fd, const struct report *report)
{
	ssize_t n;

	do {
		n = write(fd, report, sizeof(*report));
	} while (n < 0 && errno == EINTR);
	if (n != (ssize_t)sizeof(*report))
		err(1, "report");
}

struct files part_of(const struct files *all, unsigned int worker)
{
	size_t first = all->n * worker / WORKERS;
	size_t end = all->n * (worker + 1) / WORKERS;

	return (struct files){ .path = all->path + first, .n = end - first };
}

/* nftw() hands its callback no pointer, so what it fills is here. */
static struct files found_files;

static int add_file(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	struct files *files = &found_files;

	(void)ftw;
	if (type != FTW_F || !S_ISREG(st->st_mode))
		return 0;
	/* The array doubles whenever its length is a power of two. */
	if (!(files->n & (files->n - 1))) {
		size_t room = files->n ? 2 * files->n : 1;
		char **grown = reallocarray(files->path, room, sizeof(*grown));

		if (!grown)
			return -1;
		files->path = grown;
	}
	files->path[files->n] = strdup(path);
	return files->path[files->n++] ? 0 : -1;
}

static const struct files *files_below(const char *tree)
{
	if (nftw(tree, add_file, 64, FTW_PHYS))
		err(1, "%s", tree);
	if (found_files.n < FILES_MIN)
		errx(1, "%s: %zu files, but it takes %d to have a middle", tree,
		     found_files.n, FILES_MIN);
	return &found_files;
}

static size_t searched_files(const struct run *run)
{
	size_t sum = 0;

	for (int i = 0; i < WORKERS; i++)
		sum += run->last[i].searched;
	return sum;
}

static int count(const struct run *run, enum report_kind kind)
{
	int n = 0;

	for (int i = 0; i < WORKERS; i++)
		n += run->last[i].pid && run->last[i].kind == kind;
	return n;
}

/* Whether all have begun and half of the files have been searched. */
static bool in_the_middle(const struct run *run)
{
	for (int i = 0; i < WORKERS; i++)
		if (!run->last[i].pid)
			return false;
	return searched_files(run) >= MIDDLE(run->files->n);
}

static void strike(struct run *run)
{
	run->struck_at = now_ns();
	if (run->act->strike == STRIKE_KILL) {
		if (kill(run->supervisor, SIGKILL))
			err(1, "kill");
	} else if (write(run->orders, "", 1) != 1) {
		err(1, "order to the supervisor");
	}
}

static void take_report(struct run *run, const struct report *report)
{
	if (report->kind == REPORT_ROOT)
		run->root = report->why.origin_id;
	else
		run->last[report->worker] = *report;
	if (run->act->strike != STRIKE_NONE && !run->struck_at && in_the_middle(run))
		strike(run);
}

/* Waits for a report until @limit, and no longer. */
static bool readable_until(int fd, uint64_t limit)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	uint64_t now;
	int n;

	do {
		now = now_ns();
		n = poll(&pfd, 1, now < limit ? (int)((limit - now) / MSEC + 1) : 0);
	} while (n < 0 && errno == EINTR);
	return n > 0;
}

/*
 * Hears all reports, and strikes when it is time. The supervisor and the
 * workers hold the other end of the pipe, and nobody else does, so that its end
 * of file is the end of the last of them: who does not let it come outlives
 * its context. False where it did not come.
 */
static bool follow(struct run *run, int reports)
{
	struct report report;
	ssize_t n;

	for (;;) {
		uint64_t limit = run->struck_at ? run->struck_at + OUTLIVES :
						  now_ns() + STALLS;

		if (!readable_until(reports, limit))
			return false;
		n = read(reports, &report, sizeof(report));
		if (n == 0)
			return true;
		if (n != (ssize_t)sizeof(report))
			err(1, "reports");
		take_report(run, &report);
	}
}

/* As subreaper the driver gets the workers too, once their parent is dead. */
static void reap(struct run *run)
{
	bool killed = run->act->strike == STRIKE_KILL;
	int status;
	pid_t pid;

	while ((pid = wait(&status)) > 0) {
		if (pid == run->supervisor && killed ?
		    WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL : status == 0)
			continue;
		printf("   WRONG: process %d ended with status %#x\n", (int)pid,
		       (unsigned int)status);
		run->right = false;
	}
}

/* Ends what did not end by itself. Nobody is left to wait for after that. */
static void end_survivors(struct run *run)
{
	run->right = false;
	for (int i = 0; i < WORKERS; i++) {
		const struct report *last = &run->last[i];

		if (!last->pid || last->kind == REPORT_DONE || last->kind == REPORT_WOKEN)
			continue;
		printf("   WRONG: worker %d, process %d, %s\n", i + 1, (int)last->pid,
		       run->struck_at ? "outlives its context" : "hangs");
		kill(last->pid, SIGKILL);
	}
	kill(run->supervisor, SIGKILL);
}

static const char *errno_name(int number)
{
	static char other[16];

	switch (number) {
	case ECANCELED:
		return "ECANCELED";
	case ETIMEDOUT:
		return "ETIMEDOUT";
	case EOWNERDEAD:
		return "EOWNERDEAD";
	}
	snprintf(other, sizeof(other), "%d", number);
	return other;
}

static uint64_t usec(uint64_t from, uint64_t to)
{
	return to > from ? (to - from) / 1000 : 0;
}

static void print_worker(const struct run *run, unsigned int worker)
{
	const struct report *last = &run->last[worker];

	printf("   %6u  %7d  %8zu  %6zu  %6zu", worker + 1, (int)last->pid,
	       last->searched, part_of(run->files, worker).n, last->found);
	if (last->kind != REPORT_WOKEN) {
		printf("  %s\n", last->kind == REPORT_DONE ? "finished" : "unknown");
		return;
	}
	printf("  %-9s", last->idle ? "waiting" : "searching");
	printf("  %-9s", errno_name((int)last->why.err));
	printf("  %-10s", errno_name(last->why.cause));
	printf("  %6" PRIu64 "  %6" PRIu64 " us\n", (uint64_t)last->why.origin_id,
	       usec(last->cancelled_at, last->woken_at));
}

static void print_table(const struct run *run)
{
	bool struck = run->act->strike != STRIKE_NONE;

	printf("   %6s  %7s  %8s  %6s  %6s", "worker", "pid", "searched", "of", "found");
	printf(struck ? "  while     error      cause       origin      after\n" : "\n");
	for (unsigned int i = 0; i < WORKERS; i++)
		print_worker(run, i);
}

static void print_summary(const struct run *run)
{
	size_t found = 0;

	for (int i = 0; i < WORKERS; i++)
		found += run->last[i].found;
	printf("   %zu of %zu files searched, found in %zu; ", searched_files(run),
	       run->files->n, found);
	if (run->act->strike == STRIKE_NONE)
		printf("nobody was woken\n\n");
	else
		printf("%d of %d workers woken by context %" PRIu64 "\n\n",
		       count(run, REPORT_WOKEN), WORKERS, run->root);
}

static void expect(struct run *run, bool holds, const char *what)
{
	if (holds)
		return;
	printf("   WRONG: %s\n", what);
	run->right = false;
}

static void judge_woken(struct run *run, const struct report *last)
{
	expect(run, last->why.err == run->act->err, "a worker saw another error");
	expect(run, last->why.cause == run->act->cause, "a worker saw another cause");
	expect(run, last->why.origin_id == run->root, "a worker saw another origin");
	expect(run, last->woken_at >= last->cancelled_at, "a worker woke too early");
	expect(run, last->woken_at - last->cancelled_at < OUTLIVES, "a worker woke too late");
}

static void judge(struct run *run)
{
	size_t searched = searched_files(run), all = run->files->n;

	if (run->act->strike == STRIKE_NONE) {
		expect(run, count(run, REPORT_DONE) == WORKERS, "a worker did not finish");
		expect(run, searched == all, "not every file was searched");
		return;
	}
	expect(run, count(run, REPORT_WOKEN) == WORKERS, "a worker was not woken");
	expect(run, run->root, "the supervisor created no context");
	expect(run, searched >= MIDDLE(all) && searched < all, "that was not in the middle");
	for (int i = 0; i < WORKERS; i++)
		if (run->last[i].kind == REPORT_WOKEN)
			judge_woken(run, &run->last[i]);
}

/* Both ends of two pipes; of each, a process closes the end that is not its own. */
struct pipes {
	int reports[2];
	int orders[2];
};

static pid_t start_supervisor(const struct act *act, const struct files *files,
			      const char *string, const struct pipes *pipes)
{
	struct job job = {
		.files = *files,
		.string = string,
		.strike = act->strike,
		.reports = pipes->reports[1],
		.orders = pipes->orders[0],
	};
	pid_t pid = fork();

	if (pid < 0)
		err(1, "fork");
	if (pid == 0) {
		close(pipes->reports[0]);
		close(pipes->orders[1]);
		_exit(supervise(&job));
	}
	close(pipes->reports[1]);
	close(pipes->orders[0]);
	return pid;
}

static bool run_act(const struct act *act, const struct files *files, const char *string)
{
	struct run run = { .act = act, .files = files, .right = true };
	struct pipes pipes;

	printf("%d. %s\n\n   %s\n\n", (int)(act - acts) + 1, act->title, act->story);
	fflush(stdout);

	if (pipe2(pipes.reports, O_CLOEXEC) || pipe2(pipes.orders, O_CLOEXEC))
		err(1, "pipe2");
	run.supervisor = start_supervisor(act, files, string, &pipes);
	run.orders = pipes.orders[1];
	if (follow(&run, pipes.reports[0]))
		reap(&run);
	else
		end_survivors(&run);
	close(pipes.reports[0]);
	close(pipes.orders[1]);

	print_table(&run);
	judge(&run);
	printf("\n");
	print_summary(&run);
	return run.right;
}

/* What is started later relies on it that 0, 1 and 2 are taken. */
static void open_std_descriptors(void)
{
	int fd;

	do {
		/* NOLINTNEXTLINE(android-cloexec-open): they are to outlive exec */
		fd = open("/dev/null", O_RDWR);
		if (fd < 0)
			err(1, "/dev/null");
	} while (fd <= STDERR_FILENO);
	close(fd);
}

int main(int argc, char **argv)
{
	const struct files *files;
	const char *string;
	bool right = true;

	open_std_descriptors();
	if (argc == 4 && !strcmp(argv[1], "--worker"))
		/* NOLINTNEXTLINE(cert-err34-c): from exec_worker() */
		return work((unsigned int)atoi(argv[2]), argv[3]);

	string = argc == 3 ? argv[2] : "cancel";
	if (argc < 2 || argc > 3 || !*string) {
		fprintf(stderr, "usage: search TREE [STRING]\n");
		return 2;
	}
	if (ctxfd_background() < 0)
		err(1, "/dev/ctx (is the module loaded?)");
	if (prctl(PR_SET_CHILD_SUBREAPER, 1))
		err(1, "prctl");

	files = files_below(argv[1]);
	printf("Searching the %zu files below %s for \"%s\" with %d workers.\n\n",
	       files->n, argv[1], string, WORKERS);
	for (const struct act *act = acts; act->title; act++)
		right &= run_act(act, files, string);
	printf("%s\n", right ? "Every worker ended with its context." :
			       "Not every worker did as its context said.");
	return right ? 0 : 1;
}
