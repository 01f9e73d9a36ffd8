#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# What is installed, on a machine that boots: those who read our files there find the module.
# shellcheck disable=SC2317 # the tests are called by name

# What is installed, not what the samples may have brought to /lib
export LD_LIBRARY_PATH=/usr/lib
PATH=/usr/bin:/usr/sbin:/usr/lib/systemd:$PATH

for_every_user() {
	mode=$(ls -l /dev/ctx) && echo "$mode" && [ "${mode%% *}" = crw-rw-rw- ]
}

modprobe_finds_the_module() {
	modprobe ctx && for_every_user && rmmod ctx
}

systemd_loads_it_at_boot() {
	systemd-modules-load && [ -c /dev/ctx ]
}

udev_makes_it_a_device_of_systemd() {
	systemd-udevd --daemon && modprobe ctx && udevadm settle --timeout=60 &&
		udevadm info --query=property --name=/dev/ctx | grep -x 'TAGS=:systemd:' &&
		for_every_user
	result=$?
	udevadm control --exit
	return "$result"
}

ctx_runs_with_the_shared_library() {
	modprobe ctx && LD_TRACE_LOADED_OBJECTS=1 ctx | grep '/usr/lib/libctxfd.so.0 ' &&
		ctx run -t 60s true
}

number=0 failed=0
try() {
	number=$((number + 1))
	rmmod ctx 2>/dev/null
	if "$1" >/tmp/log 2>&1; then
		echo "ok $number $1"
	else
		sed 's/^/# /' /tmp/log
		echo "not ok $number $1"
		failed=1
	fi
}

echo "TAP version 13"
echo "1..4"
try modprobe_finds_the_module
try systemd_loads_it_at_boot
if [ -e /proc/sys/fs/inotify ]; then
	try udev_makes_it_a_device_of_systemd
else
	number=$((number + 1))
	echo "ok $number udev_makes_it_a_device_of_systemd # SKIP udev needs inotify"
fi
try ctx_runs_with_the_shared_library
exit $failed
