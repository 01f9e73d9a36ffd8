// SPDX-License-Identifier: GPL-2.0-only
/*
 * That the axioms bite: histories that are written by hand, some that are right, and for each axiom
 * some that break it. It needs no kernel but that of the machine.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <linux/ctx.h>

#include "history.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof(*(a)))

/*
 * c0 - c1 - c2		and c3, a root, c4 below it with the further parent c1, c5 below c4;
 *   |  `- c6 detached
 *   `-- c7 without cancel
 */
static struct history_ctx tree[] = {
	{ .id = 10, .parent = -1, .held = true },
	{ .id = 11, .parent = 0, .held = true },
	{ .id = 12, .parent = 1, .held = true },
	{ .id = 13, .parent = -1, .held = true },
	{ .id = 14, .parent = 3, .further = { 1 }, .nr_further = 1, .held = true },
	{ .id = 15, .parent = 4, .held = true },
	{ .id = 16, .parent = 1, .flags = CTX_CREATE_DETACHED },
	{ .id = 17, .parent = 0, .flags = CTX_CREATE_WITHOUT_CANCEL, .held = true },
};

/* Of an actor, a context, from and to. What begins at 100 or later does so at the end. */
#define EVENT(a, c, b, e, kind, ...) \
	{ .what = (kind), .actor = (a), .ctx = (c), .begin = (b), .end = (e), __VA_ARGS__ }
#define CANCEL(a, c, b, e, why, r) \
	EVENT(a, c, b, e, HISTORY_CANCEL, .writable = true, .cause = (why), .ret = (r))
#define RELEASE(a, c, b, e)		EVENT(a, c, b, e, HISTORY_RELEASE, .ret = 0)
#define KILLED(a, c, b, e)		EVENT(a, c, b, e, HISTORY_RELEASE, .ret = 0, .brief = true)
#define ALIVE(a, c, b, e)		EVENT(a, c, b, e, HISTORY_SEEN, .ret = 0)
#define DEAD(a, c, b, e)		EVENT(a, c, b, e, HISTORY_SEEN, .cancelled = true)
#define INFO(a, c, b, e, by, why, when) \
	EVENT(a, c, b, e, HISTORY_SEEN, .cancelled = true, .known = KNOWN_ALL, .origin = (by), \
	      .err = (why) == ETIMEDOUT ? ETIMEDOUT : ECANCELED, .cause = (why), .at = (when))
#define READ(a, c, b, e, by, why) \
	EVENT(a, c, b, e, HISTORY_SEEN, .cancelled = true, .known = KNOWN_ORIGIN, \
	      .origin = (by), .err = ECANCELED, .cause = (why))
#define SHOWS(a, c, b, e, when) \
	EVENT(a, c, b, e, HISTORY_SEEN, .known = KNOWN_ALL, .earliest = (when))
#define CHILDREN(a, c, b, e, nr)	EVENT(a, c, b, e, HISTORY_SEEN, .children = (nr))
#define WORD(a, c, b, e, value) \
	EVENT(a, c, b, e, HISTORY_WORD, .cancelled = (value), .err = (value), .known = KNOWN_ERR)
#define WAITER(a, c, b, e, woken)	EVENT(a, c, b, e, HISTORY_WAITER, .ret = (woken))
#define DEADLINE(a, c, b, e, from, to, r) \
	EVENT(a, c, b, e, HISTORY_DEADLINE, .writable = true, .earliest = (from), \
	      .latest = (to), .ret = (r))

#define RIGHT(n, ...)			{ .name = (n), .event = { __VA_ARGS__ } }
#define WRONG(ax, n, ...)		{ .name = (n), .axiom = (ax), .event = { __VA_ARGS__ } }

