// SPDX-License-Identifier: GPL-2.0-only
/*
 * ctx info: all that there is to know about contexts.
 */
#include <ctxfd.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctx.h"

static void put_key(const char *key)
{
	int width = 11 - (int)strlen(key);

	printf("%s:%*s", key, width, "");
}

static void print_id(const char *key, uint64_t id)
{
	put_key(key);
	if (id)
		printf("%llu\n", (unsigned long long)id);
	else
		puts("-");
}

static void print_cause(const struct ctx_info *info)
{
	const char *name = cause_name(info->cause);

	put_key("cause");
	if (!info->err)
		puts("-");
	else if (name)
		printf("%s (%d, %s)\n", name, info->cause, strerror(info->cause));
	else
		printf("%d\n", info->cause);
}

static void print_message(const struct ctx_info *info)
{
	put_key("message");
	if (info->message_len)
		put_text(stdout, info->message, info->message_len);
	else
		putchar('-');
	putchar('\n');
}

/* A time of CLOCK_MONOTONIC as a distance from now. */
static void print_time(const char *key, uint64_t time)
{
	struct timespec ts;
	uint64_t now;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	now = (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
	put_key(key);
	if (!time) {
		putchar('-');
	} else if (time > now) {
		fputs("in ", stdout);
		put_duration(stdout, time - now, true);
	} else {
		put_duration(stdout, now - time, true);
		fputs(" ago", stdout);
	}
	putchar('\n');
}

static void print_flags(uint32_t set)
{
	const char *gap = "";
	unsigned int bit;

	put_key("flags");
	for (bit = 0; flag_name(bit); bit++) {
		if (set & 1U << bit) {
			printf("%s%s", gap, flag_name(bit));
			gap = " ";
		}
	}
	puts(*gap ? "" : "-");
}

static void print_age(int64_t age)
{
	put_key("age");
	if (age < 0)
		putchar('-');
	else
		put_duration(stdout, (uint64_t)age * NSEC_PER_SEC, false);
	putchar('\n');
}

static void print_parents(const struct ctx_info *info)
{
	unsigned int i;

	put_key("parents");
	if (!info->nr_parents)
		putchar('-');
	for (i = 0; i < info->nr_parents && i < CTX_PARENTS_MAX; i++)
		printf("%s%llu", i ? " " : "", (unsigned long long)info->parents[i]);
	putchar('\n');
}

/* The user and the process that made it. The background has none. */
static void print_maker(const struct ctx_info *info)
{
	put_key("user");
	if (info->id)
		printf("%u\n", info->uid);
	else
		puts("-");
	put_key("maker");
	if (info->maker)
		printf("%d\n", info->maker);
	else
		puts("-");
}

/* Each descriptor, as it can be given for an argument. */
static void print_holders(const struct holder *holder)
{
	put_key("holders");
	if (!holder)
		putchar('-');
	for (; holder; holder = holder->next) {
		printf("%d:%d(", holder->process->pid, holder->fd);
		put_text(stdout, holder->process->name, holder->process->len);
		printf("%s%s", holder->writable ? ")*" : ")", holder->next ? " " : "");
	}
	putchar('\n');
}

static void print(const struct context *context)
{
	const struct ctx_info *info = &context->info;

	put_key("id");
	printf("%llu%s\n", info->id, info->id ? "" : " (the background)");
	put_key("name");
	put_name(stdout, info->name);
	putchar('\n');
	put_key("state");
	puts(state_name(info));
	print_cause(info);
	print_message(info);
	print_id("origin", info->origin_id);
	print_time("cancelled", info->cancelled_at);
	print_time("deadline", info->deadline);
	print_id("parent", info->parent_id);
	put_key("depth");
	printf("%u\n", info->depth);
	put_key("children");
	printf("%u\n", info->nr_children);
	print_parents(info);
	print_flags(info->flags);
	print_maker(info);
	print_age(context->age);
	print_holders(context->holders);
}

static void print_json(struct json *json, const struct context *context)
{
	unsigned int bit;

	json_line(json);
	json_open(json, NULL, '{');
	json_context(json, context);
	if (context->info.cancelled_at)
		json_unsigned(json, "cancelled_at", context->info.cancelled_at);
	else
		json_null(json, "cancelled_at");
	json_open(json, "flag_names", '[');
	for (bit = 0; flag_name(bit); bit++)
		if (context->info.flags & 1U << bit)
			json_text(json, NULL, flag_name(bit), strlen(flag_name(bit)));
	json_close(json, ']');
	json_close(json, '}');
}

/* What the descriptor tells. */
struct answer {
	struct ctx_info info;
	int64_t age;		/* in seconds, or -1 */
};

/* Returns false after having said what is wrong. */
static bool ask(const struct target *target, struct forest *forest, struct answer *answer)
{
	int fd = target ? target_open(target, forest, false) : ambient_open();
	struct descriptor descriptor;
	bool asked;

	if (fd < 0)
		return false;
	asked = !ctxfd_info(fd, &answer->info);
	if (!asked)
		complain("cannot ask: %s", strerror(errno));
	answer->age = descriptor_look(getpid(), fd, &descriptor) ? descriptor.age : -1;
	/* The ambient descriptor is not this function's. */
	if (target)
		close(fd);
	return asked;
}

/* And the holders, which only /proc knows. */
static void show(struct json *json, const struct answer *answer, const struct forest *forest)
{
	const struct context *seen = forest_find(forest, answer->info.id);
	struct context context = { .info = answer->info, .visible = true, .age = answer->age };

	if (seen && answer->info.id)
		context.holders = seen->holders;
	if (json)
		print_json(json, &context);
	else
		print(&context);
}

static void show_all(const struct answer *answers, int n, const struct forest *forest, bool as_json)
{
	struct json json = { .out = stdout };
	int i;

	if (as_json) {
		json_open(&json, NULL, '{');
		json_open(&json, "contexts", '[');
	}
	for (i = 0; i < n; i++) {
		if (i && !as_json)
			putchar('\n');
		show(as_json ? &json : NULL, &answers[i], forest);
	}
	if (as_json) {
		json_close(&json, ']');
		json_close(&json, '}');
		putchar('\n');
	}
}

/* All are asked before any is shown: an error leaves no half of an output. */
static int tell(const struct target *targets, int n, bool as_json)
{
	int i, total = n ? n : 1;
	struct answer *answers = need(calloc((size_t)total, sizeof(*answers)));
	struct forest forest = {};

	/* Before a descriptor is taken, which would make this process a holder. */
	if (!access("/proc/self", F_OK))
		forest_scan(&forest);
	for (i = 0; i < total; i++)
		if (!ask(n ? &targets[i] : NULL, &forest, &answers[i]))
			break;
	if (i == total)
		show_all(answers, total, &forest, as_json);
	forest_free(&forest);
	free(answers);
	return i == total ? STATUS_YES : STATUS_ERROR;
}

static void help(void)
{
	puts("Usage: ctx info [OPTION]... [NAME|ID|PID:FD]...\n"
	     "Tell all about contexts, or without arguments about the one that this command\n"
	     "runs under: what the kernel knows but the values, and which descriptors there\n"
	     "are of it, as PID:FD(COMMAND), with a * where it is writable.\n\n"
	     "  -j, --json                one JSON document\n"
	     "  -h, --help                this text");
}

int cmd_info(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json",	no_argument,	NULL, 'j' },
		{ "help",	no_argument,	NULL, 'h' },
		{},
	};
	struct target *targets;
	bool as_json = false;
	int c, status;

	while ((c = getopt_long(argc, argv, ":jh", options, NULL)) != -1) {
		switch (c) {
		case 'j':
			as_json = true;
			break;
		case 'h':
			help();
			return STATUS_YES;
		default:
			return bad_option(c, argv, options);
		}
	}
	argc -= optind;
	argv += optind;
	targets = need(calloc((size_t)argc + 1, sizeof(*targets)));
	status = targets_parse(targets, argv, argc) ? tell(targets, argc, as_json) : STATUS_ERROR;
	free(targets);
	return status;
}
