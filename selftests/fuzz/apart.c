// SPDX-License-Identifier: GPL-2.0-only
/*
 * Programs that run in several processes; see apart.h.
 */
#include <err.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "agent.h"
#include "apart.h"

static struct agent *agent_of(unsigned int process)
{
	return &ARENA->agents[process];
}

static void tell(struct run *run, unsigned int process, const struct op *op, bool looks)
{
	struct agent *agent = agent_of(process);

	agent->op = *op;
	agent->looks = looks;
	memcpy(agent->fds, model_slots(&run->model, process), sizeof(agent->fds));
	agent_set(agent, AGENT_TOLD);
}

static void reap(unsigned int process)
{
	struct agent *agent = agent_of(process);

	if (!agent->pid)
		return;
	kill(agent->pid, SIGKILL);
	while (waitpid(agent->pid, NULL, 0) < 0 && errno == EINTR)
		;
	agent->pid = 0;
	atomic_store(&agent->state, AGENT_GONE);
}

/* Whether a process sleeps, and in nothing but the wait that it has announced. */
static bool sleeps(pid_t pid)
{
	char path[32], text[256] = "";
	const char *state;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	fd = open(path, O_RDONLY);
	if (fd < 0 || read(fd, text, sizeof(text) - 1) < 0)
		err(2, "%s", path);
	close(fd);
	state = strrchr(text, ')');
	return state && state[2] == 'S';
}

/* What is done to a descriptor before the wait begins is another thing than what is done after. */
static int wait_for_sleep(struct run *run, unsigned int i, unsigned int actor)
{
	time_t end = time(NULL) + BOUND;

	agent_limit(true);
	while (!sleeps(agent_of(actor)->pid) && time(NULL) <= end)
		sched_yield();
	agent_limit(false);
	return time(NULL) <= end ? 0 : failed(run, i, "process %u does not wait", actor);
}

/* Has the agent do operation @i. The slots are those from before it. */
static int make(struct run *run, unsigned int i, unsigned int actor, const int *slots)
{
	const struct op *op = &run->ops[i];
	struct agent *agent = agent_of(actor);
	struct batch_call *call = &run->calls[CALLS_PER_OP * i];

	if (op->kind == OP_KILL) {
		reap(op->index);
		call->ret = 0;
		return 0;
	}
	agent->op = *op;
	agent->looks = false;
	memcpy(agent->fds, slots, sizeof(agent->fds));
	agent->ret = 0;
	agent_set(agent, AGENT_TOLD);
	if (agent_wait(agent, AGENT_TOLD) ||
	    (!run->expect[i].blocks && agent_wait(agent, AGENT_WAITS)))
		return failed(run, i, "process %u does not come back", actor);
	if (run->expect[i].blocks && wait_for_sleep(run, i, actor))
		return -1;
	if (op->kind == OP_FORK && agent_wait(agent_of(op->index), AGENT_GONE))
		return failed(run, i, "process %u does not begin", op->index);
	call->ret = run->expect[i].blocks ? run->expect[i].ret : agent->ret;
	return 0;
}

/* The memory of a context may be freed a little after the last descriptor of it is closed. */
static int make_when_free(struct run *run, unsigned int i, unsigned int actor, const int *slots)
{
	time_t end = time(NULL) + BOUND;
	const struct batch_call *call = &run->calls[CALLS_PER_OP * i];
	bool free = run->model.limit && !(run->expect[i].errors[0] >> ENOSPC & 1);

	do {
		if (make(run, i, actor, slots))
			return -1;
	} while (free && call->ret == -ENOSPC && time(NULL) <= end);
	return 0;
}

/* An event that was read tells of the cancellation. */
static int check_event(struct run *run, unsigned int i, unsigned int number)
{
	const struct op *op = &run->ops[i];
	const struct ctx_event *event = (const void *)op->memory->out;
	const struct context *origin;
	int context = run->model.descriptions[run->waits_on[number]].context;

	if (op->cmd != BY_READ && op->cmd != BY_URING_READ)
		return 0;
	origin = &run->model.contexts[run->model.contexts[context].origin];
	return event->err == origin->err && event->cause == origin->cause ? 0 :
	       failed(run, i, "read err %u cause %d, not %u and %d", event->err, event->cause,
		      origin->err, origin->cause);
}

