// SPDX-License-Identifier: GPL-2.0-only
/*
 * The tracepoints of contexts, read as they come, from an instance of tracefs of our own.
 */
#include <dirent.h>
#include <errno.h>
#include <event-parse.h>
#include <fcntl.h>
#include <kbuffer.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <tracefs.h>
#include <unistd.h>

#include "trace.h"

#define SYSTEM		"ctx"
#define PREFIX		"ctx-log-"
/* Of each processor: some thousand events, until they are read. */
#define BUFFER_KB	512
/* How long a processor that was never on is left alone. */
#define RETRY		(1 * NSEC_PER_SEC)
/* How often another may take a stale instance for its own. */
#define TRIES		8

static const char *const events[] = {
	[TRACE_CREATE]	= "ctx_create",
	[TRACE_CANCEL]	= "ctx_cancel",
	[TRACE_WAKE]	= "ctx_wake",
	[TRACE_RELEASE]	= "ctx_release",
};

/* The buffer of a processor. */
struct cpu {
	int fd;
	bool ready;		/* there may be something to read */
	struct kbuffer *kbuffer;
	void *page;
	void *event;		/* the next one; NULL where there must be read more */
	unsigned long long time;
	bool lost;		/* what came before the next one */
};

struct trace {
	struct tracefs_instance *instance;
	struct tep_handle *tep;
	int lock;		/* the instance's folder, locked while we live */
	int ids[TRACE_KINDS];
	struct cpu *cpus;
	nfds_t nr;
	struct pollfd *fds;	/* of the processors, and TRACE_OTHERS more */
	int64_t clock_offset;
	uint64_t until;		/* up to this time all events are there */
	uint64_t retried;	/* when processors that had no buffer were tried again */
};

/* For the end of the program: whatever calls exit(), the instance must not stay. */
static struct trace *opened;

static void remove_instance(struct trace *trace)
{
	nfds_t i;

	if (!trace->instance)
		return;
	/* Its files have to be closed. */
	for (i = 0; i < trace->nr; i++)
		close(trace->cpus[i].fd);
	tracefs_event_disable(trace->instance, SYSTEM, NULL);
	tracefs_instance_destroy(trace->instance);
	tracefs_instance_free(trace->instance);
	trace->instance = NULL;
	close(trace->lock);
}

static void remove_at_exit(void)
{
	if (opened)
		remove_instance(opened);
}

/* The folder of instances. Ends the program where we cannot have one. */
static char *instances_folder(void)
{
	const char *root = tracefs_tracing_dir();
	char *folder;

	if (!root && !geteuid())
		die("there is no tracefs: 'mount -t tracefs none /sys/kernel/tracing'");
	if (!root)
		die("there is no tracefs that you may use; try as root");
	folder = tracefs_get_tracing_file("instances");
	need(folder);
	if (access(folder, W_OK | X_OK)) {
		if (errno == EACCES || errno == EPERM)
			die("you may not trace the kernel, at %s; try as root", root);
		die("cannot use %s: %s", folder, strerror(errno));
	}
	return folder;
}

/* "ctx-log-123-0": what others call theirs is none of our business. */
static bool is_ours(const char *name)
{
	static const char digits[] = "0123456789";
	size_t n;

	if (strncmp(name, PREFIX, strlen(PREFIX)))
		return false;
	name += strlen(PREFIX);
	n = strspn(name, digits);
	if (!n || name[n] != '-')
		return false;
	name += n + 1;
	n = strspn(name, digits);
	return n && !name[n];
}

/*
 * Locks the folder of an instance: a descriptor, or -1 where somebody else has it, or it is not
 * there. Who holds the lock may remove it, nobody else: so what was locked is to be what has the
 * name, now that nobody can give it to another.
 */
