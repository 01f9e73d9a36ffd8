// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the reaper of ctx run says.
 */
#include <ctxfd.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ctx.h"
#include "run_talk.h"

#define SECOND		((int64_t)NSEC_PER_SEC)

/* Who is still there so long after SIGKILL is worth a word in any case. */
#define KILL_TAKES	(5 * SECOND)

/* Those that may not be sent signals, each once. */
static void name_refused(struct tree *tree)
{
	char *names = tree_names(tree, true);

	if (names)
		complain("may send no signal to %s, of another user: waiting for the end", names);
	free(names);
}

/* Why the command is being ended, into @text. */
static void tell_reason(const struct run *run, char *text, size_t size)
{
	struct ctx_info info;
	const char *name;

	if (ctxfd_info(run->watch, &info) || !info.err) {
		snprintf(text, size, "asked by another ctx run");
		return;
	}
	name = info.cause == (int)info.err ? NULL : cause_name(info.cause);
	snprintf(text, size, "%s%s%s%s%.*s", state_name(&info), name ? " " : "", name ?: "",
		 info.message_len ? ", " : "", (int)info.message_len, info.message);
}

void talk_sent(struct talk *talk, struct tree *tree, int signal, int n)
{
	const struct run_options *options = talk->run->options;
	char reason[256], *names = NULL;

	if (n < 0)
		complain("cannot find all that the command has started: %s; trying again",
			 strerror(errno));
	if (options->verbose && signal != talk->signal) {
		names = tree_names(tree, false);
		if (talk->signal)
			snprintf(reason, sizeof(reason), "still there");
		else
			tell_reason(talk->run, reason, sizeof(reason));
		if (names)
			complain("%s: sending %s to %s", reason, sigabbrev_np(signal) ?: "signal",
				 names);
	}
	free(names);
	if (signal != talk->signal)
		talk->next = options->verbose ? SECOND : signal == SIGKILL ? KILL_TAKES : NEVER;
	talk->signal = signal;
	name_refused(tree);
}

void talk_waiting(struct talk *talk, struct tree *tree, int64_t ns)
{
	char *names;

	if (ns < talk->next)
		return;
	talk->next = talk->run->options->verbose ? 2 * talk->next : NEVER;
	tree_signal(tree, talk->signal);
	names = tree_names(tree, false);
	if (names)
		complain("waiting for %s", names);
	free(names);
}
