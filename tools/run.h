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
#include <time.h>

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

/* How the command of ctx timeout ended. */
struct run_end {
	bool known;
	bool timed_out;
	int status;		/* as of waitpid */
};

/* What the user asks for. */
struct run_options {
	char **command;
	int signal;		/* that is to end the command */
	int64_t timeout;	/* NEVER for none */
	clockid_t clock;	/* of it */
	int64_t kill_after;	/* NEVER for no SIGKILL */
	bool detach;
	bool preserve_status;	/* the command's after a timeout, too */
	bool foreground;	/* ctx timeout in the group of its caller */
	bool pid_namespace;
	bool verbose;
	struct run_end *timeout_end; /* for ctx timeout, which does all else by its rules */
	const char *under;	/* which context; NULL for the ambient one */
	const char *name;	/* NULL for the command's */
	uint32_t nr_values;
	struct ctx_value values[CTX_VALUES_MAX];
};

/* run.c: the number of "TERM", "sigterm", "15", "RTMIN+1"; 0 for what is no signal. */
int parse_signal(const char *text);

/* timeout.c */

#define SIGNAL_NAME_LEN	16

/* The name that GNU timeout has for it, in @name or a constant. */
const char *timeout_signal_name(int signal, char name[static SIGNAL_NAME_LEN]);

/* What GNU timeout says with --verbose, and where there is no command. */
void timeout_say_signal(int signal, const char *command);
void timeout_say_not_run(const char *command, int err);

/*
 * run_supervisor.c: runs the command, and waits for its end and that of all that
 * it has started. Returns the exit status.
 */
int run_command(const struct run_options *options);

/* run_cgroup.c: a cgroup for the command, a child of the caller's own */

struct cgroup {
	int parent;		/* its folder, -1 where there is no cgroup */
	int fd;
	char name[32];
};

/* Makes it, where the caller may; else leaves both descriptors at -1. */
void cgroup_make(struct cgroup *cgroup, uint64_t id);

/* As fork, but into the cgroup where there is one. */
pid_t cgroup_fork(struct cgroup *cgroup);

/* Kills all in it. */
void cgroup_kill(const struct cgroup *cgroup);

/* Takes it away, with those that were made below it. */
void cgroup_remove(struct cgroup *cgroup);

struct run {
	const struct run_options *options;
	pid_t supervisor;
	int ctx;		/* writable */
	int watch;
	uint64_t id;
	int *signal;		/* shared: to end the tree with; changes for ctx timeout */
	int report;		/* where the reaper writes a struct report */
	int orders;		/* where it reads a struct order */
	sigset_t mask;		/* what the command gets back */
	struct sigaction child_action;
	struct cgroup cgroup;
};

/* From the reaper to the supervisor. */
struct report {
	bool refused;		/* this signal of the terminal did not reach the command */
	int signal;
	int status;		/* else the command has ended; as of waitpid */
	int err;		/* of the context, where its cancellation came before */
};

/* A signal that the supervisor was sent, for the command. */
struct order {
	int signal;
	bool terminal;		/* which tells the whole group in front */
	bool queued;		/* by sigqueue */
	pid_t pid;
	uid_t uid;
	union sigval value;
};

/* run_signals.c: what the supervisor is sent */

/* Returns a descriptor for signals, which are blocked from here on. */
int take_signals(struct run *run);

/*
 * Returns a signal that is to end the run; 0 where there is none left. Others go to
 * @orders; but to ctx timeout all are to end it.
 */
int next_signal(const struct run *run, int signals, int orders);

/* As the command did, but without a core. Returns the exit status where that fails. */
int end_by_signal(int signal);

/* run_reaper.c */

_Noreturn void reaper(struct run *run);

/*
 * Closes and forgets what was inherited for the command, which alone is to hold it:
 * who waits for the end of a pipe waits for that of the command, not for ours.
 */
void drop_inherited(bool keep_stderr);

/* run_command.c */

/*
 * In the command's process. @never_ran is shared, and set where the context was
 * cancelled before the exec.
 */
_Noreturn void become_command(const struct run *run, pid_t reaper, bool *never_ran);

/* run_namespace.c */

/*
 * As fork, but where the options say so the child is the first of a namespace of
 * processes: with it end all others in there. Complains where it returns -1.
 */
pid_t fork_reaper(const struct run_options *options);

/* run_tree.c: the descendants of the caller, who is a child subreaper */

struct tree;

/*
 * NULL for no memory, or with ENOENT for no /proc to find them. @scan: do without
 * the kernel's lists of children.
 */
struct tree *tree_new(bool scan);

/* Whether there is a system call that sends signals, and may be used. */
bool tree_can_signal(const struct tree *tree);

/* The children that the caller has now, and theirs, are no part of the tree. */
int tree_except_children(struct tree *tree);

/* The caller has reaped @pid: the number may come back as another process. */
void tree_reaped(struct tree *tree, pid_t pid);

/*
 * Sends @signal, and CONT, to every descendant that there is at the first call, and
 * to none that starts later: that is their way to end. The next calls but count, and
 * so does 0.
 * SIGKILL goes to every descendant at every call.
 *
 * Returns how many descendants there are, or -1 where not all were found, for want
 * of memory or descriptors: then the next call goes on.
 */
int tree_signal(struct tree *tree, int signal);

/*
 * Sends it to what was started later, too, some seconds after the end of who did: a
 * child of the caller by then. At once where /proc hides some, and nobody can tell.
 */
void tree_signal_orphans(struct tree *tree, int signal);

/* Whether nobody who was sent @signal still has it before him. */
bool tree_has_taken(const struct tree *tree, int signal);

/*
 * "12 (sh), 13 (sleep) and 3 more", which the caller frees, or NULL for nobody:
 * those that live, or, where @refused, those that may not be sent signals and were
 * not named before.
 */
char *tree_names(struct tree *tree, bool refused);

#endif /* RUN_H */
