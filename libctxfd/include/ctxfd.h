/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libctxfd: cancellation contexts for programs, over /dev/ctx.
 *
 * A context is a file descriptor. Work that is done under it waits for it with
 * poll beside everything else that it waits for, and stops once it is readable.
 * Whoever holds the context writable cancels it, and with it all that was made
 * below it, in whatever process; so does its deadline, and so does the end of
 * the last process that holds it writable.
 *
 * Rules that hold for every function:
 *
 * - Failure is -1 with errno set, and has then changed nothing. Beside the
 *   errors that a function names, a descriptor that is not open gives EBADF and
 *   one that is no context ENOTTY.
 * - Given the -1 of a call that failed as its context, a function fails and leaves
 *   errno as that call set it: calls can be nested, and the error of the innermost
 *   shows. ENOENT or ENODEV, the module is not loaded. Where errno is 0, it gives
 *   the error of ctxfd_background(), or EBADF where that works.
 * - Every descriptor that a function returns is close-on-exec and belongs to
 *   the caller, who closes it; ctxfd_background() alone is the library's.
 * - A time is a struct timespec with @tv_sec >= 0 and 0 <= @tv_nsec < 10^9, all
 *   else gives EINVAL. A NULL stands for none: no timeout, no deadline.
 * - Signals do not end a call: it goes on after the handler, for what is left
 *   of its time.
 * - All may be called from several threads at once, and in a child after fork.
 */
#ifndef CTXFD_H
#define CTXFD_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>

#include <linux/ctx.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Seen through the -fvisibility=hidden that the library is built with. */
#pragma GCC visibility push(default)

/* A C99 compiler that is held to the letter has <time.h> without it. */
struct timespec;

/* The version of this header, and the number that #if can compare. */
#define CTXFD_VERSION_MAJOR	0
#define CTXFD_VERSION_MINOR	4
#define CTXFD_VERSION_PATCH	0
#define CTXFD_VERSION_NUMBER(major, minor, patch) (((major) << 16) | ((minor) << 8) | (patch))
#define CTXFD_VERSION \
	CTXFD_VERSION_NUMBER(CTXFD_VERSION_MAJOR, CTXFD_VERSION_MINOR, CTXFD_VERSION_PATCH)

/**
 * ctxfd_version() - the version of the library that the program runs with
 *
 * That of the header is CTXFD_VERSION.
 *
 * Return: as CTXFD_VERSION, so that CTXFD_VERSION_NUMBER(0, 4, 0) or more has all
 * that came with 0.4.
 */
unsigned int ctxfd_version(void);

/**
 * ctxfd_background() - the context that is never cancelled
 *
 * The parent of every root. The first call opens /dev/ctx, and all share that
 * descriptor: it belongs to the library, is never to be closed and stays open
 * until the program ends. A child inherits it over fork, not over exec. A
 * program that closes descriptors it did not open, as some daemons do, closes
 * this one too: what the library then takes for the background is whatever got
 * its number. Such a program does its closing before its first call, or opens
 * /dev/ctx itself and passes that descriptor as the parent.
 *
 * Return: the descriptor, or -1 with an errno of open: ENOENT where the module
 * is not loaded, EMFILE, ENFILE, ENOMEM.
 */
int ctxfd_background(void);

/**
 * ctxfd_create() - a new context, with all that one can have
 * @parent: a context, writable or not, or the background
 * @args: see <linux/ctx.h>; zeroed, it stands for a plain child. The new
 *	descriptor is close-on-exec whatever @fd_flags say
 *
 * A child of a cancelled context is created cancelled, as that was.
 *
 * Return: a writable descriptor, or -1: EFAULT where @args is NULL; EINVAL for
 * what <linux/ctx.h> says; ELOOP where the tree is too deep, or has too many ways
 * up; EPERM where a parent is what ctxfd_watch_only() gave; ENOSPC where the user
 * may have no more contexts; EMFILE, ENFILE, ENOMEM.
 */
int ctxfd_create(int parent, const struct ctx_create_args *args);

/* A value to create a context with. */
struct ctxfd_pair {
	const char *key;	/* 1 to CTX_KEY_MAX bytes */
	const void *data;	/* may be NULL where @size is 0 */
	size_t size;		/* at most CTX_VALUE_MAX */
};

