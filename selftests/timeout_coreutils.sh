#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# The tests that coreutils has for timeout, from Debian's source, with ctx timeout in its place.
# The guest carries them and the shell, perl and coreutils that they want.

source=${0%/*}/coreutils
source=$(cd "$source" && pwd) || exit 1
ctx=$(cd "$source/.." && pwd)/ctx
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
# That of busybox has a timeout of its own, which it runs in place of any other.
if [ "$(readlink /bin/sh)" = /bin/busybox ]; then
	ln -sf /bin/bash /bin/sh
	trap 'ln -sf /bin/busybox /bin/sh; rm -rf "$dir"' EXIT
fi
cd "$dir" || exit 1

mkdir src
ln -s "$ctx" src/timeout
# For the program of coreutils' build that knows the limits of types.
cat >src/getlimits <<EOF
#!/bin/sh
echo INT_MAX=2147483647 UINT_OFLOW=4294967296 TIME_T_OFLOW=9223372036854775808 LDBL_MAX=1.189731e+4932
EOF
chmod +x src/getlimits

# In the environment that coreutils' tests/local.mk gives them.
PATH=$dir/src:$source/bin:$PATH
SHELL=/bin/bash AWK=awk PERL=perl LC_ALL=C
srcdir=$source abs_top_builddir=$dir abs_srcdir=$source built_programs='timeout env'
export PATH SHELL AWK PERL LC_ALL srcdir abs_top_builddir abs_srcdir built_programs

run() { # TEST
	case $1 in
	*.pl) f=$1 perl -w -I"$source/tests" -MCuSkip -MCoreutils -M"CuTmpdir qw($1)" "$1" ;;
	*) bash "$1" ;;
	esac
}

set -- "$source"/tests/timeout/*.sh "$source"/tests/timeout/*.pl
echo "TAP version 13"
echo "1..$#"
n=0
failed=0
for test; do
	n=$((n + 1))
	name=${test##*/}
	run "$test" >log 2>&1 9>&2 </dev/null
	status=$?
	case $status in
	0) echo "ok $n $name" ;;
	77) echo "ok $n $name # SKIP $(tail -n 1 log)" ;;
	*)
		tail -n 60 log | sed 's/^/# /'
		echo "not ok $n $name"
		failed=1
		;;
	esac
done
exit $failed
