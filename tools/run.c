// SPDX-License-Identifier: GPL-2.0-only
/*
 * ctx run: a command under a context.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "ctx.h"
#include "run.h"

enum {
	OPT_NAME = 256,
	OPT_UNDER,
	OPT_VALUE,
	OPT_DETACH,
	OPT_CLOCK,
	OPT_PRESERVE_STATUS,
	OPT_PID_NAMESPACE,
};

static const struct option options[] = {
	{ "timeout",	required_argument,	NULL, 't' },
	{ "kill-after",	required_argument,	NULL, 'k' },
	{ "signal",	required_argument,	NULL, 's' },
	{ "under",	required_argument,	NULL, OPT_UNDER },
	{ "name",	required_argument,	NULL, OPT_NAME },
	{ "value",	required_argument,	NULL, OPT_VALUE },
	{ "detach",	no_argument,		NULL, OPT_DETACH },
	{ "clock",	required_argument,	NULL, OPT_CLOCK },
	{ "preserve-status", no_argument,	NULL, OPT_PRESERVE_STATUS },
	{ "pid-namespace", no_argument,		NULL, OPT_PID_NAMESPACE },
	{ "verbose",	no_argument,		NULL, 'v' },
	{ "help",	no_argument,		NULL, 'h' },
	{},
};

static void help(void)
{
	puts("Usage: ctx run [OPTION]... [--] COMMAND [ARGUMENT]...\n"
	     "Run a command under a context, a child of the caller's own, that the command\n"
	     "finds in CTX_FD. Once it is cancelled, whatever by, signal every process that\n"
	     "the command has started.\n\n"
	     "  -t, --timeout=DURATION     cancel the context after this time; 0 is at once\n"
	     "      --clock=CLOCK          that counts it: monotonic, boottime, which goes on\n"
	     "                             in suspend, or realtime; monotonic without\n"
	     "  -k, --kill-after=DURATION  send KILL to what is left this long after the signal\n"
	     "  -s, --signal=SIGNAL        the signal to send; TERM without\n"
	     "      --preserve-status      end with the command's status after a timeout, too\n"
	     "      --under=NAME|ID|PID:FD a child of that context instead\n"
	     "      --name=NAME            name of the context; the command's without\n"
	     "      --value=KEY=VALUE      a value of the context, up to 16 times\n"
	     "      --detach               let the context and what the command leaves behind\n"
	     "                             outlive ctx run\n"
	     "      --pid-namespace        run the command in a namespace of processes: nothing\n"
	     "                             survives there, whoever is killed\n"
	     "  -v, --verbose              say what is sent signals and why, and who is waited\n"
	     "                             for\n"
	     "  -h, --help                 show this\n\n"
	     "A DURATION is 5s, 1h30m, 100ms, inf and the like; seconds without a unit.\n"
	     "Without --detach, the end of the command cancels the context, and ctx run ends\n"
	     "when nothing that the command started is left.\n\n"
	     "Exit status: 124 where a deadline had passed, 137 where that took KILL;\n"
	     "125 where ctx run failed; 126 where the command cannot be run, 127 where there\n"
	     "is none; else the command's own. Where a signal ended the command, or came to\n"
	     "ctx run, that ends ctx run: a shell shows 128 and its number.");
}

int parse_signal(const char *text)
{
	const char *name = strncasecmp(text, "SIG", 3) ? text : text + 3;
	const char *abbreviation;
	char *end;
	long n, offset;

	for (int signal = 1; signal < NSIG; signal++) {
		abbreviation = sigabbrev_np(signal);
		if (abbreviation && !strcasecmp(abbreviation, name))
			return signal;
	}
	if (!strncasecmp(name, "RTMIN", 5) || !strncasecmp(name, "RTMAX", 5)) {
		n = strncasecmp(name, "RTMIN", 5) ? SIGRTMAX : SIGRTMIN;
		name += 5;
		if (!*name)
			return (int)n;
		if (*name != '+' && *name != '-')
			return 0;
		offset = strtol(name, &end, 10);
		if (*end || !isdigit((unsigned char)name[1]) || offset > NSIG || offset < -NSIG)
			return 0;
		n += offset;
		return n < SIGRTMIN || n > SIGRTMAX ? 0 : (int)n;
	}
	n = strtol(text, &end, 10);
	return *end || !isdigit((unsigned char)*text) || n >= NSIG ? 0 : (int)n;
}

static int64_t to_ns(const struct timespec *duration)
{
	__int128 ns = (__int128)duration->tv_sec * 1000000000 + duration->tv_nsec;

	return ns > NEVER ? NEVER : (int64_t)ns;
}

static int set_duration(const char *option, const char *text, int64_t *ns)
{
	struct timespec duration;
	const char *wrong;

	if (!strcasecmp(text, "inf") || !strcasecmp(text, "infinity")) {
		*ns = NEVER;
		return 0;
	}
	wrong = duration_parse(text, &duration);
	if (wrong)
		return bad_usage("%s: '%s' %s", option, text, wrong);
	*ns = to_ns(&duration);
	return 0;
}

static int set_clock(struct run_options *run, const char *name)
{
	static const struct {
		const char *name;
		clockid_t clock;
	} clocks[] = {
		{ "monotonic", CLOCK_MONOTONIC },
		{ "boottime", CLOCK_BOOTTIME },
		{ "realtime", CLOCK_REALTIME },
	};

	for (size_t i = 0; i < sizeof(clocks) / sizeof(*clocks); i++) {
		if (!strcmp(name, clocks[i].name)) {
			run->clock = clocks[i].clock;
			return 0;
		}
	}
	return bad_usage("--clock: '%s' is not monotonic, boottime or realtime", name);
}

static int add_value(struct run_options *run, const char *text)
{
	const char *equals = strchr(text, '=');
	struct ctx_value *value = &run->values[run->nr_values];
	size_t key_len = equals ? (size_t)(equals - text) : 0;
	char *key;

	if (!equals)
		return bad_usage("--value: '%s' has no '=': KEY=VALUE is meant", text);
	if (!key_len || key_len > CTX_KEY_MAX)
		return bad_usage("--value: the key of '%.80s' is to have 1 to %d bytes", text,
				 CTX_KEY_MAX);
	if (strlen(equals + 1) > CTX_VALUE_MAX)
		return bad_usage("--value: the value of '%.*s' has over %d bytes", (int)key_len,
				 text, CTX_VALUE_MAX);
	if (run->nr_values == CTX_VALUES_MAX)
		return bad_usage("--value: a context has at most %d values", CTX_VALUES_MAX);
	key = strndup(text, key_len);
	if (!key) {
		complain("%s", strerror(errno));
		return STATUS_FAILED;
	}
	for (uint32_t i = 0; i < run->nr_values; i++)
		if (!strcmp((char *)(uintptr_t)run->values[i].key, key))
			return bad_usage("--value: '%s' is given twice", key);
	value->key = (uintptr_t)key;
	value->data = (uintptr_t)(equals + 1);
	value->size = (uint32_t)strlen(equals + 1);
	run->nr_values++;
	return 0;
}

static int set_option(int c, char **argv, struct run_options *run)
{
	int status = 0;

	switch (c) {
	case 't':
		status = set_duration("--timeout", optarg, &run->timeout);
		break;
	case 'k':
		status = set_duration("--kill-after", optarg, &run->kill_after);
		break;
	case 's':
		run->signal = parse_signal(optarg);
		if (!run->signal)
			status = bad_usage("--signal: '%s' is no signal", optarg);
		break;
	case OPT_UNDER:
		run->under = optarg;
		break;
	case OPT_NAME:
		run->name = optarg;
		if (strlen(optarg) >= CTX_NAME_LEN)
			status = bad_usage("--name: '%s' has over %d bytes", optarg,
					   CTX_NAME_LEN - 1);
		break;
	case OPT_VALUE:
		status = add_value(run, optarg);
		break;
	case OPT_DETACH:
		run->detach = true;
		break;
	case OPT_CLOCK:
		status = set_clock(run, optarg);
		break;
	case OPT_PRESERVE_STATUS:
		run->preserve_status = true;
		break;
	case OPT_PID_NAMESPACE:
		run->pid_namespace = true;
		break;
	case 'v':
		run->verbose = true;
		break;
	default:
		status = bad_option(c, argv, options);
	}
	return status;
}

int cmd_run(int argc, char **argv)
{
	struct run_options run = {
		.signal = SIGTERM,
		.timeout = NEVER,
		.clock = CLOCK_MONOTONIC,
		.kill_after = NEVER,
	};
	int c, status;

	while ((c = getopt_long(argc, argv, "+:t:k:s:vh", options, NULL)) != -1) {
		if (c == 'h') {
			/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): what was read ends with it */
			help();
			return 0;
		}
		status = set_option(c, argv, &run);
		if (status)
			return status;
	}
	if (optind == argc)
		return bad_usage("which command?");
	run.command = argv + optind;
	return run_command(&run);
}