/* What a context can have. All zero stands for a plain child; more may come at the end. */
struct ctxfd_create_opts {
	const char *name;			/* for people, under CTX_NAME_LEN bytes; or NULL */
	const struct timespec *timeout;		/* as ctxfd_with_timeout(), or NULL */
	const struct timespec *deadline;	/* as ctxfd_with_deadline(), or NULL */
	clockid_t clock;			/* of @deadline */
	unsigned int flags;			/* CTX_CREATE_*, but for _TIMEOUT */
	const struct ctxfd_pair *values;
	const int *parents;			/* contexts: further parents */
	unsigned int nr_values;			/* at most CTX_VALUES_MAX */
	unsigned int nr_parents;		/* at most CTX_PARENTS_MAX */
};

/**
 * ctxfd_create_opts_sized() - ctxfd_create_opts() for who has no inline functions
 * @parent: as there
 * @opts: as there
 * @size: of the structure, as the caller knows it
 *
 * Return: as ctxfd_create_opts(); E2BIG where @opts has something that this library
 * does not know, EINVAL where @size is smaller than it was in libctxfd 0.4.
 */
int ctxfd_create_opts_sized(int parent, const struct ctxfd_create_opts *opts, size_t size);

/**
 * ctxfd_create_opts() - a new context, with name, time, values and parents
 * @parent: a context, writable or not, or the background
 * @opts: what it has; NULL for nothing
 *
 * With CTX_CREATE_OWNED among the flags, it ends with this process, whoever inherited a
 * descriptor of it.
 *
 * Return: as ctxfd_create(); EINVAL also for a longer name, for both timeout and
 * deadline, and for flags that the module does not know.
 */
static inline int ctxfd_create_opts(int parent, const struct ctxfd_create_opts *opts)
{
	return ctxfd_create_opts_sized(parent, opts, sizeof(*opts));
}

/**
 * ctxfd_open() - a descriptor of the context that has an id
 * @id: of struct ctx_info, unique since the module was loaded
 * @flags: CTX_OPEN_CONTROL for one that can cancel and move the deadline, too; 0 for a
 *	read-only one as from ctxfd_watch()
 *
 * For who lost the descriptor, or never had it. Its close releases nothing. The caller
 * must see the process that made the context in its pid namespace or in one below, and
 * must have that one's uid, or CAP_KILL there.
 *
 * Return: the descriptor, or -1: ENOENT where there is none that the caller could see;
 * EPERM where it is another user's; EINVAL for other flags; ENOTTY where the module
 * knows no such call; EMFILE, ENFILE, ENOMEM; or as ctxfd_background().
 */
int ctxfd_open(uint64_t id, unsigned int flags);

/**
 * ctxfd_list() - the ids of the contexts that the caller could open
 * @after: only ids over this one; 0 for all
 * @ids: takes them, the lowest first
 * @n: how many fit there
 *
 * Who wants all goes on after the last one until there are less than @n. Contexts come
 * and go meanwhile; those that exist throughout are all there, once.
 *
 * Return: how many there are in @ids, or -1: EFAULT; ENOTTY where the module knows no
 * such call; ENOMEM; or as ctxfd_background().
 */
ssize_t ctxfd_list(uint64_t after, uint64_t *ids, size_t n);

/**
 * ctxfd_with_cancel() - a child without a deadline of its own
 * @parent: a context, writable or not, or the background
 *
 * Return: as ctxfd_create().
 */
int ctxfd_with_cancel(int parent);

/**
 * ctxfd_with_timeout() - a child that is cancelled after a time
 * @parent: a context, writable or not, or the background
 * @timeout: from now, on CLOCK_MONOTONIC; zero creates it cancelled; NULL, or
 *	what is beyond the clock's 292 years, never comes
 *
 * The deadline of an ancestor, where that is earlier, still holds.
 *
 * Return: as ctxfd_create(); EINVAL for a bad @timeout.
 */
int ctxfd_with_timeout(int parent, const struct timespec *timeout);

/**
 * ctxfd_with_deadline() - a child that is cancelled at a point in time
 * @parent: a context, writable or not, or the background
 * @clock: CLOCK_REALTIME, CLOCK_MONOTONIC or CLOCK_BOOTTIME
 * @deadline: on @clock; one that has passed creates it cancelled; NULL for none
 *
 * Return: as ctxfd_create(); EINVAL for another clock, a bad @deadline or one
 * beyond the clock's 292 years.
 */
int ctxfd_with_deadline(int parent, clockid_t clock, const struct timespec *deadline);

/**
 * ctxfd_with_value() - a child that has a value
 * @parent: a context, writable or not, or the background
 * @key: a string of 1 to CTX_KEY_MAX bytes
 * @data: the value; may be NULL where @size is 0
 * @size: its bytes, at most CTX_VALUE_MAX
 *
 * ctxfd_create() sets several at once.
 *
 * Return: as ctxfd_create(); EINVAL for a key or a size outside its range,
 * EFAULT where @key is NULL.
 */