static struct test {
	const char		*name;
	const char		*axiom;		/* NULL: none is broken */
	struct history_event	event[8];
} tests[] = {
	RIGHT("nothing happens", ALIVE(0, 0, 10, 11), ALIVE(1, 2, 10, 12)),
	RIGHT("a cancellation",
		ALIVE(1, 2, 5, 25), CANCEL(0, 0, 10, 30, 7, 0), INFO(1, 2, 26, 28, 0, 7, 20),
		INFO(0, 0, 31, 32, 0, 7, 20), READ(1, 1, 40, 41, 0, 7)),
	RIGHT("a cancellation that came too late",
		CANCEL(0, 0, 10, 30, 7, 0), CANCEL(1, 0, 12, 28, 8, 1), CANCEL(1, 2, 31, 33, 9, 1),
		INFO(1, 0, 40, 41, 0, 7, 10)),
	RIGHT("two cancellations, the lower one first",
		CANCEL(0, 0, 10, 30, 7, 0), CANCEL(1, 1, 12, 28, 8, 0),
		INFO(1, 2, 40, 41, 1, 8, 25), INFO(1, 0, 42, 43, 0, 7, 22)),
	RIGHT("a cancellation across a further parent",
		CANCEL(0, 0, 10, 30, 7, 0), DEAD(1, 1, 11, 12), ALIVE(1, 5, 13, 14),
		INFO(1, 5, 40, 41, 0, 7, 10), ALIVE(1, 3, 42, 43)),
	RIGHT("a deadline",
		DEADLINE(0, 1, 10, 12, 20, 22, 0), INFO(0, 2, 30, 31, 1, ETIMEDOUT, 21),
		DEADLINE(0, 1, 32, 33, 0, 0, -ECANCELED)),
	RIGHT("a deadline that is moved while it strikes",
		DEADLINE(0, 1, 10, 12, 20, 22, 0), DEADLINE(0, 1, 21, 28, 90, 90, 0),
		INFO(0, 2, 30, 31, 1, ETIMEDOUT, 25)),
	RIGHT("deadlines that are shown",
		SHOWS(1, 2, 5, 6, 0), DEADLINE(0, 1, 10, 20, 70, 80, 0), SHOWS(1, 2, 12, 14, 0),
		SHOWS(1, 2, 13, 15, 75), DEADLINE(0, 0, 30, 40, 50, 60, 0),
		SHOWS(1, 2, 32, 38, 75), SHOWS(1, 2, 41, 42, 51), SHOWS(1, 3, 41, 42, 0)),
	RIGHT("a release",
		RELEASE(0, 1, 10, 20), INFO(1, 2, 15, 18, 1, EOWNERDEAD, 12),
		ALIVE(1, 0, 21, 22), ALIVE(1, 7, 21, 22)),
	RIGHT("a release of what is detached", RELEASE(0, 6, 10, 20), ALIVE(1, 6, 21, 22)),
	RIGHT("the end of who was killed, told later",
	      KILLED(0, 0, 10, 20), ALIVE(1, 5, 21, 22), WAITER(1, 2, 23, 24, 0)),
	RIGHT("waiters and words",
		WAITER(0, 2, 5, 6, 0), WORD(0, 2, 5, 6, 0), CANCEL(1, 0, 10, 30, 7, 0),
		WORD(0, 2, 11, 12, 0), WAITER(0, 2, 40, 41, 1), WORD(0, 2, 42, 43, ECANCELED),
		WORD(0, 3, 42, 43, 0), WAITER(0, 3, 42, 43, 0)),
	RIGHT("children",
		CHILDREN(0, 0, 140, 141, 2), ALIVE(0, 1, 142, 143), ALIVE(0, 7, 142, 143),
		CHILDREN(0, 1, 142, 143, 1), ALIVE(0, 2, 142, 143)),
	RIGHT("a watch descriptor is refused",
		EVENT(0, 1, 10, 20, HISTORY_CANCEL, .ret = -EBADF),
		ALIVE(0, 1, 21, 22)),

	WRONG("answers", "an answer that there is not",
		EVENT(0, 1, 10, 20, HISTORY_OTHER, .strange = true)),
	WRONG("rights", "a watch descriptor that cancels",
		EVENT(0, 1, 10, 20, HISTORY_CANCEL, .ret = 0)),
	WRONG("rights", "a writable descriptor that is refused",
		DEADLINE(0, 1, 10, 20, 0, 0, -EBADF)),
	WRONG("final", "alive again", DEAD(0, 1, 10, 20), ALIVE(1, 1, 21, 22)),
	WRONG("final", "alive again to the same actor", DEAD(0, 1, 10, 20), ALIVE(0, 1, 20, 22)),
	WRONG("final", "cancelled when it was cancelled",
		DEAD(0, 1, 10, 20), CANCEL(1, 1, 21, 30, 7, 0)),
	WRONG("final", "another cause",
		CANCEL(0, 1, 10, 30, 7, 0), INFO(1, 1, 31, 32, 1, 7, 20), READ(1, 1, 33, 34, 1, 8)),
	WRONG("final", "another time",
		CANCEL(0, 1, 10, 30, 7, 0), INFO(1, 1, 31, 32, 1, 7, 20), INFO(1, 1, 33, 34, 1, 7, 21)),
	WRONG("final", "another message",
		CANCEL(0, 1, 10, 30, 7, 0), INFO(1, 1, 31, 32, 1, 7, 20),
		EVENT(1, 1, 33, 34, HISTORY_SEEN, .cancelled = true, .known = KNOWN_ALL, .origin = 1,
		      .err = ECANCELED, .cause = 7, .at = 20, .message = "x", .message_len = 1)),
	WRONG("final", "another error in the word",
		CANCEL(0, 1, 10, 30, 7, 0), INFO(1, 1, 31, 32, 1, 7, 20), WORD(1, 1, 33, 34, ETIMEDOUT)),
	WRONG("one-record", "two times of one cancellation",
		CANCEL(0, 1, 10, 30, 7, 0), INFO(1, 1, 31, 32, 1, 7, 20), INFO(1, 2, 33, 34, 1, 7, 21)),
	WRONG("winner", "two winners", CANCEL(0, 1, 10, 30, 7, 0), CANCEL(1, 1, 11, 20, 8, 0)),
	WRONG("winner", "a winner that is not the origin",
		CANCEL(0, 0, 10, 30, 7, 0), CANCEL(1, 1, 11, 20, 8, 0), INFO(1, 1, 31, 32, 0, 7, 12)),
	WRONG("winner", "a winner with another's cause",
		CANCEL(0, 1, 10, 30, 7, 0), INFO(1, 1, 31, 32, 1, 8, 20)),
	WRONG("winner", "a winner whose message is lost",
		EVENT(0, 1, 10, 30, HISTORY_CANCEL, .writable = true, .cause = 7, .message = "why",
		      .message_len = 3),
		INFO(1, 1, 31, 32, 1, 7, 20)),
	WRONG("winner", "cancelled before the call",
		CANCEL(0, 1, 10, 30, 7, 0), INFO(1, 2, 31, 32, 1, 7, 9)),
	WRONG("deadlines", "a deadline that is not shown",
		DEADLINE(0, 1, 10, 20, 70, 80, 0), SHOWS(1, 2, 21, 22, 0)),
	WRONG("deadlines", "not the earlier one is shown",
		DEADLINE(0, 1, 10, 20, 70, 80, 0), DEADLINE(0, 0, 30, 40, 50, 60, 0),
		SHOWS(1, 2, 41, 42, 75)),
	WRONG("deadlines", "one that was replaced is shown",
		DEADLINE(0, 1, 10, 20, 70, 80, 0), DEADLINE(0, 1, 30, 40, 90, 90, 0),
		SHOWS(1, 2, 41, 42, 75)),
	WRONG("deadlines", "one that it does not inherit is shown",
		DEADLINE(0, 0, 10, 20, 70, 80, 0), SHOWS(1, 7, 21, 22, 75)),
	WRONG("explained", "cancelled by nobody", INFO(1, 1, 31, 32, 1, 7, 20)),
	WRONG("explained", "cancelled by a call that says it did not",
		CANCEL(0, 1, 10, 30, 7, 1), INFO(1, 1, 31, 32, 1, 7, 20)),
	WRONG("explained", "cancelled from below",
		CANCEL(0, 2, 10, 30, 7, 0), INFO(1, 1, 31, 32, 2, 7, 20)),
	WRONG("explained", "cancelled although made without",
		CANCEL(0, 0, 10, 30, 7, 0), INFO(1, 7, 31, 32, 0, 7, 20)),
	WRONG("explained", "cancelled by what is not there",
		EVENT(1, 1, 31, 32, HISTORY_SEEN, .cancelled = true, .known = KNOWN_ORIGIN,
		      .origin = -1, .err = ECANCELED, .cause = 7)),
	WRONG("explained", "a deadline that nobody set", INFO(1, 1, 31, 32, 1, ETIMEDOUT, 20)),
	WRONG("explained", "a deadline that strikes too early",
		DEADLINE(0, 1, 10, 12, 30, 32, 0), INFO(1, 1, 31, 32, 1, ETIMEDOUT, 29)),
	WRONG("explained", "a deadline that was removed",
		DEADLINE(0, 1, 10, 12, 20, 22, 0), DEADLINE(0, 1, 13, 15, 0, 0, 0),
		INFO(0, 2, 30, 31, 1, ETIMEDOUT, 21)),
	WRONG("explained", "a release of what is detached that cancels",
		RELEASE(0, 6, 10, 20), INFO(1, 6, 21, 22, 6, EOWNERDEAD, 15)),
	WRONG("explained", "a release before the close",
		RELEASE(0, 1, 10, 20), INFO(1, 1, 21, 22, 1, EOWNERDEAD, 9)),
	WRONG("atomic", "a sibling is alive after the other was cancelled",
		CANCEL(0, 0, 10, 90, 7, 0), INFO(1, 2, 20, 22, 0, 7, 12), ALIVE(2, 6, 23, 24)),
	WRONG("atomic", "a child is alive after its parent was cancelled",
		CANCEL(0, 0, 10, 90, 7, 0), INFO(1, 0, 20, 22, 0, 7, 12), ALIVE(2, 2, 23, 24)),
	WRONG("atomic", "a child cancels itself after its parent was cancelled",
		CANCEL(0, 0, 10, 90, 7, 0), INFO(1, 0, 20, 22, 0, 7, 12), CANCEL(2, 2, 23, 24, 8, 0)),
	WRONG("atomic", "the parent is alive after the child was cancelled by it",
		CANCEL(0, 0, 10, 90, 7, 0), INFO(1, 2, 20, 22, 0, 7, 12), ALIVE(2, 0, 23, 24)),
	WRONG("parent-first", "the way across a further parent is alive",
		CANCEL(0, 0, 10, 90, 7, 0), INFO(1, 5, 20, 22, 0, 7, 12), ALIVE(2, 4, 23, 24)),
	WRONG("parent-first", "no parent has that origin",
		CANCEL(0, 1, 10, 90, 7, 0), CANCEL(2, 4, 10, 90, 8, 0),
		INFO(1, 5, 20, 22, 1, 7, 12), INFO(1, 4, 23, 24, 4, 8, 12)),
	WRONG("words", "the word of what was seen cancelled",
		DEAD(0, 2, 10, 11), WORD(1, 2, 12, 13, 0)),
	WRONG("words", "the word above what was seen cancelled",
		CANCEL(0, 0, 10, 90, 7, 0), INFO(1, 2, 20, 22, 0, 7, 12), WORD(1, 1, 23, 24, 0)),
	WRONG("words", "the word where somebody was woken",
		WAITER(0, 2, 10, 11, 1), WORD(0, 2, 12, 13, 0)),
	WRONG("words", "the word of the origin",
		CANCEL(0, 0, 10, 90, 7, 0), INFO(1, 5, 20, 22, 0, 7, 12), WORD(1, 0, 23, 24, 0)),
	WRONG("complete", "alive below when the call has returned",
		CANCEL(0, 0, 10, 30, 7, 0), ALIVE(1, 2, 31, 32)),
	WRONG("complete", "alive across a further parent when the call has returned",
		CANCEL(0, 0, 10, 30, 7, 0), ALIVE(1, 5, 31, 32)),
	WRONG("complete", "alive when the late call has returned",
		CANCEL(0, 0, 10, 90, 7, 0), CANCEL(1, 1, 12, 28, 8, 1), ALIVE(1, 5, 29, 30)),
	WRONG("complete", "alive when the close has returned",
		RELEASE(0, 0, 10, 30), ALIVE(1, 2, 31, 32)),
	WRONG("complete", "alive plainly below when who was killed is gone",
		KILLED(0, 0, 10, 20), ALIVE(1, 2, 21, 22)),
	WRONG("complete", "a waiter that is not woken when the call has returned",
		CANCEL(0, 0, 10, 30, 7, 0), WAITER(1, 2, 31, 32, 0)),
	WRONG("complete", "a word that is not set when the call has returned",
		CANCEL(0, 0, 10, 30, 7, 0), WORD(1, 5, 31, 32, 0)),
	WRONG("nothing-spurious", "woken for nothing",
		WAITER(0, 3, 10, 11, 1), ALIVE(0, 3, 112, 113)),
	WRONG("nothing-lost", "never woken",
		DEADLINE(0, 1, 10, 12, 20, 22, 0), INFO(0, 1, 30, 31, 1, ETIMEDOUT, 21),
		WAITER(0, 1, 140, 141, 0)),
	WRONG("no-survivor", "a survivor",
		DEADLINE(0, 0, 10, 12, 20, 22, 0), INFO(0, 0, 30, 31, 0, ETIMEDOUT, 21),
		ALIVE(0, 5, 140, 141)),
	WRONG("on-time", "a deadline that never strikes",
		DEADLINE(0, 1, 10, 12, 20, 22, 0), ALIVE(0, 1, 140, 141)),
	WRONG("counted", "a child too many",
		CHILDREN(0, 3, 140, 141, 2), ALIVE(0, 4, 142, 143)),
	WRONG("counted", "a child that is not counted",
		CHILDREN(0, 0, 140, 141, 1), ALIVE(0, 1, 142, 143), ALIVE(0, 7, 142, 143)),
	WRONG("counted", "a child that is cancelled, and counted",
		CANCEL(0, 4, 10, 30, 7, 0), CHILDREN(0, 3, 140, 141, 1),
		DEAD(0, 4, 142, 143)),
};

