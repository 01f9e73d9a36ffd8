/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the commands of ctx share.
 *
 * A command is a function that takes its arguments as main does, its own name
 * first, and returns the exit status. It calls getopt_long with an option string
 * that begins with ':' (or "+:") and leaves '?' and ':' to bad_option().
 */
#ifndef CTX_H
#define CTX_H

#include <getopt.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>
#include <time.h>

#include <linux/ctx.h>

#define NSEC_PER_SEC	1000000000ULL

/* Exit statuses of all commands but run. */
enum {
	STATUS_YES	= 0,
	STATUS_NO	= 1,	/* asked, and the answer is no */
	STATUS_ERROR	= 2,	/* could not ask */
};

int cmd_cancel(int argc, char **argv);
int cmd_deadline(int argc, char **argv);
int cmd_info(int argc, char **argv);
int cmd_log(int argc, char **argv);
int cmd_ls(int argc, char **argv);
int cmd_run(int argc, char **argv);
int cmd_top(int argc, char **argv);
int cmd_timeout(int argc, char **argv);
int cmd_tree(int argc, char **argv);
int cmd_value(int argc, char **argv);
int cmd_wait(int argc, char **argv);

/* ctx.c */

/* "ctx COMMAND: ...", a line on stderr. */
void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same, with the advice to ask for help. Returns the exit status for it. */
int bad_usage(const char *format, ...) __attribute__((format(printf, 1, 2)));

/*
 * For what getopt_long returned as @c, '?' or ':'. All short options have a long
 * name in @options. Returns the exit status.
 */
int bad_option(int c, char **argv, const struct option *options);

