/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Processes as /proc shows them, and signals to them.
 *
 * A number may be another process by the time it is used. So a process is its
 * folder in /proc, open: what is read there is read of that one process, and
 * what is sent there reaches it or nobody.
 */
#ifndef RUN_PROCESS_H
#define RUN_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct pids {
	pid_t *list;
	size_t n, room;
};

/* Returns 0, or -1 for no memory. */
int pids_add(struct pids *pids, pid_t pid);
void pids_free(struct pids *pids);

/* /proc, and how its numbers are to be read. */
struct proc {
	int fd;
	int level;		/* which number of NSpid is that of kill(2) */
	bool same_numbers;	/* they are those of kill(2) */
};

/*
 * Finds one that has the caller in it, in /proc or, where the caller may, in a
 * mount of its own. Returns 0, or -1 where there is none.
 */
int proc_open(struct proc *proc);
void proc_close(struct proc *proc);

/* A process, by its folder. */
struct procdir {
	pid_t pid;		/* as /proc has it */
	pid_t parent;
	int dir;
	bool dead;
	bool stopped;
	bool busy;		/* in the kernel, for what no signal but SIGKILL ends */
	bool sleeping;		/* for what a signal ends */
	bool forked;		/* and no exec since */
	bool threads;		/* more than one */
	char name[17];
	uint64_t start;		/* with the number, it tells a process from all others */
};

/* The process @name, a number or "self". Returns 0, or -1 with errno set. */
int process_open(struct procdir *process, const struct proc *proc, const char *name);
void process_close(struct procdir *process);

/* Dead or not, it is not reaped, and its number is its own. */
bool process_exists(const struct procdir *process);

/* As kill(2), by whatever system call the caller may use. */
int process_kill(const struct procdir *process, const struct proc *proc, int signal);

/* The same, for one whom nobody can reap meanwhile. */
int pid_kill(pid_t pid, int signal);

/* The later, the more is to be said against telling it now. */
enum stopped_in {
	IN_CALL,		/* a system call: a handler runs before anything else */
	IN_PROGRAM,		/* it may have looked for a signal, and be about to fork */
	IN_FORK,		/* which is to be made again after a handler */
};

/* The most of all of its threads. run_fork.c */
enum stopped_in process_stopped_in(const struct procdir *process, const struct proc *proc);

/* Adds its children, where the kernel has lists of them. Returns 0, or -1. */
int process_children(const struct procdir *process, struct pids *children);

/* Bit n - 1 is for signal n. */
struct signal_masks {
	uint64_t pending;
	uint64_t blocked;
	uint64_t caught;
};

/* Returns 0, or -1. */
int process_masks(const struct procdir *process, struct signal_masks *masks);

#endif /* RUN_PROCESS_H */