static int lock_instance(int folder, const char *name)
{
	int fd = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat locked, named;

	if (fd < 0)
		return -1;
	if (!flock(fd, LOCK_EX | LOCK_NB) && !fstat(fd, &locked) &&
	    !fstatat(folder, name, &named, AT_SYMLINK_NOFOLLOW) &&
	    locked.st_ino == named.st_ino && locked.st_dev == named.st_dev)
		return fd;
	close(fd);
	return -1;
}

/* Removes instances that were left behind: nobody who lives has locked them. */
static void remove_stale(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	int lock;

	while (dir && (entry = readdir(dir))) {
		if (!is_ours(entry->d_name))
			continue;
		lock = lock_instance(dirfd(dir), entry->d_name);
		if (lock < 0)
			continue;
		unlinkat(dirfd(dir), entry->d_name, AT_REMOVEDIR);
		close(lock);
	}
	if (dir)
		closedir(dir);
}

/* An instance of this name, which is new and ours. */
static bool create_instance(struct trace *trace, const char *path, const char *name)
{
	int folder;

	trace->instance = tracefs_instance_create(name);
	if (!trace->instance)
		return false;
	folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	trace->lock = lock_instance(folder, name);
	if (folder >= 0)
		close(folder);
	if (trace->lock >= 0 && tracefs_instance_is_new(trace->instance))
		return true;
	/* Somebody else's, or one who cleans up was quicker than the lock. */
	if (trace->lock >= 0)
		close(trace->lock);
	tracefs_instance_free(trace->instance);
	trace->instance = NULL;
	errno = EBUSY;
	return false;
}

static void make_instance(struct trace *trace)
{
	char *path = instances_folder();
	char name[64];
	int i;

	remove_stale(path);
	for (i = 0; i < TRIES; i++) {
		snprintf(name, sizeof(name), PREFIX "%d-%d", getpid(), i);
		if (create_instance(trace, path, name))
			break;
	}
	if (!trace->instance)
		die("cannot make a folder in %s: %s", path, strerror(errno));
	tracefs_put_tracing_file(path);
}

static void find_events(struct trace *trace, unsigned int kinds)
{
	static const char *const systems[] = { SYSTEM, NULL };
	struct tep_event *event;
	unsigned int i;

	trace->tep = tracefs_local_events_system(NULL, systems);
	if (!trace->tep)
		die("cannot read what events there are: %s", strerror(errno));
	for (i = 0; i < TRACE_KINDS; i++) {
		if (!(kinds & 1U << i))
			continue;
		event = tep_find_event_by_name(trace->tep, SYSTEM, events[i]);
		if (!event)
			die("the module has no tracepoint %s: load one for a kernel with tracing",
			    events[i]);
		trace->ids[i] = event->id;
		if (tracefs_event_enable(trace->instance, SYSTEM, events[i]))
			die("cannot turn on the tracepoint %s: %s", events[i], strerror(errno));
	}
}

