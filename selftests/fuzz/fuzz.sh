#!/bin/busybox sh
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=dash
# Runs the fuzzer in a guest, and says what came of it as a kselftest does. FUZZ_SECONDS for all,
# FUZZ_SEED and FUZZ_PROCESSES come from the environment.

cd "$(dirname "$0")" || exit 1
insmod "${CTX_MODULE%/*}/ctx_batch.ko" || exit 1

n=0
failed=0
part() { # NAME ARGUMENT...
	name=$1
	shift
	n=$((n + 1))
	if ./fuzz -s "$FUZZ_SEED" -t $((FUZZ_SECONDS / 3)) -j "$FUZZ_PROCESSES" "$@"; then
		echo "ok $n $name"
	else
		echo "not ok $n $name"
		failed=1
	fi
}

echo "TAP version 13"
echo "1..3"
part "calls of one process"
part "several processes" -a
part "processes that race" -r
rmmod ctx_batch
exit $failed