/* What the tests leave out. Returns how many events there are: none has a time of 0. */
static unsigned int fill(struct history_event *event, unsigned int max)
{
	unsigned int nr;

	for (nr = 0; nr < max && event[nr].begin; nr++) {
		event[nr].last = event[nr].begin >= 100;
		event[nr].how = "";
		if (!event[nr].message)
			event[nr].message = "";
		if (!event[nr].children)
			event[nr].children = -1;
	}
	return nr;
}

/* Events stand by actor. */
static void sort(struct history_event *event, unsigned int nr)
{
	unsigned int i, j;

	for (i = 1; i < nr; i++)
		for (j = i; j && event[j - 1].actor > event[j].actor; j--) {
			struct history_event swap = event[j];

			event[j] = event[j - 1];
			event[j - 1] = swap;
		}
}

static bool run(struct test *test)
{
	struct history history = {
		.ctx = tree, .nr_ctxs = ARRAY_SIZE(tree), .event = test->event,
	};
	struct history_verdict verdict;

	history.nr_events = fill(test->event, ARRAY_SIZE(test->event));
	sort(test->event, history.nr_events);
	history_check(&history, &verdict);
	if (!verdict.axiom && !test->axiom)
		return true;
	if (verdict.axiom && test->axiom && !strcmp(verdict.axiom, test->axiom))
		return true;
	printf("# expected: %s\n", test->axiom ?: "no axiom is broken");
	if (verdict.axiom)
		history_print(stdout, &history, &verdict);
	return false;
}

int main(void)
{
	unsigned int i, failed = 0;

	printf("TAP version 13\n1..%zu\n", ARRAY_SIZE(tests));
	for (i = 0; i < ARRAY_SIZE(tests); i++) {
		bool good = run(&tests[i]);

		printf("%sok %u history: %s\n", good ? "" : "not ", i + 1, tests[i].name);
		failed += !good;
	}
	return failed ? 1 : 0;
}
