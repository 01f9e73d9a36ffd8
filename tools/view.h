/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What ctx tree and ctx ls show: which contexts, below which parents, with which
 * columns; as a table, as JSON or as a graph.
 */
#ifndef VIEW_H
#define VIEW_H

#include "contexts.h"
#include "ctx.h"

/* view.c */

struct view_options {
	struct target *start;	/* with what is below it; or NULL for all */
	bool alive;		/* those alone */
	pid_t pid;		/* only what this process made or holds; 0 for all */
	unsigned int depth;	/* at most so many levels below the first */
	bool holders;
	bool ages;
};

/* No node's number. */
#define NOWHERE	SIZE_MAX

struct node {
	const struct ctx_info *info;
	int64_t age;			/* in seconds, or -1 */
	const struct holder *holders;
	size_t parent;			/* what it hangs below; or NOWHERE */
	unsigned int level;		/* below the first */
	bool inside;			/* below the start, or that itself */
	bool chosen;			/* inside, and what the options ask for */
	bool shown;			/* chosen, and not too deep */
};

struct view {
	struct node *nodes;		/* by rising id: parents before children */
	size_t nr;
	size_t too_deep;		/* how many are chosen, and not shown */
	bool held;			/* the holders are known */
	uint64_t now;			/* of CLOCK_MONOTONIC */
	struct contexts contexts;
	struct forest forest;
	void *commands, *users;		/* names that were looked up */
};

/* Returns false after having said why there is no such start. */
bool view_take(struct view *view, const struct view_options *options);
void view_free(struct view *view);

/* Any bytes, with a NUL behind them. */
struct label {
	uint32_t key;
	size_t len;
	char text[];
};

/* What a process, or a user, is called now; empty where there is none. */
const struct label *view_command(struct view *view, pid_t pid);
const struct label *view_user(struct view *view, uid_t uid);

/* columns.c: what there is to say of a context */

enum form {
	FORM_TABLE,
	FORM_RAW,
	FORM_JSON,
	FORM_DOT,
};

struct look {
	const struct column *columns[32];
	unsigned int nr;
	enum form form;
	bool tree;		/* children below parents, with lines */
	bool no_headings;
	bool colour;
};

struct column {
	const char *name;
	int flags;		/* SCOLS_FL_* */
	/* Writes nothing where there is nothing to say. */
	void (*put)(FILE *out, struct view *view, const struct node *node, const struct look *look);
	const char *what;
};

/* Those of "NAME,NAME", or behind a + more of them. False after having said what is wrong. */
bool columns_choose(struct look *look, const char *names);
void columns_choose_all(struct look *look);
bool columns_have(const struct look *look, const char *name);
/* The lines of --help. */
void columns_help(void);

/* table.c and dot.c */

void table_print(FILE *out, struct view *view, const struct look *look);
void dot_print(FILE *out, const struct view *view);

#endif /* VIEW_H */
