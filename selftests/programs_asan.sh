#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# The tests of samples/programs once more, with programs that are built with AddressSanitizer and
# UndefinedBehaviorSanitizer, or, by the name of this script, that run under valgrind: each test
# program is one result. It fails where any process of its has reported something.

mode=${0##*/programs_}
mode=${mode%.sh}
cd "${0%/*}" || exit 1
PROGRAMS=/programs-$mode
export PROGRAMS
if [ ! -d "$PROGRAMS" ]; then
	echo "1..0 # SKIP $PROGRAMS was not built"
	exit 4
fi

found=$(mktemp -d)
trap 'rm -rf "$found" "$found.reports"' EXIT
export ASAN_OPTIONS="log_path=$found/asan" UBSAN_OPTIONS="log_path=$found/ubsan"
# For the scripts that stand for the programs there
export VALGRIND_LOG="$found/valgrind"

set --
for folder in "$PROGRAMS"/*; do
	[ ! -e "program_${folder##*/}" ] || set -- "$@" "program_${folder##*/}"
done
echo "TAP version 13"
echo "1..$#"
n=0 failed=0
for program; do
	n=$((n + 1))
	status=0
	"./$program" >"$found/output" 2>&1 || status=$?
	find "$found" -type f ! -name output -size +0 -exec cat {} + >"$found.reports"
	if [ $status != 0 ] || [ -s "$found.reports" ]; then
		cat "$found.reports" >>"$found/output"
		sed 's/^/# /' "$found/output"
		echo "not ok $n $program"
		failed=1
	else
		echo "ok $n $program"
	fi
	rm -f "$found"/*
done
exit $failed
