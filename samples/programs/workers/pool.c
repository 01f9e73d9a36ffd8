// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The pool has one thread, and so no locks: whoever waits for room in the queue or for the last
 * job hands out jobs and takes in results meanwhile.
 */
#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/beside.h"
#include "workers/pool.h"

static const struct timespec a_tick = { .tv_nsec = 100000000 };

/* Until a worker is killed that does not stop at what it is told */
#define HARD_SECONDS	5

struct worker {
	int sock;		/* -1 where there is none */
	int pidfd;
	int ctx;		/* of its job; -1 where it is idle */
	unsigned int buffer;
	char *path;
};

struct pool {
	struct pool_calls calls;
	int jobs;		/* the context of all jobs */
	int processes;		/* that of the workers; when it ends, they are killed */
	bool is_closing;
	char *program;
	struct worker workers[POOL_WORKERS_MAX];
	unsigned int nr;
	char **queue;		/* a ring */
	unsigned int size, first, queued;
	int memory;
	struct counts *buffers;
	unsigned int free[POOL_WORKERS_MAX], nr_free, low;	/* a stack, and its lowest mark */
};

/*
 * The buffer that was given back last, which the processor's cache may know yet. What the last job
 * has left there goes.
 */
static unsigned int buffer_get(struct pool *pool)
{
	unsigned int buffer = pool->free[--pool->nr_free];

	memset(&pool->buffers[buffer], 0, sizeof(*pool->buffers));
	if (pool->nr_free < pool->low)
		pool->low = pool->nr_free;
	return buffer;
}

static void buffer_put(struct pool *pool, unsigned int buffer)
{
	pool->free[pool->nr_free++] = buffer;
}

static void worker_start(struct pool *pool, struct worker *worker)
{
	int socks[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, socks))
		err(1, "socket of a worker");
	worker->pidfd = ctxfd_spawn(pool->processes, (char *[]){ pool->program, NULL },
				    &(struct ctxfd_spawn_opts){
		.fds = (int []){ socks[1], pool->memory, STDERR_FILENO },
		.sig = SIGKILL,
	});
	if (worker->pidfd < 0)
		err(1, "%s", pool->program);
	close(socks[1]);
	worker->sock = socks[0];
	worker->ctx = -1;
}

/* The buffer is free only now: until its worker has answered, or is gone, it may write there. */
static void job_end(struct pool *pool, struct worker *worker, const char *problem)
{
	pool->calls.ended(pool->calls.arg, worker->path, problem, &pool->buffers[worker->buffer]);
	buffer_put(pool, worker->buffer);
	free(worker->path);
	close(worker->ctx);
	worker->ctx = -1;
}

/* The worker has answered. */
static void worker_done(struct pool *pool, struct worker *worker, int error)
{
	struct ctx_info info = { };
	char why[200];

	ctxfd_info(worker->ctx, &info);
	ctxfd_describe(&info, why, sizeof(why));
	if (!error)
		job_end(pool, worker, NULL);
	else
		job_end(pool, worker, info.err ? why : strerror(error));
}

/* Another takes its place. Its job, which may be the reason, is not done again. */
static void worker_gone(struct pool *pool, struct worker *worker)
{
	siginfo_t end = { };
	char problem[64];

	while (waitid(P_PIDFD, (id_t)worker->pidfd, &end, WEXITED) && errno == EINTR)
		;
	snprintf(problem, sizeof(problem), "its worker %s %d",
		 end.si_code == CLD_EXITED ? "exited with" : "was killed by signal", end.si_status);
	close(worker->pidfd);
	close(worker->sock);
	worker->sock = -1;
	if (worker->ctx >= 0)
		job_end(pool, worker, problem);
	if (!pool->is_closing && !ctxfd_err(pool->processes))
		worker_start(pool, worker);
}

/* The first message has the context, in a form that can wait and not cancel. */
static int send_job(int sock, int ctx, unsigned int buffer, const char *path)
{
	struct job job = { .buffer = buffer };
	size_t len = strlen(path);
	int watch = ctxfd_watch(ctx), ret;

	if (watch < 0)
		return -1;
	memcpy(job.path, path, len + 1);
	ret = ctxfd_send_fd(sock, watch);
	if (!ret && send(sock, &job, JOB_SIZE(len), MSG_NOSIGNAL) < 0)
		ret = -1;
	close(watch);
	return ret;
}

/* Where the worker is gone meanwhile, that shows on the socket. */
static void hand(struct pool *pool, struct worker *worker, char *path)
{
	worker->path = path;
	worker->buffer = buffer_get(pool);
	worker->ctx = ctxfd_create_opts(pool->jobs, &(struct ctxfd_create_opts){ .name = "job" });
	if (worker->ctx < 0 ||
	    (send_job(worker->sock, worker->ctx, worker->buffer, path) && errno != EPIPE))
		err(1, "%s", path);
}