static void add_cpu(struct trace *trace, const char *name)
{
	enum kbuffer_long_size size = tep_get_header_page_size(trace->tep) == 4 ?
				      KBUFFER_LSIZE_4 : KBUFFER_LSIZE_8;
	struct cpu *cpu;
	char *file;
	int fd;

	if (asprintf(&file, "per_cpu/%s/trace_pipe_raw", name) < 0)
		need(NULL);
	fd = tracefs_instance_file_open(trace->instance, file, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	free(file);
	if (fd < 0)
		die("cannot read the trace of %s: %s", name, strerror(errno));
	trace->cpus = need(reallocarray(trace->cpus, trace->nr + 1, sizeof(*trace->cpus)));
	cpu = &trace->cpus[trace->nr];
	*cpu = (struct cpu){
		.fd = fd,
		.kbuffer = need(kbuffer_alloc(size, tep_is_bigendian() ? KBUFFER_ENDIAN_BIG :
					      KBUFFER_ENDIAN_LITTLE)),
		.page = need(malloc((size_t)getpagesize())),
	};
	trace->nr++;
}

static void open_cpus(struct trace *trace)
{
	char *path = need(tracefs_instance_get_file(trace->instance, "per_cpu"));
	DIR *dir = opendir(path);
	struct dirent *entry;
	nfds_t i;

	if (!dir)
		die("cannot read %s: %s", path, strerror(errno));
	while ((entry = readdir(dir)))
		if (!strncmp(entry->d_name, "cpu", 3))
			add_cpu(trace, entry->d_name);
	closedir(dir);
	tracefs_put_tracing_file(path);
	trace->fds = need(calloc(trace->nr + TRACE_OTHERS, sizeof(*trace->fds)));
	for (i = 0; i < trace->nr; i++)
		trace->fds[i] = (struct pollfd){ .fd = trace->cpus[i].fd, .events = POLLIN };
}

/* How far CLOCK_MONOTONIC is ahead of that of the initial time namespace. */
static int64_t clock_offset(void)
{
	FILE *file = fopen("/proc/self/timens_offsets", "re");
	long long s = 0, ns = 0;

	if (!file)
		return 0;
	/* NOLINTNEXTLINE(cert-err34-c): written by the kernel */
	if (fscanf(file, "monotonic %lld %lld", &s, &ns) != 2) {
		s = 0;
		ns = 0;
	}
	(void)fclose(file);
	return s * (int64_t)NSEC_PER_SEC + ns;
}

struct trace *trace_open(unsigned int kinds)
{
	struct trace *trace = need(calloc(1, sizeof(*trace)));

	need_module();
	tracefs_set_loglevel(TEP_LOG_NONE);
	opened = trace;
	atexit(remove_at_exit);
	make_instance(trace);
	if (tracefs_instance_file_write(trace->instance, "trace_clock", "mono") < 0)
		die("cannot choose the clock of the trace: %s", strerror(errno));
	/* What follows is for the better: a kernel without it does as well. */
	tracefs_instance_set_buffer_size(trace->instance, BUFFER_KB, -1);
	tracefs_instance_file_write(trace->instance, "buffer_percent", "0");
	find_events(trace, kinds);
	open_cpus(trace);
	trace->clock_offset = clock_offset();
	return trace;
}

uint64_t trace_now(const struct trace *trace)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)(now.tv_sec * (int64_t)NSEC_PER_SEC + now.tv_nsec - trace->clock_offset);
}

/* Tries those again that were left alone. */
static void retry(struct trace *trace, uint64_t now)
{
	nfds_t i;

	if (now - trace->retried < RETRY)
		return;
	trace->retried = now;
	for (i = 0; i < trace->nr; i++)
		trace->fds[i].fd = trace->cpus[i].fd;
}

void trace_poll(struct trace *trace, struct pollfd *others, int timeout)
{
	struct pollfd *their = trace->fds + trace->nr;
	uint64_t now = trace_now(trace);
	nfds_t i;
	int n;

	retry(trace, now);
	/* What is earlier than this shows when it is asked for now. */
	trace->until = now;
	for (i = 0; i < trace->nr; i++) {
		if (!trace->cpus[i].event)
			continue;
		timeout = 0;
		if (trace->cpus[i].time > trace->until)
			trace->until = trace->cpus[i].time;
	}
	memcpy(their, others, TRACE_OTHERS * sizeof(*others));
	n = poll(trace->fds, trace->nr + TRACE_OTHERS, timeout);
	for (i = 0; i < TRACE_OTHERS; i++) {
		others[i].revents = 0;
		if (n > 0)
			others[i].revents = their[i].revents;
	}
	for (i = 0; i < trace->nr && n > 0; i++) {
		if (trace->fds[i].revents & POLLIN)
			trace->cpus[i].ready = true;
		else if (trace->fds[i].revents)
			trace->fds[i].fd = -1;	/* it has no buffer until it is on */
	}
}