/* Who waits comes back where what it waits for is over, and nobody else. */
static int check_waiter(struct run *run, unsigned int i, unsigned int number)
{
	struct process *process = &run->model.processes[number];
	struct agent *agent = agent_of(number);

	if (!process->exists || process->blocked == NOBODY)
		return 0;
	if (!model_is_over(&run->model, process->blocked))
		return atomic_load(&agent->state) == AGENT_WAITS ? 0 :
		       failed(run, i, "process %u was woken, with %lld", number,
			      (long long)agent->ret);
	if (agent_wait(agent, AGENT_WAITS))
		return failed(run, i, "process %u was not woken from operation %u (manner %d)",
			      number, run->number[run->waits_in[number]], process->manner);
	model_unblock(&run->model, number);
	if (agent->ret != 1)
		return failed(run, i, "process %u came back from operation %u with %lld", number,
			      run->number[run->waits_in[number]], (long long)agent->ret);
	return check_event(run, run->waits_in[number], number);
}

static int look(struct run *run, unsigned int i, unsigned int viewer)
{
	struct agent *agent = agent_of(viewer);

	tell(run, viewer, &run->ops[i], true);
	if (agent_wait(agent, AGENT_TOLD))
		return failed(run, i, "process %u does not come back", viewer);
	run->info[i] = agent->info;
	run->calls[CALLS_PER_OP * i + 1].ret = agent->info_ret;
	run->seen[i] = (struct batch_view) { .readable = agent->readable };
	run->calls[CALLS_PER_OP * i + 2].ret = 0;
	return 0;
}

/*
 * What the kernel's workers do takes its time, and until somebody sees it, nobody knows that it
 * has come: so all that anybody can see is looked at, before anything else is done.
 */

static bool polls_as_foreseen(struct run *run, int fd, int description)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	bool over = model_is_over(&run->model, description);

	if (poll(&pfd, 1, 0) == over)
		return true;
	/* What tells may be late, but what a context is shows along first parents at once. */
	if (!run->model.slow && (!over || model_is_at_once(&run->model, description)))
		failed(run, run->model.now, "context %d is %s",
		       run->model.descriptions[description].context, over ? "alive" : "cancelled");
	return false;
}

static bool process_has_settled(struct run *run, unsigned int number)
{
	const struct process *process = &run->model.processes[number];
	const int *descriptions = run->model.tables[process->table].fds;
	int pidfd, fd, copy;
	bool settled = true;

	if (!process->exists)
		return true;
	pidfd = syscall(SYS_pidfd_open, agent_of(number)->pid, 0);
	for (fd = 0; settled && fd < FDS_MAX; fd++) {
		if (descriptions[fd] == NOBODY)
			continue;
		copy = syscall(SYS_pidfd_getfd, pidfd, fd, 0);
		settled = polls_as_foreseen(run, copy, descriptions[fd]);
		close(copy);
	}
	close(pidfd);
	return settled;
}

/* Takes out each descriptor and puts it back behind the others. */
static bool queue_has_settled(struct run *run, unsigned int number)
{
	const struct queue *queue = &run->model.queues[number];
	bool settled = true;
	unsigned int i;
	int fd;

	for (i = 0; i < queue->nr; i++) {
		fd = receive_fd(FD_QUEUES + 2 * number + 1);
		settled &= polls_as_foreseen(run, fd, queue->descriptions[i]);
		settled &= !send_fd(FD_QUEUES + 2 * number, fd);
		close(fd);
	}
	return settled;
}

static bool has_settled(struct run *run)
{
	bool settled = true;
	unsigned int i;

	for (i = 0; i < PROCESSES; i++)
		settled &= process_has_settled(run, i);
	for (i = 0; i < QUEUES; i++)
		settled &= queue_has_settled(run, i);
	return settled;
}

