// SPDX-License-Identifier: GPL-2.0-only
/*
 * Signals to all descendants of this process, which is a child subreaper, so
 * that nobody leaves the tree: not by a double fork, not by setsid.
 *
 * A signal other than SIGKILL is for those that are there when it is sent, not
 * for what they start in answer. So the tree is stopped first: who was sent
 * SIGSTOP forks no more, as fork gives way to a signal that waits, and once a
 * look at the tree finds nobody new, it is known who is there.
 *
 * A process is a descendant where it names as its parent one that was verified
 * before and is there still. Each is opened again for each look: there may be
 * more of them than the caller may have descriptors.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "run.h"
#include "run_process.h"

/* Who outruns so many looks cannot be stopped, and has children that can. */
#define MAX_LOOKS	100

/* How long one may wait in the kernel and not stop, and how often that is looked at. */
#define BUSY_MS		20
#define USEC_PER_MSEC	1000

/*
 * How long those may take that need nothing but a processor to stop, or to exec. They are
 * told by what they do, not by the time: this is for a machine that has none for them.
 */
#define RUN_MS		500

/* How often those that are found in the middle of fork may go on, and in their program. */
#define MAX_FORKS	50
#define MAX_RUNS	10

/* How long what was started in answer to the signal may outlive who started it. */
#define ORPHAN_SECONDS	5

/* As many are named in a line. */
#define NAMES_MAX	8

enum look {
	LOOK,
	STOP,
	ADOPT,			/* stop what was left behind, and what is below that */
	KILL,
};

/* Whose child a process was found as. */
enum found {
	OURS,
	ADOPTED,		/* of one that was left behind, and is to be told */
	THEIRS,
};

/* A process that was found. */
struct member {
	pid_t pid;
	unsigned int seen;	/* the last look that did */
	uint64_t start;		/* 0 for one that /proc hides */
	bool dead;
	bool was_stopped;	/* before this had it stopped */
	bool stop_sent;
	bool told;
	bool reaper;
	bool refused;		/* it may not be sent signals */
	bool named;		/* in a complaint about that */
	bool settled;
	bool waited_for;	/* to exec */
	int runs;		/* how often it was found in its program */
	time_t adopted_at;	/* untold, 0 for never */
	char name[17];
};

struct tree {
	bool scan;
	struct proc proc;
	struct pids except;

	struct member *members;
	size_t n, room;
	size_t *slots;		/* a hash of indices and 1; 0 is free */
	size_t nr_slots;	/* a power of two */

	size_t *order;		/* of the last look, parents before their children */
	size_t nr_order, order_room;
	unsigned int looks;
	size_t alive, fresh;	/* of the last look */
	size_t most;		/* of the looks of this call */
	bool moved;		/* somebody went to another parent during that */
	bool failed;		/* no memory, no descriptor: not all were found */
	bool told;
	bool blind;		/* /proc hides some */
	enum look look;
	pid_t self;

	struct parenthood {
		pid_t parent;
		pid_t pid;
	} *all;			/* of a scan, by parent */
	size_t nr_all, all_room;
};

/* Room for one more in @array of @n elements. Returns 0, or -1 for no memory. */
static int grow(void *array, size_t n, size_t *room, size_t size)
{
	size_t more = *room ? 2 * *room : 64;
	void *old, *new;

	if (n < *room)
		return 0;
	memcpy(&old, array, sizeof(old));
	new = reallocarray(old, more, size);
	if (!new)
		return -1;
	memcpy(array, &new, sizeof(new));
	*room = more;
	/* cppcheck-suppress memleak ; @array has it */
	return 0;
}

static size_t *find_slot(const struct tree *tree, pid_t pid, uint64_t start)
{
	size_t i = ((size_t)pid * 0x9e3779b1 ^ (size_t)start * 31) & (tree->nr_slots - 1);

	for (; tree->slots[i]; i = (i + 1) & (tree->nr_slots - 1))
		if (tree->members[tree->slots[i] - 1].pid == pid &&
		    tree->members[tree->slots[i] - 1].start == start)
			break;
	return &tree->slots[i];
}

/* Keeps at least half of the slots free. */
static int grow_slots(struct tree *tree)
{
	size_t nr = tree->nr_slots ? 2 * tree->nr_slots : 256;
	size_t *slots;

	if (2 * (tree->n + 1) < tree->nr_slots)
		return 0;
	slots = calloc(nr, sizeof(*slots));
	if (!slots)
		return -1;
	free(tree->slots);
	tree->slots = slots;
	tree->nr_slots = nr;
	for (size_t i = 0; i < tree->n; i++)
		*find_slot(tree, tree->members[i].pid, tree->members[i].start) = i + 1;
	return 0;
}

