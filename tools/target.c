// SPDX-License-Identifier: GPL-2.0-only
/*
 * Contexts that the user names: by id or name, which the module finds; or as
 * PID:FD, a descriptor that is taken from the process. Where the module finds
 * nothing (it may be older, or the context another user's who passed it on) /proc
 * is searched for a process that the descriptor may be taken from.
 */
#include <ctxfd.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctx.h"

/* How often all processes are searched: a context may change hands meanwhile. */
#define SEARCHES	3

/* Reads a number without blanks or signs. Returns what follows it, or NULL. */
static const char *parse_number(const char *text, uint64_t max, uint64_t *number)
{
	char *end;

	if (*text < '0' || *text > '9')
		return NULL;
	errno = 0;
	*number = strtoull(text, &end, 10);
	return errno || *number > max ? NULL : end;
}

/* Whether it is of the form PID:FD, which is then in @target. */
static bool parse_descriptor(struct target *target, const char *text)
{
	uint64_t pid, fd;
	const char *rest = parse_number(text, INT_MAX, &pid);

	if (!rest || *rest != ':' || !pid)
		return false;
	rest = parse_number(rest + 1, INT_MAX, &fd);
	if (!rest || *rest)
		return false;
	target->pid = (pid_t)pid;
	target->fd = (int)fd;
	return true;
}

/* Whether it is of the form ID or #ID. */
static bool parse_id(struct target *target, const char *text)
{
	const char *rest = parse_number(text + (text[0] == '#'), UINT64_MAX, &target->id);

	if (rest && !*rest && target->id)
		return true;
	target->id = 0;
	return false;
}

bool targets_parse(struct target *targets, char **argv, int n)
{
	struct target *target;

	for (target = targets; target < targets + n; target++, argv++) {
		*target = (struct target){ .text = *argv };
		if (!**argv) {
			bad_usage("'' names no context");
			return false;
		}
		if (!parse_descriptor(target, *argv))
			parse_id(target, *argv);
	}
	return true;
}

/* The descriptor @fd of the process, or -1. */
static int take_fd(pid_t pid, int fd)
{
	int pidfd = pidfd_open(pid, 0), ret, saved;

	if (pidfd < 0) {
		/* Of a thread, which is not a process. */
		if (errno == EINVAL || errno == ENOENT)
			errno = ESRCH;
		return -1;
	}
	ret = pidfd_getfd(pidfd, fd, 0);
	saved = errno;
	close(pidfd);
	errno = saved;
	return ret;
}

/* A context, or what has no file system to lie about it: FUSE answers any ioctl. */
static bool get_info(int fd, struct ctx_info *info)
{
	struct statx stx;

	/* From what is known already: a server that is asked may not answer. */
	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &stx))
		return false;
	return (!(stx.stx_mode & S_IFMT) || S_ISCHR(stx.stx_mode)) && !ctxfd_info(fd, info);
}

static bool is_writable(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	return flags >= 0 && (flags & O_ACCMODE) == O_RDWR;
}

static void complain_refused(const struct target *target, pid_t pid)
{
	complain("%s: you may not trace process %d, so take no descriptor of it; try as root",
		 target->text, pid);
}

static void complain_no_context(const struct target *target)
{
	complain("%s: that is no context; 'ctx tree --holders' shows who holds what",
		 target->text);
}

static void complain_not_taken(const struct target *target)
{
	switch (errno) {
	case ESRCH:
		complain("%s: there is no process %d; 'ctx tree --holders' shows who holds what",
			 target->text, target->pid);
		break;
	case EBADF:
		complain("%s: process %d has no descriptor %d; 'ctx tree --holders' shows who "
			 "holds what", target->text, target->pid, target->fd);
		break;
	default:
		complain("%s: cannot take the descriptor: %s", target->text, strerror(errno));
	}
}

static void complain_read_only(const struct target *target)
{
	complain("%s: held read-only there; give the id", target->text);
}

/*
 * To look at a descriptor takes less than to take it: what ptrace_scope forbids is
 * allowed by the user's right to the context. No more than the descriptor could.
 */
