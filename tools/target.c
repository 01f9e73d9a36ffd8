// SPDX-License-Identifier: GPL-2.0-only
/*
 * Contexts that the user names, as PID:FD or by id: a descriptor of each is taken
 * from a process that has one.
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

static bool target_parse(struct target *target, const char *text)
{
	const char *rest = parse_number(text[0] == '#' ? text + 1 : text, UINT64_MAX, &target->id);
	uint64_t fd = 0;

	target->text = text;
	if (rest && !*rest)
		return target->id > 0;
	if (text[0] == '#' || !rest || *rest != ':' || !target->id || target->id > INT_MAX)
		return false;
	target->pid = (pid_t)target->id;
	target->id = 0;
	rest = parse_number(rest + 1, INT_MAX, &fd);
	target->fd = (int)fd;
	return rest && !*rest;
}

bool targets_parse(struct target *targets, char **argv, int n)
{
	int i;

	for (i = 0; i < n; i++) {
		if (!target_parse(&targets[i], argv[i])) {
			bad_usage("'%s' is neither PID:FD nor the ID of a context", argv[i]);
			return false;
		}
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

static void complain_not_taken(const struct target *target)
{
	switch (errno) {
	case ESRCH:
		complain("%s: there is no process %d; 'ctx tree' shows who holds what",
			 target->text, target->pid);
		break;
	case EBADF:
		complain("%s: process %d has no descriptor %d; 'ctx tree' shows who holds what",
			 target->text, target->pid, target->fd);
		break;
	case EPERM:
		complain_refused(target, target->pid);
		break;
	default:
		complain("%s: cannot take the descriptor: %s", target->text, strerror(errno));
	}
}

static int open_by_fd(const struct target *target, bool writable)
{
	int fd = take_fd(target->pid, target->fd);
	struct ctx_info info;
	const char *wrong;

	if (fd < 0) {
		complain_not_taken(target);
		return -1;
	}
	if (!get_info(fd, &info))
		wrong = "that is no context; 'ctx tree' shows who holds what";
	else if (writable && !info.id)
		wrong = "that is /dev/ctx, the background, which is never cancelled";
	else if (writable && !is_writable(fd))
		wrong = "held read-only there; give the ID, or a holder marked * in 'ctx tree'";
	else
		return fd;
	complain("%s: %s", target->text, wrong);
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

static int open_by_id(const struct target *target, struct forest *forest, bool writable)
{
	enum search result = NOBODY;
	pid_t pid = 0;
	int fd, i;

	for (i = 0; i < SEARCHES; i++) {
		if (i || !forest->nr) {
			forest_free(forest);
			forest_scan(forest);
		}
		result = search(forest_find(forest, target->id), writable, &fd, &pid);
		if (result == FOUND)
			return fd;
		if (result == REFUSED || result == READ_ONLY)
			break;
	}
	switch (result) {
	case REFUSED:
		complain_refused(target, pid);
		break;
	case READ_ONLY:
		complain("%s: held read-only by all that you may see; try as root", target->text);
		break;
	default:
		if (!forest->nr)
			need_module();
		complain("%s: nobody holds such a context%s", target->text, forest->nr_hidden ?
			 " that you may see; try as root" : "; 'ctx tree' lists them");
	}
	return -1;
}

int target_open(const struct target *target, struct forest *forest, bool writable)
{
	return target->id ? open_by_id(target, forest, writable) : open_by_fd(target, writable);
}

int ambient_open(void)
{
	int fd = ctxfd_from_env();

	if (fd < 0 && errno == EINVAL) {
		complain("CTX_FD=%s in the environment is no descriptor's number; unset it",
			 getenv("CTX_FD"));
	} else if (fd < 0) {
		need_module();
		complain("cannot open /dev/ctx: %s", strerror(errno));
	}
	return fd;
}
