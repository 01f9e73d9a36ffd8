#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# The tests of the library once more, built so that they find what others overlook: with
# AddressSanitizer and UndefinedBehaviorSanitizer, or, by the name of this script, with
# ThreadSanitizer, or under valgrind. Each program is one result; its output shows where it failed.

mode=${0##*/libctxfd_}
mode=${mode%.sh}
cd "${0%/*}" || exit 1
if [ ! -d "$mode" ]; then
	echo "1..0 # SKIP $mode was not built"
	exit 4
fi

# A test process ends by _exit, which looks for no leaks; valgrind does all the same.
export ASAN_OPTIONS=detect_leaks=0:abort_on_error=1 UBSAN_OPTIONS=halt_on_error=1
# Tests fork in a process that has had threads, and the child may start its own.
export TSAN_OPTIONS=halt_on_error=1:die_after_fork=0
# What takes many rounds to find takes many times as long here.
export CTX_ROUNDS=0.05
run=
if [ "$mode" = valgrind ]; then
	cat >/tmp/libctxfd.supp <<-'END'
		{
		   a test gives NULL on purpose
		   Memcheck:Param
		   ioctl(generic)
		   ...
		   fun:ctxfd_info
		}
	END
	run="valgrind -q --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite
		--max-threads=2000 --suppressions=/tmp/libctxfd.supp"
fi

cd "$mode" || exit 1
# Some hundred processes, each of which valgrind takes seconds to start. The others read and write.
# And what needs pidfd_open(), which valgrind does not know.
[ "$mode" != valgrind ] || rm -f libctxfd_io libctxfd_spawn libctxfd_group
set -- libctxfd*
echo "TAP version 13"
echo "1..$#"
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
export run out
# shellcheck disable=SC2016 # for the shells that xargs starts
printf '%s\n' "$@" |
	xargs -P "$(nproc)" -n 1 sh -c '$run "./$0" >"$out/$0" 2>&1 && : >"$out/$0.passed"'
n=0 status=0
for program; do
	n=$((n + 1))
	if [ -e "$out/$program.passed" ]; then
		echo "ok $n $program"
	else
		sed 's/^/# /' "$out/$program"
		echo "not ok $n $program"
		status=1
	fi
done
exit $status
