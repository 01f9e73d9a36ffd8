#!/bin/busybox sh
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=dash
# Runs the fuzzer in a guest, and says what came of it as a kselftest does. The environment has
# FUZZ_SECONDS for all, FUZZ_SEED and FUZZ_PROCESSES; or FUZZ, arguments to run it with once.

cd "$(dirname "$0")" || exit 1
insmod "${CTX_MODULE%/*}/ctx_batch.ko" || exit 1

n=0
failed=0
part() { # NAME ARGUMENT...
	name=$1
	shift
	n=$((n + 1))
	if ./fuzz "$@"; then
		echo "ok $n $name"
	else
		echo "not ok $n $name"
		failed=1
	fi
}

all() {
	set -- -s "$FUZZ_SEED" -t $((FUZZ_SECONDS / 3)) -j "$FUZZ_PROCESSES"
	part "calls of one process" "$@"
	part "several processes" -a "$@"
	part "processes that race" -r "$@"
}

echo "TAP version 13"
if [ -n "$FUZZ" ]; then
	echo "1..1"
	# shellcheck disable=SC2086 # a list
	part "as told" $FUZZ
else
	echo "1..3"
	all
fi
rmmod ctx_batch || failed=1
exit $failed