/* The same as complain(), and the end of the program. */
void die(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

/* Returns false where that, or anything before, could not be written; main() says so. */
bool flush_output(void);

/* @memory, which is not NULL when this returns. */
void *need(void *memory);

/* duration.c */

/*
 * Reads "5", "5s", "1h30m", "1.5 hours", "100ms", "2 weeks" or "inf", whose tv_sec is
 * INT64_MAX. Returns NULL, or what is wrong with @text, which is to follow it in a
 * line: "'-1' is negative".
 */
const char *duration_parse(const char *text, struct timespec *duration);

/* cause.c */

/* "EPIPE", or NULL for a number that is no errno's. */
const char *cause_name(int cause);

/* Reads a number over 0 or an errno's name. Returns 0 for anything else. */
int cause_parse(const char *text);

/* text.c: text of others, which must not reach a terminal as it is */

/*
 * The length of the character that @text begins with, and which it is; 0 where
 * that is no UTF-8.
 */
size_t utf8_decode(const char *text, size_t len, uint32_t *code);

/* Whether a terminal shows it, and does nothing else with it. */
bool is_graphic(uint32_t code);

/* What cannot be shown is escaped, as are backslashes and double quotes. */
void put_text(FILE *out, const char *text, size_t len);

/* A name: "-" where it is empty, in quotes where that makes it clearer. */
void put_name(FILE *out, const char *name);

/* "4.2s", "3m5s"; seconds have a fraction only where @fine and under ten. */
void put_duration(FILE *out, uint64_t ns, bool fine);

/* Whether the user's locale has UTF-8. */
bool locale_is_utf8(void);

/* "alive", "cancelled" or "timed out". */
const char *state_name(const struct ctx_info *info);

/* What the flag 1 << @bit that a context was made with is called; NULL after the last one. */
const char *flag_name(unsigned int bit);

/* What follows the state: [CAUSE] ["MESSAGE"], each with a blank before it. */
void put_reason(FILE *out, const struct ctx_info *info);

/* proc.c: the contexts that processes hold, by what /proc says */

struct process {
	pid_t pid;
	char *name;		/* any bytes, @len of them */
	size_t len;
};

struct holder {
	struct holder *next;
	const struct process *process;
	int fd;
	bool writable;
};

struct context {
	struct ctx_info info;	/* but cancelled_at, which /proc does not tell */
	bool visible;
	int64_t age;		/* in seconds; -1 where it is not told */
	struct holder *holders;	/* by process */
	struct holder *last_holder;
};

struct forest {
	struct context **contexts;
	size_t nr;
	size_t room;
	struct context **hash;
	size_t nr_hash;		/* a power of two */
	struct chunk *chunks;	/* memory of all the rest */
	unsigned long nr_hidden; /* processes that may not be looked into */
};

/* Looks into every process. Ends the program where /proc cannot be read. */
void forest_scan(struct forest *forest);

/* NULL where nobody has it. */
struct context *forest_find(const struct forest *forest, uint64_t id);

/* Looks into that process alone; finds nothing where it may not, or is not there. */
void forest_scan_process(struct forest *forest, pid_t pid);

/* What the process is called, without a NUL. Returns the length; 0 where it is not there. */
size_t process_name(pid_t pid, char *name, size_t size);

/* Whether it was there so many seconds ago; false, too, where that cannot be told. */
bool process_is_older(pid_t pid, int64_t age);

void forest_free(struct forest *forest);

/* What a descriptor of a process is. */
struct descriptor {
	uint64_t id;		/* of its context */
	int64_t age;		/* of that, in seconds; -1 where it is not told */
	bool writable;
};

/*
 * Returns false where it is of no context, with errno 0, or of none that may be looked
 * at.
 */
bool descriptor_look(pid_t pid, int fd, struct descriptor *descriptor);

/* Ends the program where there is not even /dev/ctx. */
void need_module(void);

/* find.c: contexts by their names */

struct found {
	struct ctx_info *info;	/* to be freed */
	size_t nr;
	bool has_uids;		/* which an older module does not tell */
};

/* Whether the module finds contexts; errno is ENOTTY where it is too old. */
bool can_find(void);

/* Those of the name, among all that the user could open, or that processes hold. */
void find_listed(struct found *found, const char *name);
void find_held(struct found *found, const struct forest *forest, const char *name);

/*
 * The id of the one that is meant, among the user's own: the only one, or the only one
 * that is alive. Leaves only what could be meant. 0 after having said what is wrong with
 * @text.
 */
uint64_t found_one(struct found *found, const char *text);

/* target.c: the contexts that the user names */

struct target {
	const char *text;
	pid_t pid;		/* of PID:FD, or 0 */
	int fd;
	uint64_t id;		/* or 0: then the text is a name */
};

/* The targets after the options. Returns false after having said what is wrong. */
bool targets_parse(struct target *targets, char **argv, int n);

/*
 * A descriptor of the target, @writable or either. @forest is scanned where only
 * /proc may know, unless it was before. Returns -1 after having said why there is
 * none; errno is ESTALE where there was one once.
 */
int target_open(const struct target *target, struct forest *forest, bool writable);

/*
 * What ctxfd_from_env() returns, or -1 after having said why not; where CTX_FD is of no
 * context any more, that of CTX_ID.
 */
int ambient_open(void);

/* json.c: one document; @key is NULL in an array */

struct json {
	FILE *out;
	bool comma;
};

void json_open(struct json *json, const char *key, char bracket);
void json_close(struct json *json, char bracket);
/* What follows begins a line. */
void json_line(struct json *json);
void json_null(struct json *json, const char *key);
void json_bool(struct json *json, const char *key, bool value);
void json_number(struct json *json, const char *key, int64_t value);
void json_unsigned(struct json *json, const char *key, uint64_t value);
/* Nanoseconds, as seconds with a fraction. */
void json_seconds(struct json *json, const char *key, int64_t ns);
/*
 * Any bytes. Where they are not UTF-8, U+FFFD stands for each that is not, and
 * KEY_hex has them all.
 */
void json_text(struct json *json, const char *key, const char *text, size_t len);
/* As above, but a string alone. Returns whether all of it was UTF-8. */
bool json_string(FILE *out, const char *text, size_t len);
/* Each descriptor. */
void json_holders(struct json *json, const char *key, const struct holder *holder);
/* All that is known about a context, as an object's fields. */
void json_context(struct json *json, const struct context *context);

#endif /* CTX_H */