int ctxfd_with_value(int parent, const char *key, const void *data, size_t size);

/**
 * ctxfd_without_cancel() - a child that its parent's cancellation does not reach
 * @parent: a context, writable or not, or the background
 *
 * It has its parent's values, but neither its cancellation nor its deadline,
 * also where the parent is cancelled already. The release of its own last
 * writable descriptor cancels it as any other.
 *
 * Return: as ctxfd_create().
 */
int ctxfd_without_cancel(int parent);

/**
 * ctxfd_merge() - a context that is cancelled with the first of several
 * @parents: contexts, writable or not; values come from the first of them
 * @n: how many, 1 to 1 + CTX_PARENTS_MAX
 *
 * Its deadline is the earliest of theirs.
 *
 * Return: as ctxfd_create(); EINVAL where @n is 0 or too large, or where one
 * but the first is no context; EBADF for one that is no descriptor; EFAULT
 * where @parents is NULL.
 */
int ctxfd_merge(const int *parents, unsigned int n);

/**
 * ctxfd_watch() - a read-only descriptor of the same context
 * @ctx: a context, writable or not
 *
 * What to hand to those who work for the caller: it can wait, ask and be a parent,
 * never cancel or move the deadline. It does not keep the context from being
 * cancelled when the last writable descriptor goes.
 *
 * Return: the descriptor, or -1: EPERM where @ctx is what ctxfd_watch_only() gave;
 * EMFILE, ENFILE, ENOMEM.
 */
int ctxfd_watch(int ctx);

/**
 * ctxfd_watch_only() - a descriptor of the same context that is fit for strangers
 * @ctx: a context, writable or not
 *
 * What to hand to those whom the caller does not trust: it can wait and ask, but
 * be no parent, so that nothing can be built below the context that its
 * cancellation has to reach. As what ctxfd_watch() gives, it never cancels and
 * never keeps from being cancelled.
 *
 * Return: the descriptor, or -1: EINVAL where the module knows no such
 * descriptors; EMFILE, ENFILE, ENOMEM.
 */
int ctxfd_watch_only(int ctx);

/**
 * ctxfd_cancel() - cancel the context and all below it
 * @ctx: a writable descriptor
 *
 * When it returns, everybody who waits on any of them has been woken.
 *
 * Return: 0 where this call cancelled it, 1 where it was cancelled before, or
 * -1: EBADF where @ctx is read-only.
 */
int ctxfd_cancel(int ctx);

/**
 * ctxfd_cancel_cause() - cancel, and say why
 * @ctx: a writable descriptor
 * @cause: an errno or a number of the application's own, over 0; 0 stands for
 *	ECANCELED
 * @message: UTF-8 for people, at most CTX_MESSAGE_MAX bytes without its NUL;
 *	may be NULL
 *
 * ctxfd_info() shows both, here and on every context that this one reached.
 *
 * Return: as ctxfd_cancel(); EINVAL for a @cause under 0 or a longer @message.
 */
int ctxfd_cancel_cause(int ctx, int cause, const char *message);

/**
 * ctxfd_set_deadline() - replace the context's own deadline
 * @ctx: a writable descriptor
 * @clock: CLOCK_REALTIME, CLOCK_MONOTONIC or CLOCK_BOOTTIME
 * @deadline: on @clock, earlier or later than before; one that has passed
 *	cancels the context; NULL for none
 *
 * What the context inherits stays.
 *
 * Return: 0, or -1: EBADF where @ctx is read-only; ECANCELED where it is
 * cancelled, whatever by; EINVAL as ctxfd_with_deadline(); ENOMEM.
 */
int ctxfd_set_deadline(int ctx, clockid_t clock, const struct timespec *deadline);

/**
 * ctxfd_set_timeout() - replace the context's own deadline by a time from now
 * @ctx: a writable descriptor
 * @timeout: as in ctxfd_with_timeout(); zero cancels the context
 *
 * Return: as ctxfd_set_deadline().
 */
int ctxfd_set_timeout(int ctx, const struct timespec *timeout);

/**
 * ctxfd_err() - whether the context is cancelled
 * @ctx: a context, writable or not, or the background
 *
 * Return: 0 while it is alive; ECANCELED or ETIMEDOUT, which then stays; -1.
 */
int ctxfd_err(int ctx);

/**
 * ctxfd_info() - all that there is to know about the context
 * @ctx: a context, writable or not; for the background all is zero
 * @info: filled in, see <linux/ctx.h>
 *
 * Return: 0, or -1: EFAULT.
 */