static int open_behind_fd(const struct target *target, bool writable)
{
	struct descriptor descriptor;
	int fd;

	if (!descriptor_look(target->pid, target->fd, &descriptor)) {
		if (!errno)
			complain_no_context(target);
		else
			complain_refused(target, target->pid);
		return -1;
	}
	if (writable && !descriptor.writable) {
		complain_read_only(target);
		return -1;
	}
	fd = ctxfd_open(descriptor.id, writable ? CTX_OPEN_CONTROL : 0);
	if (fd < 0)
		complain_refused(target, target->pid);
	return fd;
}

static int open_by_fd(const struct target *target, bool writable)
{
	int fd = take_fd(target->pid, target->fd);
	struct ctx_info info;

	if (fd < 0 && errno == EPERM)
		return open_behind_fd(target, writable);
	if (fd < 0) {
		complain_not_taken(target);
		return -1;
	}
	if (!get_info(fd, &info))
		complain_no_context(target);
	else if (writable && !info.id)
		complain("%s: that is /dev/ctx, the background, which is never cancelled",
			 target->text);
	else if (writable && !is_writable(fd))
		complain_read_only(target);
	else
		return fd;
	close(fd);
	return -1;
}

/* What became of a search; the later, the more it got to. */
enum search { NOBODY, READ_ONLY, GONE, REFUSED, FOUND };

/* Tries one holder after the other. @pid is that which refused. */
static enum search search(const struct context *context, bool writable, int *fd, pid_t *pid)
{
	enum search result = READ_ONLY;
	const struct holder *holder;
	struct ctx_info info;

	if (!context || !context->holders)
		return NOBODY;
	for (holder = context->holders; holder; holder = holder->next) {
		if (writable && !holder->writable)
			continue;
		*fd = take_fd(holder->process->pid, holder->fd);
		if (*fd < 0 && errno == EPERM) {
			*pid = holder->process->pid;
			result = REFUSED;
			continue;
		}
		/* The number may stand for something else by now. */
		if (*fd >= 0 && get_info(*fd, &info) && info.id == context->info.id &&
		    (!writable || is_writable(*fd)))
			return FOUND;
		if (*fd < 0 && errno != ESRCH && errno != EBADF)
			die("cannot take a descriptor: %s", strerror(errno));
		if (*fd >= 0)
			close(*fd);
		if (result < GONE)
			result = GONE;
	}
	return result;
}

enum past { NEVER, ONCE, UNKNOWN };

/* Whether a context has had this id: they are given out in turn. */
static enum past was_there(uint64_t id)
{
	struct ctx_info info;
	enum past past = UNKNOWN;
	uint64_t later;
	int fd;

	if (ctxfd_list(id, &later, 1) > 0)
		return ONCE;
	/* The next id, where the user's limit lets it be made. */
	fd = ctxfd_with_cancel(ctxfd_background());
	if (fd >= 0 && !ctxfd_info(fd, &info))
		past = info.id > id ? ONCE : NEVER;
	if (fd >= 0)
		close(fd);
	return past;
}

/* Where every context that there is can be seen. */
static bool in_first_pid_namespace(void)
{
	/* Its inode's number is fixed: PROC_PID_INIT_INO of the kernel. */
	static const ino_t first = 0xeffffffc;
	struct stat st;

	return !stat("/proc/self/ns/pid", &st) && st.st_ino == first;
}

/* Sets errno to ESTALE for a context that was there once. */
static void complain_not_there(const struct target *target, uint64_t id)
{
	enum past past = was_there(id);
	const char *what = "there is no such context";

	if (past == ONCE && in_first_pid_namespace()) {
		complain("%s: this context is no more", target->text);
		errno = ESTALE;
		return;
	}
	if (past == ONCE)
		what = "this context is no more, or is of another container";
	else if (past == UNKNOWN)
		what = "this context is no more, or never was";
	complain("%s: %s; 'ctx tree' lists them", target->text, what);
	errno = ENOENT;
}

