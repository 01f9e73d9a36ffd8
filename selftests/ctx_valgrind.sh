#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# The tests of ctx tree and ctx ls once more, with the command under valgrind: a mistake that this
# finds is an exit status that no test expects.

cd "${0%/*}" || exit 1
if ! command -v valgrind >/dev/null; then
	echo "1..0 # SKIP there is no valgrind"
	exit 4
fi
CTX=$(mktemp)
export CTX
trap 'rm -f "$CTX"' EXIT
cat >"$CTX" <<END
#!/bin/sh
exec valgrind -q --error-exitcode=99 --leak-check=full $PWD/ctx "\$@"
END
chmod +x "$CTX"
./ctx_tree
