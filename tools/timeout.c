// SPDX-License-Identifier: GPL-2.0-only
/*
 * ctx timeout: the command line and the results of GNU timeout, with the reach of
 * ctx run.
 */
#include <ctype.h>
#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ctx.h"
#include "run.h"

static const struct option options[] = {
	{ "foreground",		no_argument,		NULL, 'f' },
	{ "kill-after",		required_argument,	NULL, 'k' },
	{ "preserve-status",	no_argument,		NULL, 'p' },
	{ "signal",		required_argument,	NULL, 's' },
	{ "verbose",		no_argument,		NULL, 'v' },
	{ "help",		no_argument,		NULL, 'h' },
	{ "version",		no_argument,		NULL, 'V' },
	{},
};

static void help(void)
{
	puts("Usage: timeout [OPTION]... DURATION COMMAND [ARG]...\n"
	     "  or:  ctx timeout [OPTION]... DURATION COMMAND [ARG]...\n"
	     "Run COMMAND, and end it and every process that it has started if it still runs\n"
	     "after DURATION. What it leaves behind ends with it.\n\n"
	     "  -f, --foreground           stay in the process group of the caller, for commands\n"
	     "                             that read from the terminal or take its signals\n"
	     "  -k, --kill-after=DURATION  send KILL to what is left this long after the signal\n"
	     "  -p, --preserve-status      end with the command's status after a timeout, too\n"
	     "  -s, --signal=SIGNAL        the signal to send; TERM without\n"
	     "  -v, --verbose              say on stderr which signal is sent\n"
	     "      --help                 show this\n"
	     "      --version              show the version\n\n"
	     "A DURATION is a number, also with a fraction, and s, m, h or d; seconds without.\n"
	     "0 is no limit.\n\n"
	     "Exit status: 124 where the time ran out, 137 where that took KILL; 125 where\n"
	     "timeout failed; 126 where COMMAND cannot be run, 127 where there is none; else\n"
	     "the command's own.");
}

/* As the GNU programs quote: in the locale's quotes, what does not print escaped. */
static void put_quoted(const char *text)
{
	static const char letters[] = "\aa\bb\ff\nn\rr\tt\vv\\\\";
	bool utf8 = locale_is_utf8();
	const char *letter;
	uint32_t code;
	size_t len;

	fputs(utf8 ? "\u2018" : "'", stderr);
	for (; *text; text += len) {
		len = utf8 ? utf8_decode(text, strlen(text), &code) : 0;
		for (letter = letters; *letter && *letter != *text; letter += 2)
			;
		if (*letter)
			fprintf(stderr, "\\%c", letter[1]);
		else if (!utf8 && *text == '\'')
			fputs("\\'", stderr);
		else if (len ? is_graphic(code) : isascii(*text) && isprint(*text))
			fwrite(text, 1, len ?: 1, stderr);
		else
			for (size_t i = 0; i < (len ?: 1); i++)
				fprintf(stderr, "\\%03o", (unsigned char)text[i]);
		len = len ?: 1;
	}
	fputs(utf8 ? "\u2019" : "'", stderr);
}

/* "timeout: BEFORE 'TEXT'AFTER", a line on stderr. */
static void say(const char *before, const char *text, const char *after)
{
	flockfile(stderr);
	fprintf(stderr, "timeout: %s", before);
	put_quoted(text);
	fprintf(stderr, "%s\n", after);
	funlockfile(stderr);
}

static int try_help(void)
{
	fputs("Try 'timeout --help' for more information.\n", stderr);
	return STATUS_FAILED;
}

/* The names that the C library does not have; -1 for what is none. */
static int further_signal(const char *text)
{
	static const struct { const char *name; int signal; } names[] = {
		{ "EXIT", 0 }, { "IO", SIGIO }, { "CLD", SIGCHLD }, { "IOT", SIGIOT },
	};
	const char *name = strncasecmp(text, "SIG", 3) ? text : text + 3;

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (!strcasecmp(names[i].name, name))
			return names[i].signal;
	return -1;
}

/* Returns false for what is no signal. 0 is one: it is sent, and does nothing. */
static bool parse_signal_or_none(const char *text, int *signal)
{
	char *end;
	long n;

	if (!isdigit((unsigned char)*text)) {
		*signal = parse_signal(text) ?: further_signal(text);
		return *signal >= 0;
	}
	errno = 0;
	n = strtol(text, &end, 10);
	if (*end || errno || n > INT32_MAX)
		return false;
	/* A status of wait, too: that of a process which the signal ended. */
	n &= 0x7f;
	*signal = (int)n;
	return n < NSIG && (n <= 31 || (n >= SIGRTMIN && n <= SIGRTMAX));
}

const char *timeout_signal_name(int signal, char name[static SIGNAL_NAME_LEN])
{
	int middle = SIGRTMIN + (SIGRTMAX - SIGRTMIN) / 2;

	if (!signal)
		return "EXIT";
	if (signal < SIGRTMIN)
		return sigabbrev_np(signal) ?: "?";
	if (signal == SIGRTMIN || signal == SIGRTMAX)
		return signal == SIGRTMIN ? "RTMIN" : "RTMAX";
	if (signal <= middle)
		snprintf(name, SIGNAL_NAME_LEN, "RTMIN+%d", signal - SIGRTMIN);
	else
		snprintf(name, SIGNAL_NAME_LEN, "RTMAX-%d", SIGRTMAX - signal);
	return name;
}