/* The next event of the processor, where there is one. */
static void read_cpu(struct cpu *cpu)
{
	ssize_t n;

	while (cpu->ready && !cpu->event) {
		n = read(cpu->fd, cpu->page, (size_t)getpagesize());
		if (n < 0 && errno == EINTR)
			continue;
		cpu->ready = n > 0 && !kbuffer_load_subbuffer(cpu->kbuffer, cpu->page);
		if (!cpu->ready)
			return;
		cpu->lost |= kbuffer_missed_events(cpu->kbuffer) != 0;
		cpu->event = kbuffer_read_event(cpu->kbuffer, &cpu->time);
	}
}

static uint64_t number(struct tep_event *type, const char *name, const void *data)
{
	unsigned long long value;

	if (tep_read_number_field(tep_find_field(type, name), data, &value))
		return 0;
	return value;
}

static void text(struct tep_event *type, const char *name, const struct tep_record *record,
		 char *to, size_t size)
{
	struct tep_format_field *field = tep_find_field(type, name);

	if (!field || field->offset < 0 || field->offset + field->size > record->size)
		return;
	if (size > (size_t)field->size)
		size = (size_t)field->size;
	memcpy(to, (char *)record->data + field->offset, size - 1);
}

static bool decode(struct trace *trace, struct tep_record *record, struct trace_event *event)
{
	int id = tep_data_type(trace->tep, record), i;
	struct tep_event *type;

	for (i = 0; i < TRACE_KINDS; i++)
		if (trace->ids[i] == id)
			break;
	type = i < TRACE_KINDS ? tep_find_event(trace->tep, id) : NULL;
	if (!type)
		return false;
	*event = (struct trace_event){
		.kind = (enum trace_kind)i,
		.time = record->ts,
		.thread = tep_data_pid(trace->tep, record),
		.id = number(type, "id", record->data),
		.parent = number(type, "parent", record->data),
		.origin = number(type, "origin", record->data),
		.err = (uint32_t)number(type, "err", record->data),
		.cause = (int32_t)number(type, "cause", record->data),
		.canceller = (pid_t)number(type, "canceller", record->data),
		.reached = number(type, "reached", record->data),
		.woken = number(type, "woken", record->data),
		.ns = number(type, "ns", record->data),
	};
	text(type, "name", record, event->name, sizeof(event->name));
	text(type, "message", record, event->message, sizeof(event->message));
	text(type, "comm", record, event->comm, sizeof(event->comm));
	return true;
}

bool trace_next(struct trace *trace, struct trace_event *event)
{
	struct tep_record record = {};
	struct cpu *cpu, *first;
	bool known;
	nfds_t i;

	do {
		first = NULL;
		for (i = 0; i < trace->nr; i++) {
			cpu = &trace->cpus[i];
			read_cpu(cpu);
			if (cpu->event && (!first || cpu->time < first->time))
				first = cpu;
		}
		if (!first || first->time > trace->until)
			return false;
		if (first->lost) {
			first->lost = false;
			*event = (struct trace_event){ .kind = TRACE_LOST, .time = first->time };
			return true;
		}
		record.ts = first->time;
		record.data = first->event;
		record.size = kbuffer_event_size(first->kbuffer);
		known = decode(trace, &record, event);
		first->event = kbuffer_next_event(first->kbuffer, &first->time);
	} while (!known);
	return true;
}

bool trace_has_events(const struct trace *trace)
{
	return tracefs_event_file_exists(trace->instance, SYSTEM, events[TRACE_CANCEL],
					 "enable");
}

void trace_close(struct trace *trace)
{
	nfds_t i;

	remove_instance(trace);
	opened = NULL;
	for (i = 0; i < trace->nr; i++) {
		kbuffer_free(trace->cpus[i].kbuffer);
		free(trace->cpus[i].page);
	}
	tep_free(trace->tep);
	free(trace->cpus);
	free(trace->fds);
	free(trace);
}
