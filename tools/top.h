/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What ctx top knows of the contexts at a moment, and the lines that tell it.
 */
#ifndef CTX_TOP_H
#define CTX_TOP_H

#include "ctx.h"

struct top_context {
	uint64_t id;
	uint64_t deadline;	/* CLOCK_MONOTONIC; 0 for none */
	uint64_t cancelled_at;	/* the same; 0 while alive */
	uid_t uid;
	bool created;		/* since the snapshot before */
	char name[CTX_NAME_LEN];
};

struct snapshot {
	struct top_context *contexts;	/* in the order of their ids */
	size_t nr;
	uint64_t time;		/* CLOCK_MONOTONIC; 0 for a snapshot that was never taken */
	/* The one before: when it was, and how many of its contexts are gone. */
	uint64_t time_before;
	size_t nr_gone;
};

/*
 * All contexts that the caller may open; @before tells what is new among them, and may be one
 * that was never taken. Returns false with errno set where that cannot be told.
 */
bool snapshot_take(struct snapshot *snapshot, const struct snapshot *before);

void snapshot_free(struct snapshot *snapshot);

/* Contexts with the same user, or the same name. */
struct top_group {
	uid_t uid;
	const char *name;
	size_t nr_alive;
	size_t nr_cancelled;
	size_t nr_created;	/* since the snapshot before */
	size_t nr_ended;	/* cancelled since then */
	uint64_t deadline;	/* the first to come; 0 for none */
};

/*
 * The groups of @snapshot, the largest first: *@groups, as many as it returns. It is
 * to be freed. Returns -1 where there is no memory.
 */
ssize_t snapshot_by_user(const struct snapshot *snapshot, struct top_group **groups);
ssize_t snapshot_by_name(const struct snapshot *snapshot, struct top_group **groups);

/* Those that are alive and have a deadline, the next to end first; otherwise the same. */
ssize_t snapshot_by_deadline(const struct snapshot *snapshot,
			     const struct top_context ***contexts);

/* What to show. */
enum top_view {
	TOP_ALL,		/* a little of each */
	TOP_USERS,
	TOP_NAMES,
	TOP_DEADLINES,
};

/* So many rows of each, where there is no screen to fill. */
#define TOP_PLAIN_ROWS	10

struct top_page {
	enum top_view view;
	size_t rows;		/* 0 for no screen */
	size_t width;		/* where lines are cut; 0 for nowhere */
	/* What takes the line, which has no line feed; it is a heading, or not. */
	void (*put)(const char *line, bool heading);
};

/* Returns false where there is no memory. */
bool top_draw(const struct top_page *page, const struct snapshot *snapshot);

#endif /* CTX_TOP_H */