/* The index of a member, which is added where it is none yet; or -1. */
static ssize_t get_member(struct tree *tree, const struct procdir *process, bool *is_new)
{
	size_t *slot;

	if (grow_slots(tree) || grow(&tree->members, tree->n, &tree->room, sizeof(*tree->members)))
		return -1;
	slot = find_slot(tree, process->pid, process->start);
	*is_new = !*slot;
	if (*is_new) {
		tree->members[tree->n] = (struct member){
			.pid = process->pid,
			.start = process->start,
			.was_stopped = process->stopped,
		};
		snprintf(tree->members[tree->n].name, sizeof(tree->members->name), "%s",
			 process->name);
		*slot = ++tree->n;
	}
	return (ssize_t)*slot - 1;
}

/*
 * Another reaper, who takes SIGTERM for a request to end what it has, with the
 * signal that it was told to use, and does not fail to. Leaving its tree to it
 * keeps many that are nested from each walking over all below it.
 */
static bool is_reaper(struct tree *tree, const struct procdir *process)
{
	/* From what is known: the server of a file system may be stopped. */
	int flags = AT_STATX_DONT_SYNC;
	struct statx own, exe;

	return !strcmp(process->name, REAPER_NAME) &&
	       !statx(tree->proc.fd, "self/exe", flags, STATX_INO, &own) &&
	       !statx(process->dir, "exe", flags, STATX_INO, &exe) &&
	       own.stx_ino == exe.stx_ino && own.stx_dev_major == exe.stx_dev_major &&
	       own.stx_dev_minor == exe.stx_dev_minor;
}

/* Opens a member again. Returns 0, or -1 where it is gone. */
static int open_member(const struct tree *tree, const struct member *member,
		       struct procdir *process)
{
	char name[16];

	snprintf(name, sizeof(name), "%d", member->pid);
	if (process_open(process, &tree->proc, name))
		return -1;
	if (process->start == member->start)
		return 0;
	process_close(process);
	errno = ESRCH;
	return -1;
}

/* Sends @signal to a member, which is @process where that is open. */
static int deliver(struct tree *tree, struct member *member, const struct procdir *process,
		   int signal)
{
	int ret = process ? process_kill(process, &tree->proc, signal) :
			    pid_kill(member->pid, signal);

	if (ret && errno != ESRCH)
		member->refused = true;
	return ret;
}

static void send_again(struct tree *tree, struct member *member, int signal)
{
	struct procdir process;

	if (!member->start) {
		deliver(tree, member, NULL, signal);
	} else if (!open_member(tree, member, &process)) {
		deliver(tree, member, &process, signal);
		process_close(&process);
	}
}

static bool is_to_be_told(const struct member *member)
{
	return !member->told && !member->dead && (member->stop_sent || member->reaper);
}

/* Whether one that was left behind, untold, is to be told now. */
static bool is_due(const struct tree *tree, struct member *member)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	if (!member->adopted_at)
		member->adopted_at = now.tv_sec + 1;
	/* Where /proc hides some, it may be from before the signal. */
	return tree->blind || now.tv_sec + 1 - member->adopted_at > ORPHAN_SECONDS;
}

static bool is_to_be_stopped(const struct tree *tree, struct member *member, enum found found)
{
	if (member->told || member->stop_sent || tree->look == LOOK)
		return false;
	return tree->look == STOP || found == ADOPTED || (found == OURS && is_due(tree, member));
}

/* What this look has for a member that it came to. */
static void treat(struct tree *tree, struct member *member, const struct procdir *process,
		  enum found found)
{
	if (tree->look == KILL) {
		deliver(tree, member, process, SIGKILL);
		return;
	}
	if (!is_to_be_stopped(tree, member, found))
		return;
	/* It may have got the name since another look. */
	member->reaper = process && is_reaper(tree, process);
	if (member->reaper)
		return;
	member->stop_sent = true;
	if (deliver(tree, member, process, SIGSTOP) && process && !process_exists(process))
		member->dead = true;
}