int ctxfd_info(int ctx, struct ctx_info *info);

/**
 * ctxfd_describe() - say in one line why a context ended, or that it is alive
 * @info: from ctxfd_info()
 * @buf: takes the line, with a NUL and without a newline; may be NULL where @size is 0
 * @size: bytes at @buf
 *
 * For people, in English. Control characters of a message become octal escapes. Such as:
 * "alive, 1.2 s left", "timed out", "its owner ended",
 * "cancelled: Connection reset by peer (client hung up) by context 17".
 *
 * Return: the length of the whole line without the NUL, which is cut where that is not
 * under @size; or -1 with EFAULT.
 */
int ctxfd_describe(const struct ctx_info *info, char *buf, size_t size);

/**
 * ctxfd_deadline() - when the context will be cancelled at the latest
 * @ctx: a context, writable or not, or the background
 * @deadline: takes the earliest deadline of the context and its ancestors, on
 *	CLOCK_MONOTONIC, whatever clock it was set on; left alone where there is
 *	none; may be NULL
 *
 * Return: 1 where it has one, 0 where it has none, or -1.
 */
int ctxfd_deadline(int ctx, struct timespec *deadline);

/**
 * ctxfd_value() - look a value up
 * @ctx: a context, writable or not, or the background, which has none
 * @key: a string of 1 to CTX_KEY_MAX bytes
 * @data: takes the value; may be NULL where @size is 0
 * @size: bytes at @data; 0 only asks for the length
 *
 * The nearest context upwards from this one that has the key gives the value.
 *
 * Return: the length of the value, or -1: ENODATA where none has the key;
 * ERANGE where @size is not 0 and too small; EINVAL for a key outside its
 * range; EFAULT where @key is NULL.
 */
ssize_t ctxfd_value(int ctx, const char *key, void *data, size_t size);

/**
 * ctxfd_wait() - wait until the context is cancelled
 * @ctx: a context, writable or not, or the background
 * @timeout: at most how long, on CLOCK_MONOTONIC; zero only looks; NULL waits
 *	for ever
 *
 * The O_NONBLOCK of @ctx makes no difference.
 *
 * Return: 1 once the context is cancelled, 0 where @timeout passed before, or
 * -1: EINVAL for a bad @timeout; ENOMEM.
 */
int ctxfd_wait(int ctx, const struct timespec *timeout);

/**
 * ctxfd_map() - map the context's status, so that a check is one load
 * @ctx: a context, writable or not, or the background
 *
 * The mapping stays valid when @ctx is closed, and in a child after fork.
 *
 * Return: the status, to be given to ctxfd_unmap(); NULL with errno set where it
 * fails: ENOSPC where the context was not mapped before and the user may have no
 * more; ENOMEM.
 */
const struct ctx_status *ctxfd_map(int ctx);

/**
 * ctxfd_unmap() - give back what ctxfd_map() returned
 * @status: the status; NULL is nothing to do
 *
 * Return: 0, or -1 with EINVAL for what is no such address.
 */
int ctxfd_unmap(const struct ctx_status *status);

/**
 * ctxfd_cancelled() - whether the context is cancelled, without a system call
 * @status: from ctxfd_map()
 *
 * Once it is true, @status->err and @status->cause are final.
 *
 * Return: true once the context is cancelled, for ever.
 */
static inline bool ctxfd_cancelled(const struct ctx_status *status)
{
	/* Model: err_acquire. Pairs with the kernel's release of err, after cause. */
	return __atomic_load_n(&status->err, __ATOMIC_ACQUIRE) != 0;
}

/*
 * Cancellable calls. Each is the system call of its name that also ends when
 * the context is cancelled: it then fails with ECANCELED or ETIMEDOUT, the
 * error of the context. Where what it waits for and the cancellation come
 * together, it completes normally: no byte, connection or child is lost, and a
 * loop over a source that never runs dry is to ask ctxfd_err() as well.
 *
 * They wait, whether the descriptor is blocking or not, and leave that mode as
 * it is, at every moment. Others may use the same descriptor at the same time:
 * where they take what both waited for, the call goes on to wait, and is still
 * cancellable. For that, where a descriptor is blocking and the kernel has no
 * other way (accept; connect; read and write on most that are neither socket nor
 * pipe), the call goes through io_uring, which takes longer. Where io_uring is
 * not allowed, it waits with poll and then makes the plain call, which waits,
 * without regard to the context, where somebody else was faster; connect gives
 * the socket a short SO_SNDTIMEO for a moment instead, which another process is
 * not to change meanwhile, and on a family that has none, takes up to that
 * family's own limit to notice, 2 s on AF_VSOCK. Through io_uring, a terminal
 * gives EIO to a process in the background, where read(2) would have stopped it
 * with SIGTTIN, and takes what it writes in spite of TOSTOP. Before Linux 6.4, of
 * a packet of a pipe that is longer than the buffer, the next read gives the rest.
 *
 * Regular files are taken for what never waits. The context does not end a read
 * of the few that do: /proc/kmsg, the trace_pipe of tracefs, a file of a server
 * that does not answer.
 *
 * A thread is not to leave one in the middle, by pthread_cancel() or a jump out
 * of a signal handler: descriptors would stay open, what was read be lost, and
 * an io_uring go on to write to the caller's memory.
 *
 * Each may fail with what its system call fails with, and with ENOMEM, EMFILE
 * and ENFILE.
 */