/* From a process that has it. @opened is why it could not be opened. */
static int open_held(const struct target *target, uint64_t id, struct forest *forest, bool writable,
		     int opened)
{
	/* What the module does not find is another container's, or none: that changes no more. */
	int searches = opened == ENOENT ? 1 : SEARCHES;
	enum search result = NOBODY;
	pid_t pid = 0;
	int fd, i;

	/* Without /proc, what the module said has to do. */
	for (i = 0; i < searches && (opened == ENOTTY || !access("/proc/self", F_OK)); i++) {
		if (i || !forest->nr) {
			forest_free(forest);
			forest_scan(forest);
		}
		result = search(forest_find(forest, id), writable, &fd, &pid);
		if (result == FOUND)
			return fd;
		if (result == REFUSED || result == READ_ONLY)
			break;
	}
	if (opened == EPERM)
		complain("%s: this context is another user's; try as root", target->text);
	else if (result == REFUSED)
		complain_refused(target, pid);
	else if (result == READ_ONLY)
		complain("%s: held read-only by all that you may see; try as root", target->text);
	else if (opened == ENOENT)
		complain_not_there(target, id);
	else if (!forest->nr && access("/dev/ctx", F_OK))
		need_module();
	else
		complain("%s: nobody holds such a context%s", target->text, forest->nr_hidden ?
			 " that you may see; try as root" : "; 'ctx tree' lists them");
	return -1;
}

/* Whether the module finds contexts; says so where it is too old. */
static bool module_finds(void)
{
	static bool said; /* one line a run, however many contexts are named */

	if (can_find())
		return true;
	if (errno == ENOTTY && !said)
		complain("the module is too old to find contexts by id or name; searching /proc");
	said |= errno == ENOTTY;
	return false;
}

static int open_by_id(const struct target *target, uint64_t id, struct forest *forest,
		      bool writable)
{
	int fd, why = ENOTTY;

	if (module_finds()) {
		fd = ctxfd_open(id, writable ? CTX_OPEN_CONTROL : 0);
		if (fd >= 0)
			return fd;
		why = errno;
		if (why != ENOENT && why != EPERM) {
			complain("%s: cannot open it: %s", target->text, strerror(why));
			return -1;
		}
	}
	return open_held(target, id, forest, writable, why);
}

static uint64_t id_of_name(const struct target *target, struct forest *forest)
{
	struct found found = {};
	uint64_t id;

	if (module_finds()) {
		find_listed(&found, target->text);
	} else {
		if (!forest->nr)
			forest_scan(forest);
		find_held(&found, forest, target->text);
		if (!forest->nr && access("/dev/ctx", F_OK))
			need_module();
	}
	id = found_one(&found, target->text);
	free(found.info);
	return id;
}

int target_open(const struct target *target, struct forest *forest, bool writable)
{
	uint64_t id = target->id;

	/* Not what became of an earlier one: most that goes wrong here sets none. */
	errno = 0;
	if (target->pid)
		return open_by_fd(target, writable);
	if (!id)
		id = id_of_name(target, forest);
	return id ? open_by_id(target, id, forest, writable) : -1;
}

/* Whether CTX_FD names a descriptor, but of no context and not of /dev/ctx. */
static bool is_lost(const char *text)
{
	struct ctx_info info;

	/* NOLINTNEXTLINE(cert-err34-c): a number, as ctxfd_from_env() has found */
	return text && *text && !get_info(atoi(text), &info);
}

/*
 * For who runs below a program that closes what it does not know: the id leads to what
 * the descriptor was of. Returns @background where it does not.
 */
static int open_lost(const char *text, int background)
{
	const char *id = getenv("CTX_ID");
	uint64_t number = 0;
	const char *end = id ? parse_number(id, UINT64_MAX, &number) : NULL;
	int fd = end && !*end && number ? ctxfd_open(number, 0) : -1;

	if (fd >= 0) {
		complain("CTX_FD=%s: a program in between has closed this descriptor, or used it: "
			 "going on with the context of CTX_ID=%s", text, id);
		return fd;
	}
	complain("CTX_FD=%s: a program in between has closed this descriptor, or used it: going on "
		 "without a context; have it pass the descriptor on, or unset CTX_FD", text);
	return background;
}

int ambient_open(void)
{
	const char *text = getenv("CTX_FD");
	int fd = ctxfd_from_env();

	if (fd >= 0 && fd == ctxfd_background() && is_lost(text))
		return open_lost(text, fd);
	if (fd < 0 && errno == EINVAL) {
		complain("CTX_FD=%s in the environment is no descriptor's number; unset it",
			 text);
	} else if (fd < 0) {
		need_module();
		complain("cannot open /dev/ctx: %s", strerror(errno));
	}
	return fd;
}
