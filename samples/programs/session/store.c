// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Whoever holds a lock here may be killed at any moment. So all that changes is written where
 * nobody looks yet, and takes effect with one store; what is left behind half done is overwritten.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "session/store.h"

#define VERSION	1

static void publish(uint32_t *word, uint32_t value)
{
	__atomic_store_n(word, value, __ATOMIC_RELEASE);
}

static bool is_published(const uint32_t *word)
{
	return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

/* Stands for work, which takes some time with -s. */
static int work(int ctx, const struct user *user)
{
	if (user->slow.tv_sec || user->slow.tv_nsec)
		warnx("works");
	return ctxfd_sleep(ctx, &user->slow);
}

static int initialise(int ctx, void *arg)
{
	struct user *user = arg;

	warnx("initialises the store");
	if (work(ctx, user))
		return -1;
	user->store->version = VERSION;
	return 0;
}

static int map_file(struct user *user, int fd)
{
	struct stat st;
	void *map;

	if (fstat(fd, &st))
		return -1;
	if (!S_ISREG(st.st_mode) || (st.st_size && st.st_size != sizeof(*user->store))) {
		errno = EBADMSG;
		return -1;
	}
	/* Two who do this at one moment do the same. */
	if (!st.st_size && ftruncate(fd, sizeof(*user->store)))
		return -1;
	map = mmap(NULL, sizeof(*user->store), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		return -1;
	user->store = map;
	return 0;
}

int store_open(int ctx, struct user *user, const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW, 0600);
	int ret = fd < 0 ? -1 : map_file(user, fd);
	int error = errno;

	if (fd >= 0)
		close(fd);
	errno = error;
	if (ret || once_do(ctx, &user->store->once, initialise, user))
		return -1;
	if (user->store->version == VERSION)
		return 0;
	errno = EBADMSG;
	return -1;
}

/* The session with that token; or, where @token is NULL, room for one. Or NULL. */
static struct session *find(struct store *store, const char *token)
{
	for (unsigned int i = 0; i < SESSIONS_MAX; i++) {
		struct session *session = &store->sessions[i];
		bool is_used = is_published(&session->is_used);

		if (token ? is_used && !strcmp(session->token, token) : !is_used)
			return session;
	}
	errno = token ? ENODATA : EAGAIN;
	return NULL;
}

static int login(int ctx, const struct user *user, const char *name, char token[TOKEN_SIZE])
{
	struct session *session = find(user->store, NULL);
	unsigned long long number;

	if (!session || getrandom(&number, sizeof(number), 0) != sizeof(number) ||
	    work(ctx, user))
		return -1;
	snprintf(token, TOKEN_SIZE, "%016llx", number);
	memcpy(session->token, token, TOKEN_SIZE);
	snprintf(session->user, USER_SIZE, "%s", name);
	publish(&session->is_used, 1);
	return 0;
}

int store_login(int ctx, const struct user *user, const char *name, char token[TOKEN_SIZE])
{
	struct hold hold;
	int ret;

	if (rwmutex_lock(ctx, &user->store->sessions_lock, &hold))
		return -1;
	ret = login(ctx, user, name, token);
	rwmutex_unlock(&user->store->sessions_lock, &hold);
	return ret;
}

int store_find(int ctx, const struct user *user, const char *token, char name[USER_SIZE])
{
	struct session *session;
	struct hold hold;
	int ret;

	if (rwmutex_read_lock(ctx, &user->store->sessions_lock, &hold))
		return -1;
	session = find(user->store, token);
	if (session)
		memcpy(name, session->user, USER_SIZE);
	ret = session ? work(ctx, user) : -1;
	rwmutex_read_unlock(&user->store->sessions_lock, &hold);
	return ret;
}

int store_logout(int ctx, const struct user *user, const char *token)
{
	struct session *session;
	struct hold hold;
	int ret;

	if (rwmutex_lock(ctx, &user->store->sessions_lock, &hold))
		return -1;
	session = find(user->store, token);
	ret = session ? work(ctx, user) : -1;
	if (!ret)
		publish(&session->is_used, 0);
	rwmutex_unlock(&user->store->sessions_lock, &hold);
	return ret;
}

/* The place of that file in the cache, which none leaves; or a free one; or NULL. */
static struct cached *place_of(struct store *store, const char *path)
{
	for (unsigned int i = 0; i < CACHE_MAX; i++) {
		struct cached *cached = &store->cache[i];

		if (!is_published(&cached->is_used) || !strcmp(cached->path, path))
			return cached;
	}
	errno = EAGAIN;
	return NULL;
}

struct counting {
	const struct user *user;
	struct cached *cached;
	int fd;
};

static int count_lines(int ctx, void *arg)
{
	struct counting *counting = arg;
	uint64_t lines = 0;
	char text[4096];
	ssize_t n;

	warnx("counts the lines of %s", counting->cached->path);
	if (work(ctx, counting->user))
		return -1;
	while ((n = ctxfd_read(ctx, counting->fd, text, sizeof(text))) > 0) {
		for (ssize_t i = 0; i < n; i++)
			lines += text[i] == '\n';
		errno = ctxfd_err(ctx);		/* for what never waits, nor ends */
		if (errno)
			return -1;
	}
	counting->cached->lines = lines;
	return (int)n;
}

/* The lock is for the list; each file has its own once, for which only those wait who want it. */
static struct cached *enter(int ctx, struct store *store, const char *path)
{
	struct cached *cached;
	struct hold hold;

	if (mutex_lock(ctx, &store->cache_lock, &hold))
		return NULL;
	cached = place_of(store, path);
	if (cached && !is_published(&cached->is_used)) {
		snprintf(cached->path, PATH_SIZE, "%s", path);
		publish(&cached->is_used, 1);
	}
	mutex_unlock(&store->cache_lock, &hold);
	return cached;
}

int store_lines(int ctx, const struct user *user, const char *path, uint64_t *lines)
{
	struct counting counting = {
		.user = user,
		.fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK),
	};
	int ret = -1, error;

	if (counting.fd < 0)
		return -1;
	counting.cached = enter(ctx, user->store, path);
	if (counting.cached)
		ret = once_do(ctx, &counting.cached->once, count_lines, &counting);
	if (!ret)
		*lines = counting.cached->lines;
	error = errno;
	close(counting.fd);
	errno = error;
	return ret;
}