/**
 * ctxfd_poll() - poll(2) that the context ends
 * @ctx: a context, writable or not, or the background
 * @fds: as for poll(2)
 * @n: how many, less than RLIMIT_NOFILE
 * @timeout: at most how long, on CLOCK_MONOTONIC; zero only looks; NULL waits
 *	for ever
 *
 * Return: how many of @fds have events, 0 where @timeout passed before, or -1:
 * EINVAL for a bad @timeout or a larger @n.
 */
int ctxfd_poll(int ctx, struct pollfd *fds, nfds_t n, const struct timespec *timeout);

/**
 * ctxfd_read() - read(2) that the context ends
 * @ctx: a context, writable or not, or the background
 * @fd: the descriptor to read from
 * @buf: takes what is read
 * @size: bytes at @buf
 *
 * Return: the bytes that were read, 0 at the end of the file, or -1.
 */
ssize_t ctxfd_read(int ctx, int fd, void *buf, size_t size);

/**
 * ctxfd_write() - write(2) that the context ends
 * @ctx: a context, writable or not, or the background
 * @fd: the descriptor to write to
 * @buf: what to write
 * @size: bytes at @buf
 *
 * It writes what there is room for, at least a byte, and does not wait for the
 * room for the rest. A write of at most PIPE_BUF bytes to a pipe is whole.
 *
 * Return: the bytes that were written, which may be less than @size, or -1.
 */
ssize_t ctxfd_write(int ctx, int fd, const void *buf, size_t size);

/**
 * ctxfd_recv() - recv(2) that the context ends
 * @ctx: a context, writable or not, or the background
 * @sock: a socket
 * @buf: takes what is received
 * @size: bytes at @buf
 * @flags: as for recv(2); MSG_WAITALL is refused with EINVAL
 *
 * Return: the bytes that were received, 0 at the end of the stream, or -1.
 */
ssize_t ctxfd_recv(int ctx, int sock, void *buf, size_t size, int flags);

/**
 * ctxfd_send() - send(2) that the context ends
 * @ctx: a context, writable or not, or the background
 * @sock: a connected socket
 * @buf: what to send
 * @size: bytes at @buf
 * @flags: as for send(2)
 *
 * On a stream it sends what there is room for, as ctxfd_write() writes.
 *
 * Return: the bytes that were sent, or -1.
 */
ssize_t ctxfd_send(int ctx, int sock, const void *buf, size_t size, int flags);

/**
 * ctxfd_accept() - accept(2) that the context ends
 * @ctx: a context, writable or not, or the background
 * @sock: a listening socket
 * @addr: takes the address of the other end; may be NULL
 * @len: as for accept(2); NULL where @addr is
 *
 * Return: the descriptor of the connection, blocking, or -1.
 */
int ctxfd_accept(int ctx, int sock, struct sockaddr *addr, socklen_t *len);

/**
 * ctxfd_connect() - connect(2) that the context ends
 * @ctx: a context, writable or not, or the background
 * @sock: a socket
 * @addr: where to connect to
 * @len: bytes at @addr
 *
 * Under a context that is cancelled already it begins no connection. Where it
 * fails with the context's error later, the connection may still come about
 * behind it: all that is left to do with @sock is to close it. A connection that
 * is under way already is waited for; it gives ECONNABORTED where it failed and
 * another call was told why. While the backlog of the other is full, a Unix
 * socket that is non-blocking, or without io_uring, tries every 20 ms.
 *
 * Return: 0, or -1.
 */
int ctxfd_connect(int ctx, int sock, const struct sockaddr *addr, socklen_t len);

/**
 * ctxfd_sleep() - sleep that the context ends
 * @ctx: a context, writable or not, or the background
 * @duration: how long, on CLOCK_MONOTONIC; NULL sleeps until the cancellation
 *
 * Return: 0 after @duration, or -1: EINVAL for a bad @duration.
 */
