#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Runs the examples of the manual pages: each prints what its page says, and succeeds.

cd "${0%/*}/man_examples" || exit 1
PATH=$PWD/..:$PATH
out=$(mktemp)
trap 'rm -f "$out"' EXIT

set -- *.out
echo "TAP version 13"
echo "1..$#"
n=0
failed=0
for expected; do
	n=$((n + 1))
	example=${expected%.out}
	timeout 60 "./$example" >"$out" 2>&1 </dev/null
	status=$?
	if [ $status = 0 ] && cmp -s "$expected" "$out"; then
		echo "ok $n $example"
	else
		echo "# exit status $status"
		diff "$expected" "$out" | sed 's/^/# /'
		echo "not ok $n $example"
		failed=1
	fi
done
exit $failed