void timeout_say_signal(int signal, const char *command)
{
	char name[SIGNAL_NAME_LEN], before[64];

	snprintf(before, sizeof(before), "sending signal %s to command ",
		 timeout_signal_name(signal, name));
	say(before, command, "");
}

void timeout_say_not_run(const char *command, int err)
{
	char after[128];

	snprintf(after, sizeof(after), ": %s", strerror(err));
	say("failed to run command ", command, after);
}

static const struct {
	long double seconds;
	char name;
} units[] = {
	{ 1, '\0' }, { 1, 's' }, { 60, 'm' }, { 3600, 'h' }, { 86400, 'd' },
};

/* 0, and what is too long, are no limit. Returns false for what is no duration. */
static bool parse_duration(const char *text, int64_t *ns)
{
	long double value;
	size_t nr = sizeof(units) / sizeof(*units), i;
	bool underflow;
	char *end;

	errno = 0;
	value = strtold(text, &end);
	underflow = errno == ERANGE && value < 1;
	/* A sign is seen in a zero as well, which an underflow leaves. */
	if (end == text || isnan(value) || value < 0 || (underflow && signbit(value)))
		return false;
	for (i = 0; i < nr && units[i].name != *end; i++)
		;
	if (i == nr || (*end && end[1]))
		return false;
	value = ceill(value * units[i].seconds * NSEC_PER_SEC);
	if (underflow)
		*ns = 1;
	else
		*ns = value > 0 && value < (long double)NEVER ? (int64_t)value : NEVER;
	return true;
}

static int set_duration(const char *text, int64_t *ns)
{
	if (parse_duration(text, ns))
		return 0;
	say("invalid time interval ", text, "");
	return try_help();
}

/*
 * What the caller ignores or blocks of this is not the command's: it is to end by the
 * signal, and the terminal may stop it, which has it in the background.
 */
static void default_signals(const struct run_options *run)
{
	const int signals[] = { SIGALRM, SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTTIN,
				SIGTTOU, run->signal };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGALRM);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	for (size_t i = 0; i < sizeof(signals) / sizeof(*signals); i++)
		if (signals[i])
			(void)signal(signals[i], SIG_DFL);
}

/* As the command did. Returns where that does not end this process. */
static void end_by(int signal_nr)
{
	const struct rlimit none = {};
	sigset_t set;

	/* The core is the command's. */
	setrlimit(RLIMIT_CORE, &none);
	prctl(PR_SET_DUMPABLE, 0);
	(void)signal(signal_nr, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, signal_nr);
	raise(signal_nr);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

static int finish(const struct run_options *run, const struct run_end *end)
{
	int signal_nr = WIFSIGNALED(end->status) ? WTERMSIG(end->status) : 0;

	if (signal_nr && WCOREDUMP(end->status))
		fputs("timeout: the monitored command dumped core\n", stderr);
	/* GNU timeout is in the group that it kills. */
	if (signal_nr && (!end->timed_out || (signal_nr == SIGKILL && !run->foreground)))
		end_by(signal_nr);
	if (end->timed_out && !run->preserve_status && signal_nr != SIGKILL)
		return STATUS_TIMED_OUT;
	return signal_nr ? STATUS_SIGNAL + signal_nr : WEXITSTATUS(end->status);
}

static int set_option(int c, struct run_options *run)
{
	switch (c) {
	case 'f':
		run->foreground = true;
		return 0;
	case 'k':
		return set_duration(optarg, &run->kill_after);
	case 'p':
		run->preserve_status = true;
		return 0;
	case 's':
		if (parse_signal_or_none(optarg, &run->signal))
			return 0;
		fputs("timeout: ", stderr);
		put_quoted(optarg);
		fputs(": invalid signal\n", stderr);
		return try_help();
	case 'v':
		run->verbose = true;
		return 0;
	default:
		/* getopt_long has said what is wrong. */
		return try_help();
	}
}

int cmd_timeout(int argc, char **argv)
{
	struct run_end end = {};
	struct run_options run = {
		.signal = SIGTERM,
		.timeout = NEVER,
		.clock = CLOCK_MONOTONIC,
		.kill_after = NEVER,
		.timeout_end = &end,
	};
	char name[] = "timeout";
	int c, status;

	/* What getopt_long begins its lines with. */
	argv[0] = name;
	opterr = 1;
	while ((c = getopt_long(argc, argv, "+fk:ps:v", options, NULL)) != -1) {
		if (c == 'h' || c == 'V') {
			c == 'h' ? help() : (void)puts("timeout (ctx) " CTX_VERSION);
			return 0;
		}
		status = set_option(c, &run);
		if (status)
			return status;
	}
	if (argc - optind < 2)
		return try_help();
	status = set_duration(argv[optind], &run.timeout);
	if (status)
		return status;
	run.command = argv + optind + 1;
	if (!run.foreground)
		setpgid(0, 0);
	default_signals(&run);
	status = run_command(&run);
	return end.known ? finish(&run, &end) : status;
}