int ctxfd_sleep(int ctx, const struct timespec *duration);

/* Where the headers of the C library were asked for no waitid, there is none. */
#if defined(_POSIX_C_SOURCE) && _POSIX_C_SOURCE >= 200809L
/**
 * ctxfd_waitid() - waitid(2) that the context ends
 * @ctx: a context, writable or not, or the background
 * @idtype: as for waitid(2)
 * @id: as for waitid(2)
 * @info: as for waitid(2)
 * @options: as for waitid(2)
 *
 * The end of one child, by P_PID or P_PIDFD, is noticed at once. For all else
 * (several children, a child that stops or goes on) the kernel has nothing to
 * wait for beside the context: the call looks every 20 ms.
 *
 * With WNOHANG it looks once and does not wait: @info->si_pid is 0 then where
 * there was nothing.
 *
 * Return: 0, with @info filled in, or -1.
 */
int ctxfd_waitid(int ctx, idtype_t idtype, id_t id, siginfo_t *info, int options);
#endif

/* A call that is to come. */
struct ctxfd_after;

/**
 * ctxfd_after_func() - call a function once the context is cancelled
 * @ctx: a context, writable or not, or the background; it may be closed
 *	afterwards
 * @fn: the function, which is to return
 * @arg: its argument
 *
 * @fn is called once, on the library's thread, which has all signals blocked. There
 * is one for all such functions: they are called one after the other, and one that
 * takes long, or waits for another, holds the others up. The thread exists while
 * anything is to come. It does not keep the context from being cancelled when its last
 * writable descriptor goes. A child that is forked meanwhile has no such thread: there
 * @fn never runs. A program that closes descriptors that it did not open, as some daemons
 * do, does so before: else none is called any more.
 *
 * Return: what to give to ctxfd_after_stop() or ctxfd_after_abandon(), once, or NULL
 * with errno set: EINVAL where @fn is NULL; EAGAIN where there can be no more threads;
 * ENOSPC where the user may wait for no more by epoll(7); EMFILE, ENFILE, ENOMEM.
 */
struct ctxfd_after *ctxfd_after_func(int ctx, void (*fn)(void *), void *arg);

/**
 * ctxfd_after_stop() - end what ctxfd_after_func() began
 * @after: what it returned, which is freed; NULL gives 0
 *
 * To be called once for each, whether the function ran or not. Where the function is
 * running, the call waits for its end, so that what it uses can be freed afterwards in
 * any case. The last such call ends the thread, too. Called in this function or in
 * another, on the thread that is, it does not wait: two functions that stop each other
 * get a 1 in the first to run, and the second never does. It does not wait in a child
 * that was forked meanwhile, either, where it frees what the child has a copy of.
 *
 * Return: 1 where the function did not run and never will, 0 where it did.
 */
int ctxfd_after_stop(struct ctxfd_after *after);

/**
 * ctxfd_after_abandon() - as ctxfd_after_stop(), but never wait
 * @after: as there, instead of there
 *
 * Where the function is running, it goes on behind the caller, and what it uses must
 * stay. For who holds a lock that the function takes, say.
 *
 * Return: as ctxfd_after_stop(); 0 also where the function is running yet.
 */
int ctxfd_after_abandon(struct ctxfd_after *after);

/**
 * ctxfd_cancel_on() - cancel a context once a descriptor is ready
 * @ctx: a writable descriptor, which stays open until ctxfd_after_stop()
 * @fd: what to wait for: a socket, a pipe, a pidfd, an eventfd, another context
 * @events: of poll(2), such as POLLIN, or POLLRDHUP for a client that hangs up; POLLHUP
 *	and POLLERR count in any case
 *
 * The library's thread waits, see ctxfd_after_func(). The context is cancelled with
 * ECONNRESET where a socket hung up, EPIPE where a pipe did, ESRCH for the end of a
 * pidfd's process, ECANCELED otherwise, and a message that says so. Nothing is read
 * from @fd. The library has a duplicate of it until the stop: a socket that is closed
 * before that stays connected. It has none of @ctx, so that the release is as ever; once
 * that is closed, nothing is cancelled.
 *
 * Return: what to give to ctxfd_after_stop() or ctxfd_after_abandon(), which return 1
 * where nothing came; or NULL with errno set: EBADF where @ctx is read-only; EINVAL for
 * other events; EPERM for an @fd that has none, as a regular file; as
 * ctxfd_after_func().
 */
struct ctxfd_after *ctxfd_cancel_on(int ctx, int fd, short events);