/* @process, which is open unless /proc hides it, was found. */
static void meet(struct tree *tree, const struct procdir *process, enum found found)
{
	struct member *member;
	bool is_new;
	ssize_t i = get_member(tree, process, &is_new);

	if (i < 0 || grow(&tree->order, tree->nr_order, &tree->order_room, sizeof(*tree->order))) {
		tree->failed = true;
		return;
	}
	member = &tree->members[i];
	if (member->seen == tree->looks)
		return;
	member->seen = tree->looks;
	member->dead = process->dead;
	memcpy(member->name, process->name, sizeof(member->name));
	if (!member->dead)
		treat(tree, member, process->dir < 0 ? NULL : process, found);
	tree->order[tree->nr_order++] = (size_t)i;
	/* Those that cannot be stopped may come and go for ever. */
	if (!member->dead && !member->refused) {
		tree->alive++;
		tree->fresh += is_new;
	}
}

/* A child that is not in /proc: it is gone, or hidden from this user. */
static void meet_hidden(struct tree *tree, pid_t pid, enum found found)
{
	struct procdir process = { .pid = pid, .dir = -1, .name = "?" };

	if (!tree->proc.same_numbers || (pid_kill(pid, 0) && errno == ESRCH))
		return;
	tree->blind = true;
	meet(tree, &process, found);
}

/* @pid was seen as a child of @parent. */
static void visit(struct tree *tree, pid_t pid, const struct procdir *parent, enum found found)
{
	struct procdir process;
	char name[16];

	snprintf(name, sizeof(name), "%d", pid);
	if (process_open(&process, &tree->proc, name)) {
		if (errno != ENOENT && errno != ESRCH)
			tree->failed = true;
		else if (process_exists(parent))
			meet_hidden(tree, pid, found);
		return;
	}
	/* The end of its parent may have made it another's meanwhile. */
	if (process.parent == tree->self)
		meet(tree, &process, OURS);
	else if (process.parent == parent->pid && process_exists(parent))
		meet(tree, &process, found);
	else
		tree->moved = true;
	process_close(&process);
}

static int compare_parents(const void *a, const void *b)
{
	const struct parenthood *one = a, *other = b;

	return (one->parent > other->parent) - (one->parent < other->parent);
}

static void scan_all(struct tree *tree)
{
	int fd = openat(tree->proc.fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct procdir process;
	struct dirent *entry;

	tree->nr_all = 0;
	if (!dir) {
		if (fd >= 0)
			close(fd);
		tree->failed = true;
		return;
	}
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] < '0' || entry->d_name[0] > '9' ||
		    process_open(&process, &tree->proc, entry->d_name))
			continue;
		process_close(&process);
		if (grow(&tree->all, tree->nr_all, &tree->all_room, sizeof(*tree->all))) {
			tree->failed = true;
			break;
		}
		tree->all[tree->nr_all++] = (struct parenthood){ process.parent, process.pid };
	}
	closedir(dir);
	qsort(tree->all, tree->nr_all, sizeof(*tree->all), compare_parents);
}

/* Adds the children of @process by the last scan. */
static int scanned_children(const struct tree *tree, const struct procdir *process,
			    struct pids *children)
{
	size_t low = 0, high = tree->nr_all, middle;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (tree->all[middle].parent < process->pid)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < tree->nr_all && tree->all[low].parent == process->pid; low++)
		if (pids_add(children, tree->all[low].pid))
			return -1;
	return 0;
}

static void list_children(struct tree *tree, const struct procdir *process, struct pids *children)
{
	children->n = 0;
	if (tree->scan ? scanned_children(tree, process, children) :
			 process_children(process, children))
		tree->failed = true;
}

static bool is_excepted(const struct tree *tree, pid_t pid)
{
	for (size_t i = 0; i < tree->except.n; i++)
		if (tree->except.list[i] == pid)
			return true;
	return false;
}

/* This process, and its children. */
static int open_self(struct tree *tree, struct procdir *self, struct pids *children)
{
	if (process_open(self, &tree->proc, "self"))
		return -1;
	tree->self = self->pid;
	if (!tree->scan && !process_children(self, children))
		return 0;
	/* A kernel without CONFIG_PROC_CHILDREN. */
	tree->scan = true;
	scan_all(tree);
	list_children(tree, self, children);
	return 0;
}

/* What follows is about one look: that at our own children, or at all. */
static int begin_look(struct tree *tree, enum look look)
{
	struct pids children = {};
	struct procdir self;

	tree->looks++;
	tree->look = look;
	tree->nr_order = 0;
	tree->alive = 0;
	tree->fresh = 0;
	tree->moved = false;
	tree->failed = false;
	if (open_self(tree, &self, &children))
		return -1;
	for (size_t i = 0; i < children.n; i++)
		if (!is_excepted(tree, children.list[i]))
			visit(tree, children.list[i], &self, OURS);
	process_close(&self);
	pids_free(&children);
	return tree->failed ? -1 : 0;
}

