/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ctx run, in two processes and the command.
 *
 * The supervisor is what the user started: it alone holds the context writable,
 * so that its end, whatever by, cancels the context. The reaper is its child,
 * has a process group of its own and is a child subreaper: whatever the command
 * starts is and stays below it. When the context is cancelled the reaper ends
 * all that, and it exits once nothing is left.
 */
#ifndef RUN_H
#define RUN_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <linux/ctx.h>

#define STATUS_TIMED_OUT	124
#define STATUS_FAILED		125	/* ctx run itself */
#define STATUS_CANNOT_EXEC	126
#define STATUS_NOT_FOUND	127
#define STATUS_SIGNAL		128	/* and the signal's number */

/* What the reaper's process is called, once it has forked the command. */
#define REAPER_NAME		"ctx-reaper"

/* In nanoseconds of CLOCK_MONOTONIC. */
#define NEVER			INT64_MAX

/* What the user asks for. */
struct run_options {
	char **command;
	int signal;		/* that is to end the command */
	int64_t timeout;	/* NEVER for none */
	int64_t kill_after;	/* NEVER for no SIGKILL */
	bool detach;
	const char *under;	/* which context; NULL for the ambient one */
	const char *name;	/* NULL for the command's */
	uint32_t nr_values;
	struct ctx_value values[CTX_VALUES_MAX];
};

/*
 * run_supervisor.c: runs the command, and waits for its end and that of all that
 * it has started. Returns the exit status.
 */
int run_command(const struct run_options *options);

struct run {
	const struct run_options *options;
	int ctx;		/* writable */
	int watch;
	uint64_t id;
	int report;		/* where the reaper writes a struct report */
	sigset_t mask;		/* what the command gets back */
	struct sigaction child_action;
};

/* The command has ended. */
struct report {
	int status;		/* as of waitpid */
	int err;		/* of the context, where its cancellation came before */
};

/* run_reaper.c */

_Noreturn void reaper(struct run *run);

/* run_cgroup.c: a cgroup for the command, a child of the caller's own */

struct cgroup {
	int parent;		/* its folder, -1 where there is no cgroup */
	int fd;
	char name[32];
};

/* Makes it, where the caller may; else leaves both descriptors at -1. */
void cgroup_make(struct cgroup *cgroup, uint64_t id);

/* Finds the one that another process made. */
void cgroup_find(struct cgroup *cgroup, uint64_t id);

/* As fork, but into the cgroup where there is one. */
pid_t cgroup_fork(struct cgroup *cgroup);

/* Kills all in it. */
void cgroup_kill(const struct cgroup *cgroup);

/* Takes it away, with those that were made below it. */
void cgroup_remove(struct cgroup *cgroup);

/* run_tree.c: the descendants of the caller, who is a child subreaper */

struct tree;

/* NULL for no memory. @scan: do without the kernel's lists of children. */
struct tree *tree_new(bool scan);

/* The children that the caller has now, and theirs, are no part of the tree. */
int tree_except_children(struct tree *tree);

/* The caller has reaped @pid: the number may come back as another process. */
void tree_reaped(struct tree *tree, pid_t pid);

/*
 * Sends @signal, and CONT, to every descendant that was not sent it by an
 * earlier call, but not to what one of those has started since: that is its way
 * to end, as long as it lives. SIGKILL goes to every descendant.
 *
 * Returns how many descendants there are, or -1 where there is no /proc to find
 * them. In a tree that is changing it may miss some: the caller comes back.
 */
int tree_signal(struct tree *tree, int signal);

#endif /* RUN_H */