/**
 * ctxfd_cancel_on_signal() - cancel a context when a signal comes
 * @ctx: a writable descriptor, which stays open until ctxfd_after_stop()
 * @sig: the signal; 0 for SIGINT and SIGTERM
 *
 * The context is cancelled with cause EINTR and the name of the signal, in a signal
 * handler, which restarts the call that it interrupts. The handler that the program had
 * is not called until ctxfd_after_stop(), which puts it back, unless another has taken
 * its place. Until then further signals do nothing: to let a second Ctrl-C end the
 * program, stop once the first has come. A signal that is ignored stays so. In a child
 * that is forked meanwhile the signal does what it did before, and it does after exec.
 *
 * A signal has one context: what else is to end with it is made below that.
 *
 * Return: what to give to ctxfd_after_stop(), which returns 1 where no signal came; or
 * NULL with errno set: EBADF where @ctx is read-only; EBUSY where the signal has a
 * context; EINVAL for a signal that cannot be caught; ENOMEM.
 */
struct ctxfd_after *ctxfd_cancel_on_signal(int ctx, int sig);

/* How a program is started. All zero is as the caller is; more may come at the end. */
struct ctxfd_spawn_opts {
	char *const *env;	/* its environment, beside CTX_FD; NULL for the caller's */
	const char *dir;	/* where it starts; NULL for the caller's directory */
	const int *fds;		/* three, its input, output and errors; -1 is /dev/null */
	int sig;		/* what it gets with the cancellation; 0 is SIGTERM */
	unsigned int flags;	/* 0 */
};

/**
 * ctxfd_spawn_sized() - ctxfd_spawn() for who has no inline functions
 * @ctx: as there
 * @argv: as there
 * @opts: as there
 * @size: of the structure, as the caller knows it
 *
 * Return: as ctxfd_spawn(); E2BIG and EINVAL as ctxfd_create_opts_sized().
 */
int ctxfd_spawn_sized(int ctx, char *const argv[], const struct ctxfd_spawn_opts *opts,
		      size_t size);

/**
 * ctxfd_spawn() - start a program under a context
 * @ctx: a context, writable or not, or the background
 * @argv: its arguments; the first is its name, looked for in PATH
 * @opts: how; NULL for as the caller is
 *
 * The program finds its context by ctxfd_from_env(), as descriptor 3, read-only. Of the
 * caller's descriptors it has the first three and no other. It blocks no signal, and ignores
 * none but SIGHUP, SIGINT and SIGQUIT where the caller does. Once the context is
 * cancelled, it gets a signal, from the thread of ctxfd_after_func(); a child that is
 * forked meanwhile sends none, nor does the caller once it has ended.
 *
 * It is a child of the caller, who waits for it with waitid(2) or ctxfd_waitid() and
 * P_PIDFD, and closes the descriptor. Nobody else is to wait for it, as by wait(2).
 *
 * Return: a pidfd, or -1: the context's error where it is cancelled; an errno of
 * execve(2), in particular ENOENT and EACCES; EFAULT where @argv has nothing; EINVAL for
 * a bad signal or flag; ECHILD where the caller ignores SIGCHLD; as ctxfd_after_func().
 */
static inline int ctxfd_spawn(int ctx, char *const argv[], const struct ctxfd_spawn_opts *opts)
{
	return ctxfd_spawn_sized(ctx, argv, opts, sizeof(*opts));
}

/* Threads and processes that are one piece of work. */
struct ctxfd_group;

/**
 * ctxfd_group_new() - begin a group
 * @parent: a context, writable or not, or the background
 * @limit: how many may run at a time; 0 for no limit
 *
 * The group has a context of its own below @parent.
 *
 * Return: the group, to be given to ctxfd_group_free(), or NULL with errno set, as
 * ctxfd_with_cancel().
 */
struct ctxfd_group *ctxfd_group_new(int parent, unsigned int limit);

/**
 * ctxfd_group_ctx() - the context of a group
 * @group: the group
 *
 * Return: a writable descriptor, which is the group's: not to be closed.
 */
int ctxfd_group_ctx(const struct ctxfd_group *group);

/**
 * ctxfd_group_go() - have a thread call a function
 * @group: the group
 * @fn: the function, which gets the group's context and @arg, and returns 0, or -1 with
 *	errno set where it failed
 * @arg: its argument
 *
 * Where as many run as may, it waits until one has ended. The first in the group that
 * fails cancels its context, with its errno as the cause; a function that ends its thread
 * has failed.
 *
 * Return: 0 where it runs, or -1: the context's error where that is cancelled; EINVAL
 * where @fn is NULL; EAGAIN where there can be no more threads; ENOMEM; EPERM in a child
 * that was forked since ctxfd_group_new().
 */