static bool has_room(const struct store *store)
{
	return store->put - store->taken < QUEUE_MAX;
}

static bool has_message(const struct store *store)
{
	return store->put != store->taken;
}

/* Locks when @condition is true. */
static int lock_when(int ctx, struct store *store, bool (*condition)(const struct store *store),
		     struct hold *hold)
{
	for (bool has_waited = false;; has_waited = true) {
		if (mutex_lock(ctx, &store->queue_lock, hold))
			return -1;
		if (condition(store))
			return 0;
		if (!has_waited)
			warnx("waits: the queue is %s", condition == has_room ? "full" : "empty");
		if (cond_wait(ctx, &store->queue_changed, &store->queue_lock, hold))
			return -1;
	}
}

int store_put(int ctx, const struct user *user, const char *message)
{
	struct store *store = user->store;
	struct hold hold;
	int ret;

	if (lock_when(ctx, store, has_room, &hold))
		return -1;
	snprintf(store->queue[store->put % QUEUE_MAX], MESSAGE_SIZE, "%s", message);
	ret = work(ctx, user);
	if (!ret)
		ret = cond_broadcast(&store->queue_changed);
	if (!ret)
		__atomic_store_n(&store->put, store->put + 1, __ATOMIC_RELEASE);
	mutex_unlock(&store->queue_lock, &hold);
	return ret;
}

int store_take(int ctx, const struct user *user, char message[MESSAGE_SIZE])
{
	struct store *store = user->store;
	struct hold hold;
	int ret;

	if (lock_when(ctx, store, has_message, &hold))
		return -1;
	memcpy(message, store->queue[store->taken % QUEUE_MAX], MESSAGE_SIZE);
	ret = work(ctx, user);
	if (!ret)
		ret = cond_broadcast(&store->queue_changed);
	if (!ret)
		__atomic_store_n(&store->taken, store->taken + 1, __ATOMIC_RELEASE);
	mutex_unlock(&store->queue_lock, &hold);
	return ret;
}
