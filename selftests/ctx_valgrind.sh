#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Whether valgrind finds a mistake in the command while its tests run, all but those of ctx run. What
# the tests say is not asked: valgrind knows no pidfd_getfd() and cannot do without /proc.

cd "${0%/*}" || exit 1
if ! command -v valgrind >/dev/null; then
	echo "1..0 # SKIP there is no valgrind"
	exit 4
fi
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
# Some tests run the command as another user.
mkdir -m 1777 "$dir/logs"
chmod 755 "$dir"
cat >"$dir/ctx" <<END
#!/bin/sh
exec valgrind -q --leak-check=\$LEAKS --log-file="$dir/logs/%p" "$PWD/ctx" "\$@"
END
chmod 755 "$dir/ctx"
run() { # PROGRAM, and whether what is not freed at the end counts: full or no
	CTX_ROUNDS=0.05 CTX=$dir/ctx LEAKS=$2 "./$1" >>"$dir/out"
}
run ctx_tree full
run ctx_names no
run ctx_log no
run ctx_top no	# curses frees nothing of a terminal
echo "TAP version 13"
echo "1..1"
cat "$dir"/logs/* >"$dir/log"
if grep '^==' "$dir/log" || ! grep -q '^ok ' "$dir/out"; then
	echo "not ok 1 valgrind_is_silent"
	exit 1
fi
echo "ok 1 valgrind_is_silent"