int ctxfd_group_go(struct ctxfd_group *group, int (*fn)(int ctx, void *arg), void *arg);

/**
 * ctxfd_group_spawn_sized() - ctxfd_group_spawn() for who has no inline functions
 * @group: as there
 * @argv: as there
 * @opts: as there
 * @size: of the structure, as the caller knows it
 *
 * Return: as ctxfd_group_spawn(); E2BIG and EINVAL as ctxfd_create_opts_sized().
 */
int ctxfd_group_spawn_sized(struct ctxfd_group *group, char *const argv[],
			    const struct ctxfd_spawn_opts *opts, size_t size);

/**
 * ctxfd_group_spawn() - start a program in a group
 * @group: the group
 * @argv: as for ctxfd_spawn()
 * @opts: as for ctxfd_spawn()
 *
 * The group waits for it. One that does not exit with 0 has failed; the cause is
 * ECANCELED then, and the message tells its name and status.
 *
 * Return: 0 where it runs, or -1 as ctxfd_group_go() and ctxfd_spawn().
 */
static inline int ctxfd_group_spawn(struct ctxfd_group *group, char *const argv[],
				    const struct ctxfd_spawn_opts *opts)
{
	return ctxfd_group_spawn_sized(group, argv, opts, sizeof(*opts));
}

/**
 * ctxfd_group_wait() - wait until all in the group have ended
 * @group: the group, which can be used again afterwards
 *
 * The cancellation does not end the wait: what runs is to end with it. Not for a
 * function of ctxfd_after_func(), on the thread of which the ends of processes are noticed.
 *
 * Return: 0 where none has failed, or -1 with the errno of the first that has.
 */
int ctxfd_group_wait(struct ctxfd_group *group);

/**
 * ctxfd_group_free() - end a group
 * @group: the group; NULL is nothing to do
 *
 * Cancels what runs, waits for it, and frees all. In a child that was forked since
 * ctxfd_group_new() it only frees the copy.
 */
void ctxfd_group_free(struct ctxfd_group *group);

/**
 * ctxfd_send_fd() - hand a context to another process
 * @sock: a connected Unix socket, of any type
 * @ctx: the context; where the other is only to wait, what ctxfd_watch() gave, and
 *	where it is not trusted either, what ctxfd_watch_only() gave
 *
 * The message is one byte with the descriptor. A writable descriptor under way
 * keeps the context from being cancelled by release, until it is received or
 * the socket is gone.
 *
 * Return: 0, or -1 with an errno of sendmsg, in particular EPIPE, without a
 * SIGPIPE, where nobody is left to receive, and EAGAIN for a full non-blocking
 * socket.
 */
int ctxfd_send_fd(int sock, int ctx);

/**
 * ctxfd_recv_fd() - take the context that ctxfd_send_fd() sent
 * @sock: a Unix socket
 *
 * Whatever else the message carried, descriptors above all, is closed.
 *
 * Return: the descriptor, writable if that which was sent is, or -1: EBADMSG
 * where the message did not carry exactly one context, and is then used up;
 * ECONNRESET where the other end was closed before it sent one; EMFILE where
 * the process has no room for the descriptor, which is then lost; an errno of
 * recvmsg, in particular EAGAIN for an empty non-blocking socket.
 */
int ctxfd_recv_fd(int sock);

/**
 * ctxfd_to_env() - hand a context to the program that is exec'ed next
 * @ctx: the context; where the program is only to wait, what ctxfd_watch() gave
 *
 * Sets CTX_FD in the environment to the number of @ctx and lets that stay open
 * over exec. It is meant for a child between fork and exec, or a program that
 * is about to exec: it changes the environment, which no other thread may be
 * using, nor have been using at the moment of the fork, and a program that other
 * threads exec meanwhile inherits @ctx too.
 *
 * Return: 0, or -1: ENOMEM.
 */
int ctxfd_to_env(int ctx);

/**
 * ctxfd_from_env() - the context that this program was started under
 *
 * That is the descriptor that CTX_FD names, which is set to be closed on exec.
 * The variable outlives the descriptor in programs that are started without
 * ctxfd_to_env(): where the number is not open or is something else than a
 * context, it is ignored, as where it is not set or empty. Every call looks
 * anew and returns the same descriptor. The first belongs before the program
 * makes contexts of its own, one of which may get such a number.
 *
 * Return: the caller's own context, or the background; -1 with EINVAL where
 * CTX_FD is no number, or as ctxfd_background().
 */
int ctxfd_from_env(void);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif /* CTXFD_H */
