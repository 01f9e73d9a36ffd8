# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# What the project's scripts share. To be sourced.

set -euo pipefail
export LC_ALL=C
umask 022

# Used by the scripts that source this file.
# shellcheck disable=SC2034
top=$(cd "${BASH_SOURCE[0]%/*}/.." && pwd)
cache=${CTX_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/ctx}
mkdir -p "$cache"
cache=$(cd "$cache" && pwd)

say() { echo "$*" >&2; }
die() { say "${0##*/}: $*"; exit 1; }

# retry COMMAND...: mirrors and networks have bad moments
retry() {
	local try

	for try in 1 2 3; do
		! "$@" || return 0
		say "failed (attempt $try of 3): $*"
		sleep $((try * 5))
	done
	return 1
}

as_root() {
	if [ "$(id -u)" = 0 ]; then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo "$@"
	else
		die "needs root, and there is no sudo: $*"
	fi
}

# lock NAME: hold it until this shell ends, so that two runs at once do the work once
lock() {
	exec {lock_fd}>"$cache/$1.lock"
	flock -n "$lock_fd" || { say "waiting for another run: $1"; flock "$lock_fd"; }
}

# The archives that this machine's apt uses: "URI LABEL", a line each
debian_archives() {
	# shellcheck disable=SC2016 # the dollars are apt's
	apt-get indextargets --format '$(ORIGIN) $(REPO_URI) $(LABEL)' 'Created-By: Packages' |
		awk '$1 == "Debian" && !seen[$3]++ { print $2, $3 }'
}

# use_suite SUITE [fresh]: the apt commands that follow see that suite alone, through a
# configuration and state of their own in the cache. Its lists are fetched once a day, and
# now where "fresh" is said. It has sources in place of packages where apt_type is deb-src.
use_suite() {
	local dir=$cache/apt/$1${apt_type+-$apt_type}

	mkdir -p "$dir/lists/partial" "$dir/archives/partial"
	# The empty status file: what this machine has installed is no candidate here.
	: >"$dir/status"
	cat >"$dir/apt.conf" <<-EOF
	Dir::Etc::sourcelist "$dir/sources.list";
	Dir::Etc::sourceparts "/dev/null";
	Dir::Etc::preferences "/dev/null";
	Dir::Etc::preferencesparts "/dev/null";
	Dir::State "$dir";
	Dir::State::status "$dir/status";
	Dir::Cache "$dir";
	Dir::Cache::pkgcache "pkgcache.bin";
	Dir::Cache::srcpkgcache "srcpkgcache.bin";
	Acquire::Languages "none";
	APT::Sandbox::User "$(id -un)";
	EOF
	if [ -n "${2-}" ] || [ -z "$(find "$dir/updated" -mmin -1440 2>/dev/null)" ]; then
		unset APT_CONFIG
		suite_sources "$1" >"$dir/sources.new"
		[ -s "$dir/sources.new" ] || die "found no Debian archive in this machine's apt sources"
		mv "$dir/sources.new" "$dir/sources.list"
		if APT_CONFIG=$dir/apt.conf retry apt-get update -qq >&2; then
			touch "$dir/updated"
		elif [ -e "$dir/updated" ]; then
			say "using the package lists of $(date -r "$dir/updated")"
		else
			die "cannot fetch the package lists of $1"
		fi
	fi
	export APT_CONFIG=$dir/apt.conf
}

# suite_sources SUITE: its sources.list, with this machine's mirrors
suite_sources() {
	local archives uri label suite

	archives=$(debian_archives)
	if [ -z "$archives" ]; then
		# Two at once would be one too many for apt.
		(lock packages; retry as_root apt-get update -qq >&2)
		archives=$(debian_archives)
	fi
	while read -r uri label; do
		suite=$1
		case $label,$suite in
		Debian,*) ;;
		Debian-Security,*-*) continue ;;	# backports have none
		Debian-Security,*) suite=$suite-security ;;
		*) continue ;;
		esac
		echo "${apt_type:-deb} [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $uri $suite main"
	done <<<"$archives"
}

# field PACKAGE FIELD: of the candidate version in the suite in use
field() {
	apt-cache show --no-all-versions "$1" 2>/dev/null | sed -n "s/^$2: //p"
}

# depends PACKAGE REGEX: the names among its dependencies that match
depends() {
	field "$1" Depends | sed 's/([^)]*)//g; s/ //g; s/[,|]/\n/g' | grep -Ex "$2" | sort -u
}

# How a command ends when what the package lists promise is not there
stale=75

# fresh_if_stale COMMAND: again with fresh lists where yesterday's name a package that the archive
# has replaced since. The subshells are what lets set -e work in the command.
fresh_if_stale() {
	local result

	set +e
	(set -e; "$@")
	result=$?
	if [ $result = $stale ]; then
		(set -e; "$@" fresh)
		result=$?
	fi
	set -e
	return $result
}

# unpack DIR PACKAGE...: fetch from the suite in use and unpack, without installing
unpack() {
	local dir=$1 deb

	shift
	mkdir -p "$dir.debs" "$dir"
	say "fetching $*"
	(cd "$dir.debs" && retry apt-get download -qq "$@" >&2) || exit $stale
	for deb in "$dir.debs"/*.deb; do
		dpkg-deb -x "$deb" "$dir"
	done
	rm -rf "$dir.debs"
}