static int settle(struct run *run, unsigned int i)
{
	time_t end = time(NULL) + BOUND;
	bool settled;

	agent_limit(true);
	while (!(settled = has_settled(run)) && !*run->failure && time(NULL) <= end)
		run_pause(run);
	agent_limit(false);
	return settled ? 0 : failed(run, i, "some descriptor does not poll as it must");
}

static int compare_when_settled(struct run *run, unsigned int i, unsigned int viewer)
{
	time_t end = time(NULL) + BOUND;

	for (;;) {
		if (look(run, i, viewer))
			return -1;
		if (!run_compare(run, i))
			return 0;
		if (!run->model.late || time(NULL) > end)
			return -1;
		run_pause(run);
	}
}

static int64_t now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static int run_op(struct run *run, unsigned int i)
{
	const struct op *op = &run->ops[i];
	int slots[SLOTS], context;
	unsigned int actor = model_actor(&run->model, op), viewer, n;

	memcpy(slots, model_slots(&run->model, actor), sizeof(slots));
	run->model.self = actor;
	context = model_context(&run->model, op->slot);
	run->model.now = i;
	run->model.slow = false;
	run->model.queued = false;
	model_step(&run->model, op, &run->expect[i]);
	if (run->expect[i].blocks) {
		run->waits_in[actor] = i;
		run->waits_on[actor] = run->model.processes[actor].blocked;
	}
	run->span[i].from = now();
	if (!run->expect[i].skipped && make_when_free(run, i, actor, slots))
		return -1;
	if (op->kind == OP_EXPIRE && !run->expect[i].skipped && !run->calls[CALLS_PER_OP * i].ret) {
		model_cancel(&run->model, context, ETIMEDOUT, ETIMEDOUT, NULL, 0);
		model_queued(&run->model);
	}

	model_settle(&run->model);
	/* Before the look: a wait keeps what it is for. */
	for (n = 0; n < PROCESSES; n++)
		if (check_waiter(run, i, n))
			return -1;
	model_settle(&run->model);
	if ((run->model.slow || run->model.queued) && settle(run, i))
		return -1;
	viewer = model_may_run(&run->model, op->viewer) ? op->viewer : 0;
	run->model.self = viewer;
	run_foresee(run, i);
	run->span[i].to = now();
	return compare_when_settled(run, i, viewer);
}

static int start(struct run *run)
{
	pid_t pid = fork();

	if (!pid) {
		if (run->model.limit && (setgid(run->uid) || setuid(run->uid)))
			err(2, "setuid");
		apart_agent(0);
	}
	if (pid < 0)
		return failed(run, 0, "fork: %m");
	agent_of(0)->pid = pid;
	return agent_wait(agent_of(0), AGENT_GONE) ? failed(run, 0, "no agent") : 0;
}

/* Nothing of this program is left for the next: its processes end, what was sent is dropped. */
static void clean(void)
{
	char byte;
	unsigned int i;

	for (i = 0; i < PROCESSES; i++)
		reap(i);
	for (i = 0; i < QUEUES; i++)
		while (recv(FD_QUEUES + 2 * i + 1, &byte, 1, MSG_DONTWAIT) > 0)
			;
}

int apart_program(struct run *run)
{
	unsigned int i;
	int ret = start(run);

	for (i = 0; !ret && i < run->nr; i++)
		ret = run_op(run, i);
	clean();
	return ret;
}

static int move_fd(int fd, int to)
{
	if (fd < 0 || dup2(fd, to) < 0)
		return -1;
	close(fd);
	return 0;
}

/* Before the limit of descriptors is set. Returns 0, or -1 with errno set. */
int apart_open(struct run *run)
{
	int memory = memfd_create("fuzz", 0), pair[2];
	unsigned int i;

	if (memory < 0 || ftruncate(memory, sizeof(*ARENA)) || move_fd(memory, FD_ARENA) ||
	    agent_map())
		return -1;
	for (i = 0; i < QUEUES; i++)
		if (socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) ||
		    move_fd(pair[0], FD_QUEUES + 2 * i) || move_fd(pair[1], FD_QUEUES + 2 * i + 1))
			return -1;
	run->memory = ARENA->memory;
	return 0;
}