/* Comes to all that is there, and does with it what @look says. Returns 0, or -1. */
static int look_at(struct tree *tree, enum look look)
{
	struct pids children = {};
	struct procdir process;
	struct member *member;
	enum found found;

	if (begin_look(tree, look))
		return -1;
	for (size_t next = 0; next < tree->nr_order; next++) {
		member = &tree->members[tree->order[next]];
		if (member->dead || !member->start || (member->reaper && look != KILL) ||
		    open_member(tree, member, &process))
			continue;
		found = look == ADOPT && is_to_be_told(member) ? ADOPTED : THEIRS;
		list_children(tree, &process, &children);
		for (size_t i = 0; i < children.n; i++)
			visit(tree, children.list[i], &process, found);
		process_close(&process);
	}
	pids_free(&children);
	if (tree->most < tree->nr_order)
		tree->most = tree->nr_order;
	return tree->failed ? -1 : 0;
}

/*
 * Looks until that finds nobody new, and nobody has ended meanwhile, whose children
 * may have gone to where the look had been before.
 */
static int look_until_quiet(struct tree *tree, enum look look)
{
	size_t alive;
	int ret;

	for (int i = 0; i < MAX_LOOKS; i++) {
		alive = tree->alive;
		ret = look_at(tree, look);
		if (ret || (i && !tree->fresh && !tree->moved &&
			    (tree->alive == alive || look == KILL)))
			return ret;
	}
	return 0;
}

/* Opens a member once it has stopped, or waits in the kernel for what takes long. */
static int open_stopped(const struct tree *tree, const struct member *member,
			struct procdir *process)
{
	for (int ms = 0; ; ms++) {
		if (open_member(tree, member, process))
			return -1;
		if (process->stopped || process->dead || ms >= (process->busy ? BUSY_MS : RUN_MS))
			return 0;
		process_close(process);
		usleep(USEC_PER_MSEC);
	}
}

/* Whether its parent, who was stopped, has not: vfork waits for the exec of the child. */
static bool is_of_vfork(const struct tree *tree, const struct procdir *child)
{
	struct procdir parent;
	char name[16];
	bool busy;

	snprintf(name, sizeof(name), "%d", child->parent);
	if (!child->forked || process_open(&parent, &tree->proc, name))
		return false;
	busy = parent.busy;
	process_close(&parent);
	return busy;
}

/*
 * Whether a process that has a handler is to go on before the signal. It may be on the
 * way from fork to exec, as far as can be told: the handler is its parent's, who takes
 * the signal there, and the program never hears of it. It may be in fork, which has
 * given way to SIGSTOP and comes again after the handler: what it starts there is to be
 * there before. Or it is in its program, where it may have looked whether there was a
 * signal, and be about to fork: better it is found in a call.
 */
static bool may_fork(const struct tree *tree, struct member *member,
		     const struct procdir *process)
{
	if (process->forked && (!member->waited_for || is_of_vfork(tree, process)))
		return true;
	if (!process->stopped)
		return false;
	switch (process_stopped_in(process, &tree->proc)) {
	case IN_FORK:
		return true;
	case IN_PROGRAM:
		return member->runs++ < MAX_RUNS;
	default:
		return false;
	}
}

static bool is_unsettled(struct tree *tree, struct member *member, int signal)
{
	struct signal_masks masks = {};
	struct procdir process;

	if (!is_to_be_told(member) || member->settled || !member->stop_sent || !member->start ||
	    member->refused || open_stopped(tree, member, &process))
		return false;
	member->settled = process_masks(&process, &masks) || member->was_stopped ||
			  !(masks.caught >> (signal - 1) & 1) ||
			  !may_fork(tree, member, &process);
	process_close(&process);
	return !member->settled;
}

/* Whether it may still be on the way to exec: where it sleeps, it has other things to do. */
static bool is_still_forked(const struct tree *tree, const struct member *member)
{
	struct procdir process;

	if (member->stop_sent || !member->waited_for || open_member(tree, member, &process))
		return false;
	process_close(&process);
	return process.forked && !process.dead && !process.sleeping;
}

