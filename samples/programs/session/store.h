/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A store in a file that processes share: sessions, a cache, and a queue of messages. Each function
 * returns 0, or -1 with errno set; that of @ctx where it ends a wait.
 */
#ifndef STORE_H
#define STORE_H

#include "session/sync.h"

#define SESSIONS_MAX	16
#define CACHE_MAX	64
#define QUEUE_MAX	4
#define USER_SIZE	64
#define TOKEN_SIZE	17
#define PATH_SIZE	256
#define MESSAGE_SIZE	128

struct session {
	uint32_t is_used;		/* set last, cleared first */
	char token[TOKEN_SIZE];
	char user[USER_SIZE];
};

struct cached {
	uint32_t is_used;		/* set last */
	char path[PATH_SIZE];
	struct once once;
	uint64_t lines;
};

struct store {
	struct once once;
	uint32_t version;		/* of this layout */
	struct rwmutex sessions_lock;
	struct session sessions[SESSIONS_MAX];
	struct mutex cache_lock;	/* to add to it */
	struct cached cache[CACHE_MAX];
	struct mutex queue_lock;	/* for all that follows */
	struct cond queue_changed;
	uint64_t put, taken;		/* how many ever were */
	char queue[QUEUE_MAX][MESSAGE_SIZE];
};

/* How it is used */
struct user {
	struct store *store;
	struct timespec slow;		/* how long each change takes, to have a look meanwhile */
};

/* Maps the file, which is made and initialised where it is new. EBADMSG: it is another file. */
int store_open(int ctx, struct user *user, const char *path);

/* EAGAIN: there are too many */
int store_login(int ctx, const struct user *user, const char *name, char token[TOKEN_SIZE]);
/* ENODATA: there is no such session */
int store_find(int ctx, const struct user *user, const char *token, char name[USER_SIZE]);
int store_logout(int ctx, const struct user *user, const char *token);

/* How many lines a file has, which is counted once. EAGAIN: the cache is full */
int store_lines(int ctx, const struct user *user, const char *path, uint64_t *lines);

/* Waits for room, or for a message. */
int store_put(int ctx, const struct user *user, const char *message);
int store_take(int ctx, const struct user *user, char message[MESSAGE_SIZE]);

#endif /* STORE_H */
