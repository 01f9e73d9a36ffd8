#compdef ctx
# SPDX-License-Identifier: GPL-2.0-only
# Completion of the ctx command in zsh. What there is to complete comes from ctx itself.

# The ids and names of the contexts that the user may open, but names that are no plain words.
_ctx_contexts() {
	local -a lines contexts
	local line

	lines=(${(f)"$(ctx ls --raw --noheadings --output ID,NAME 2>/dev/null)"})
	for line in $lines; do
		contexts+=("${line%% *}:${line#* }")
		[[ ${line#* } != [[:alpha:]_][[:alnum:]._-]# ]] || contexts+=("${line#* }:#${line%% *}")
	done
	_describe -t contexts context contexts
}

_ctx_commands() {
	local -a commands

	commands=(${(f)"$(ctx --help 2>/dev/null | sed -nE 's/^  ([a-z]+) +/\1:/p')"})
	_describe -t commands command commands
}

# Those that take an argument end with =.
_ctx_options() { # [COMMAND]
	local -a options

	options=(${(f)"$(ctx "$@" --help 2>/dev/null |
		sed -nE 's/^ +(-[A-Za-z], +)?(--[a-z-]+=?)[^ ]* +/\2:/p')"})
	_describe -o -t options option options -S ''
}

_ctx_takes_argument() { # COMMAND OPTION
	ctx $1 --help 2>/dev/null | grep -qE -- "^ +(-[A-Za-z], +)?$2(, +--[a-z-]+)?="
}

# What comes after ctx run and its options, as though it stood alone.
_ctx_inner() {
	local -i at

	for ((at = 3; at < CURRENT; at++)); do
		case $words[at] in
		--) ((at++)); break ;;
		-*=*) ;;
		-*) ! _ctx_takes_argument $words[2] $words[at] || ((at++)) ;;
		*) break ;;
		esac
	done
	((at <= CURRENT)) || return
	words=("${(@)words[at,-1]}")
	((CURRENT -= at - 1))
	_normal
}

_ctx() {
	setopt localoptions extendedglob

	if ((CURRENT == 2)) && [[ $PREFIX == -* ]]; then
		_ctx_options
	elif ((CURRENT == 2)); then
		_ctx_commands
	elif [[ $PREFIX == --under=* ]]; then
		compset -P '*='
		_ctx_contexts
	elif [[ $words[2] == run && $words[CURRENT-1] == --under ]]; then
		_ctx_contexts
	elif [[ $PREFIX == -* ]]; then
		_ctx_options $words[2]
	elif [[ $words[CURRENT-1] == -* ]] && _ctx_takes_argument $words[2] $words[CURRENT-1]; then
		return 1
	else
		case $words[2] in
		help) _ctx_commands ;;
		run | timeout) _ctx_inner ;;
		cancel | deadline | info | log | ls | tree | value | wait) _ctx_contexts ;;
		esac
	fi
}

_ctx "$@"