static void hand_out(struct pool *pool)
{
	for (unsigned int i = 0; i < pool->nr && pool->queued; i++) {
		if (pool->workers[i].sock < 0 || pool->workers[i].ctx >= 0)
			continue;
		hand(pool, &pool->workers[i], pool->queue[pool->first]);
		pool->first = (pool->first + 1) % pool->size;
		pool->queued--;
	}
}

static void take_in(struct pool *pool, struct worker *worker)
{
	int error;

	if (recv(worker->sock, &error, sizeof(error), 0) == sizeof(error))
		worker_done(pool, worker, error);
	else
		worker_gone(pool, worker);
}

/* Waits a little for something to happen. Returns 0, or -1 with the error of @ctx. */
static int turn(struct pool *pool, int ctx)
{
	struct pollfd fds[POOL_WORKERS_MAX];
	int ret;

	for (unsigned int i = 0; i < pool->nr; i++)
		fds[i] = (struct pollfd){ pool->workers[i].sock, POLLIN, 0 };
	ret = ctxfd_poll(ctx, fds, pool->nr, &a_tick);
	for (unsigned int i = 0; ret > 0 && i < pool->nr; i++)
		if (fds[i].revents)
			take_in(pool, &pool->workers[i]);
	hand_out(pool);
	pool->calls.tick(pool->calls.arg);
	return ret < 0 ? -1 : 0;
}

int pool_submit(struct pool *pool, int ctx, const char *path)
{
	char *copy;

	while (pool->queued == pool->size)
		if (turn(pool, ctx))
			return -1;
	copy = strdup(path);
	if (!copy)
		err(1, "%s", path);
	pool->queue[(pool->first + pool->queued++) % pool->size] = copy;
	hand_out(pool);
	return 0;
}

int pool_wait(struct pool *pool, int ctx)
{
	struct pool_state state;

	for (;;) {
		pool_get_state(pool, &state);
		if (!state.queued && !state.in_hand)
			return 0;
		if (turn(pool, ctx))
			return -1;
	}
}

void pool_shut_down(struct pool *pool, const struct timespec *grace)
{
	struct timespec hard = { grace->tv_sec + HARD_SECONDS, grace->tv_nsec };

	pool->is_closing = true;
	for (; pool->queued; pool->queued--) {
		pool->calls.ended(pool->calls.arg, pool->queue[pool->first], "was not begun", NULL);
		free(pool->queue[pool->first]);
		pool->first = (pool->first + 1) % pool->size;
	}
	/* These fail where all has ended already. */
	ctxfd_set_timeout(pool->jobs, grace);
	ctxfd_set_timeout(pool->processes, &hard);
	pool_wait(pool, ctxfd_background());
}

void pool_get_state(const struct pool *pool, struct pool_state *state)
{
	*state = (struct pool_state){ .queued = pool->queued, .buffers = pool->nr - pool->low };
	for (unsigned int i = 0; i < pool->nr; i++) {
		if (pool->workers[i].ctx < 0)
			continue;
		state->in_hand++;
		state->bytes += counts_bytes(&pool->buffers[pool->workers[i].buffer]);
	}
}

struct pool *pool_new(int ctx, unsigned int nr, unsigned int queue, const struct pool_calls *calls)
{
	struct pool *pool = calloc(1, sizeof(*pool));
	size_t size = nr * sizeof(*pool->buffers);

	if (!pool)
		err(1, "pool");
	pool->calls = *calls;
	pool->nr = nr;
	pool->low = nr;
	pool->size = queue;
	pool->queue = calloc(queue, sizeof(*pool->queue));
	pool->jobs = ctxfd_create_opts(ctx, &(struct ctxfd_create_opts){ .name = "jobs" });
	pool->processes = ctxfd_create_opts(ctx, &(struct ctxfd_create_opts){ .name = "workers" });
	pool->memory = memfd_create("buffers", MFD_CLOEXEC);
	if (!pool->queue || pool->jobs < 0 || pool->processes < 0 || pool->memory < 0 ||
	    ftruncate(pool->memory, (off_t)size))
		err(1, "pool");
	pool->buffers = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, pool->memory, 0);
	if (pool->buffers == MAP_FAILED)
		err(1, "buffers");
	pool->program = path_beside("worker");
	while (nr--) {
		buffer_put(pool, nr);
		worker_start(pool, &pool->workers[nr]);
	}
	return pool;
}

/* The workers end when they see their sockets closed. */
void pool_free(struct pool *pool)
{
	pool->is_closing = true;
	ctxfd_set_timeout(pool->processes, &(struct timespec){ .tv_sec = HARD_SECONDS });
	for (unsigned int i = 0; i < pool->nr; i++)
		if (pool->workers[i].sock >= 0)
			shutdown(pool->workers[i].sock, SHUT_RDWR);
	for (unsigned int i = 0; i < pool->nr; i++)
		if (pool->workers[i].sock >= 0)
			worker_gone(pool, &pool->workers[i]);
	munmap(pool->buffers, pool->nr * sizeof(*pool->buffers));
	close(pool->memory);
	close(pool->processes);
	close(pool->jobs);
	free(pool->program);
	free(pool->queue);
	free(pool);
}