/* Lets the unsettled go on for a moment. Returns how many these are. */
static size_t let_go_on(struct tree *tree, int signal)
{
	size_t n = 0, forked = 0, i;
	struct member *member;

	for (i = 0; i < tree->nr_order; i++) {
		member = &tree->members[tree->order[i]];
		if (!is_unsettled(tree, member, signal))
			continue;
		forked += !member->waited_for;
		member->waited_for = true;
		member->stop_sent = false;
		send_again(tree, member, SIGCONT);
		n++;
	}
	if (n)
		usleep(USEC_PER_MSEC);
	for (int ms = 1; forked && ms < RUN_MS; ms++) {
		forked = 0;
		for (i = 0; i < tree->nr_order && !forked; i++)
			forked = is_still_forked(tree, &tree->members[tree->order[i]]);
		if (forked)
			usleep(USEC_PER_MSEC);
	}
	return n;
}

/* Stops all that are to be told, at a point where the signal does what it is to. */
static int settle(struct tree *tree, enum look look, int signal)
{
	int ret = look_until_quiet(tree, look);

	for (int i = 0; i < MAX_FORKS && !ret && let_go_on(tree, signal); i++)
		ret = look_until_quiet(tree, look);
	return ret;
}

/* Children go on before their parents, who are not to see them stopped. */
static void tell(struct tree *tree, int signal)
{
	struct member *member;
	size_t i;

	for (i = 0; i < tree->nr_order; i++) {
		member = &tree->members[tree->order[i]];
		if (!is_to_be_told(member) || member->refused)
			continue;
		if (member->reaper)
			send_again(tree, member, SIGTERM);
		else if (signal != SIGCONT)
			send_again(tree, member, signal);
	}
	while (i--) {
		member = &tree->members[tree->order[i]];
		if (!is_to_be_told(member))
			continue;
		if (!member->refused)
			send_again(tree, member, SIGCONT);
		member->told = true;
	}
}

struct tree *tree_new(bool scan)
{
	struct tree *tree = calloc(1, sizeof(*tree));

	if (!tree)
		return NULL;
	tree->scan = scan;
	if (!proc_open(&tree->proc))
		return tree;
	free(tree);
	errno = ENOENT;
	return NULL;
}

bool tree_can_signal(const struct tree *tree)
{
	struct procdir self;
	int ret;

	if (process_open(&self, &tree->proc, "self"))
		return false;
	ret = process_kill(&self, &tree->proc, 0);
	process_close(&self);
	return !ret;
}

int tree_except_children(struct tree *tree)
{
	struct procdir self;

	if (open_self(tree, &self, &tree->except))
		return -1;
	process_close(&self);
	return 0;
}

void tree_reaped(struct tree *tree, pid_t pid)
{
	for (size_t i = 0; i < tree->except.n; i++)
		if (tree->except.list[i] == pid)
			tree->except.list[i] = 0;
}

int tree_signal(struct tree *tree, int signal)
{
	int ret;

	tree->most = 0;
	if (signal == SIGKILL) {
		ret = look_until_quiet(tree, KILL);
	} else if (tree->told || !signal) {
		ret = look_at(tree, LOOK);
	} else {
		ret = settle(tree, STOP, signal);
		tell(tree, signal);
		tree->told = !ret;
	}
	return ret ? -1 : (int)tree->most;
}

void tree_signal_orphans(struct tree *tree, int signal)
{
	bool found = false;

	if (!signal || begin_look(tree, ADOPT))
		return;
	for (size_t i = 0; i < tree->nr_order; i++)
		found |= is_to_be_told(&tree->members[tree->order[i]]);
	if (!found)
		return;
	settle(tree, ADOPT, signal);
	tell(tree, signal);
}

bool tree_has_taken(const struct tree *tree, int signal)
{
	uint64_t bit = signal ? 1ULL << (signal - 1) : 0;
	struct signal_masks masks;
	struct procdir process;
	bool taken = true;

	for (size_t i = 0; taken && i < tree->n; i++) {
		const struct member *member = &tree->members[i];

		if (!member->told || !member->start || open_member(tree, member, &process))
			continue;
		if (!process.dead && !process_masks(&process, &masks))
			taken = !(masks.pending & ~masks.blocked & bit);
		process_close(&process);
	}
	return taken;
}

char *tree_names(struct tree *tree, bool refused)
{
	size_t named = 0, more = 0, size;
	char *text = NULL;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	for (size_t i = 0; i < tree->nr_order; i++) {
		struct member *member = &tree->members[tree->order[i]];

		if (member->dead || (refused && (!member->refused || member->named)))
			continue;
		member->named |= refused;
		if (named == NAMES_MAX)
			more++;
		else
			fprintf(out, "%s%d (%s)", named++ ? ", " : "", member->pid, member->name);
	}
	if (more)
		fprintf(out, " and %zu more", more);
	if (!fclose(out) && named)
		return text;
	free(text);
	return NULL;
}
