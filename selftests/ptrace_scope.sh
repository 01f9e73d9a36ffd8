#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Runs the tests of ptrace_scope with each value that forbids something. The last value cannot be
# taken back before the machine is booted again: no other test that traces may follow.

scope=/proc/sys/kernel/yama/ptrace_scope
cd "$(dirname "$0")" || exit 1

if [ ! -w "$scope" ]; then
	echo "1..0 # SKIP this kernel has no Yama, or that is not root"
	exit 4
fi
out=$(mktemp)
trap 'rm -f "$out"' EXIT
echo "TAP version 13"
echo "1..3"
failed=0
for value in 1 2 3; do
	if echo "$value" >"$scope" && ./ptrace_scope >"$out" 2>&1; then
		echo "ok $value ones_own_are_reached_with_ptrace_scope_$value"
	else
		sed 's/^/# /' "$out"
		echo "not ok $value ones_own_are_reached_with_ptrace_scope_$value"
		failed=1
	fi
done
exit $failed
