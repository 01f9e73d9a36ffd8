#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Command lines through ctx timeout and through GNU timeout of Debian: each ends with the same
# status and says the same, in the locale C and with UTF-8.

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
ctx=$(cd "${0%/*}" && pwd)/ctx
gnu=$(cd "${0%/*}" && pwd)/coreutils/gnu/timeout
mkdir "$dir/ctx" "$dir/gnu"
ln -s "$ctx" "$dir/ctx/timeout"
ln -s "$gnu" "$dir/gnu/timeout"
path=$PATH
cd "$dir" || exit 1

# What bash says of a process that a signal ended has its number.
line() { # ctx|gnu LOCALE LINE
	PATH=$dir/$1:$path LC_ALL=$2 bash -c "$3
		echo \"status \$?\"" line </dev/null 2>&1 |
		sed -e 's/^line: line [0-9]*: *[0-9]* /shell: /' -e "s|$dir/[a-z]*/||"
}

cat >table <<'EOF'
timeout
timeout --foo
timeout -x
timeout --kill
timeout --k=3
timeout 1
timeout --signal
timeout -k
timeout --help=3
timeout --f
timeout --ver
timeout -1 true
timeout x true
timeout '' true
timeout . true
timeout s true
timeout 1ms true
timeout 42D true
timeout nan true
timeout '1 ' true
timeout ' 1' true
timeout 1,5 true
timeout -- -1 true
timeout -- -0 true
timeout -- +1 true
timeout inf true
timeout infinityd true
timeout 1e999 true
timeout 1e99999m true
timeout 0 true
timeout 0x1p-3 sleep 10
timeout 1e-1 sleep 10
timeout .1 sleep 10
timeout .001m sleep 10
timeout .00001h sleep 10
timeout .000001d sleep 10
timeout 0 sleep .1
timeout -k 0 .1 sleep 10
timeout -k x 1 true
timeout -k -1 1 true
timeout -s FOO 1 true
timeout -s '' 1 true
timeout -s ' 9' 1 true
timeout -s +9 1 true
timeout -s 0x9 1 true
timeout -s 32 1 true
timeout -s 127 1 true
timeout -s RTMIN-1 1 true
timeout -s RTMIN+31 1 true
timeout -s CORE 1 true
timeout -v -s io .1 sleep 10
timeout -v -s SIGIOT .1 sleep 10
timeout -v -s sIgInt .1 sleep 10
timeout -v -s 09 .1 sleep 10
timeout -v -s 129 .1 sleep 10
timeout -v -s 137 .1 sleep 10
timeout -v -s 128 .1 sleep .3
timeout -v -s EXIT .1 sleep .3
timeout -v -s RTMIN .1 sleep 10
timeout -v -s RTMIN+3 .1 sleep 10
timeout -v -s RTMAX-3 .1 sleep 10
timeout -v -s RTMAX-20 .1 sleep 10
timeout --preserve-status -v .1 sleep 10
timeout --preserve-status -s RTMIN+3 .1 sleep 10
timeout --preserve-status .1 sh -c 'trap "exit 7" TERM; sleep 10 & wait'
timeout --verbose .1 sleep 10
timeout -v -k .1 -s 0 .1 sleep 10
timeout -v --foreground -k .1 -s 0 .1 sleep 10
timeout -s KILL .1 sleep 10
timeout --foreground -s KILL .1 sleep 10
timeout -k .1 .1 sh -c 'trap "" TERM; while :; do sleep 1; done'
timeout 10 sh -c 'exit 3'
timeout 10 sh -c 'kill -TERM $$'
timeout 10 sh -c 'kill -KILL $$'
timeout 10 sh -c 'kill -HUP $$'
timeout 1 no_such
timeout 1 /
timeout 1 /etc
timeout 1 ''
timeout 1 "a'b"
timeout 1 $'a\nb\tc\\d'
timeout 1 $'\x80\xffé'
timeout "1'\\" true
timeout .1 sh -c 'kill -STOP $$'
timeout 10 sleep 5 & sleep .5; kill -TERM $!; wait $!
timeout 10 sleep 5 & sleep .5; kill -INT $!; wait $!
timeout 10 sleep 5 & sleep .5; kill -HUP $!; wait $!
timeout 10 sleep 5 & sleep .5; kill -ALRM $!; wait $!
timeout -v -s INT 10 sleep 5 & sleep .5; kill -ALRM $!; wait $!
timeout -v 10 sleep 5 & sleep .5; kill -TERM $!; wait $!
timeout -v -s USR1 10 sleep 5 & sleep .5; kill -USR1 $!; wait $!
timeout -v -k .2 10 sh -c 'trap "" TERM; while :; do sleep 1; done' & sleep .5; kill -TERM $!; wait $!
trap '' HUP; timeout 10 sh -c 'kill -HUP $$'
trap '' TERM; timeout .1 sleep 10
trap '' CHLD; timeout 10 true
timeout 10 timeout .1 sleep 10
EOF

echo "TAP version 13"
echo "1..$(wc -l <table)"
n=0
failed=0
while IFS= read -r command; do
	n=$((n + 1))
	ok=ok
	for locale in C C.UTF-8; do
		line gnu $locale "$command" >expected
		line ctx $locale "$command" >seen
		cmp -s expected seen && continue
		ok="not ok"
		failed=1
		diff expected seen | sed 's/^/# /'
	done
	echo "$ok $n $command" | sed 's/#/\\#/g'
done <table
exit $failed
