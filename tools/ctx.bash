# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
# Completion of the ctx command in bash. What there is to complete comes from ctx itself.

# The ids and the names of the contexts that the user may open, but names that a shell would not
# take for a plain word, or ctx for an option or an id.
_ctx_contexts() {
	ctx ls --raw --noheadings --output ID,NAME 2>/dev/null |
		awk '{ print $1 } $2 ~ /^[[:alpha:]_][[:alnum:]._-]*$/ { print $2 }' | sort -u
}

_ctx_commands() {
	ctx --help | sed -nE 's/^  ([a-z]+) .*/\1/p'
}

# Where the word before this one is an option that takes an argument, its long name.
_ctx_option_of() { # HELP PREVIOUS-WORD
	case $2 in
	*[![:alnum:]-]*) ;;
	--*) grep -oE -- "^ .*$2=" <<<"$1" | grep -oE -- '--[a-z-]+' ;;
	-?*) grep -oE -- "^ +-${2: -1}, --[a-z-]+=" <<<"$1" | grep -oE -- '--[a-z-]+' ;;
	esac
}

# The number of the word at which COMMAND of ctx run stands.
_ctx_run_command() { # HELP
	local i

	for ((i = 2; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		--) ((i++)); break ;;
		# readline makes three words of --name=x
		=) ((i++)) ;;
		-*)
			[ "${COMP_WORDS[i + 1]-}" = = ] ||
				[ -z "$(_ctx_option_of "$1" "${COMP_WORDS[i]}")" ] || ((i++))
			;;
		*) break ;;
		esac
	done
	echo "$i"
}

_ctx_argument() { # COMMAND LONG-OPTION WORD
	case $2 in
	--signal) mapfile -t COMPREPLY < <(compgen -W "$(kill -l | grep -oE 'SIG[A-Z]+[0-9]*' | sed s/SIG//)" -- "$3") ;;
	--under) mapfile -t COMPREPLY < <(compgen -W "$(_ctx_contexts)" -- "$3") ;;
	--output)
		mapfile -t COMPREPLY < <(compgen -P "${3%"${3##*[,+]}"}" \
			-W "$(ctx "$1" --help | sed -nE 's/^  ([A-Z]+)  .*/\1/p')" -- "${3##*[,+]}")
		;;
	--pid) mapfile -t COMPREPLY < <(cd /proc && compgen -G "$3*" | grep -x '[0-9]*') ;;
	--color) mapfile -t COMPREPLY < <(compgen -W 'auto always never' -- "$3") ;;
	esac
}

_ctx() {
	local command=${COMP_WORDS[1]-} word=${COMP_LINE:0:COMP_POINT} previous help option at

	COMPREPLY=()
	# With the colon, at which readline begins a new word.
	word=${word##*[[:space:]]}
	if [ "$COMP_CWORD" = 1 ]; then
		mapfile -t COMPREPLY < <(compgen -W "--help --version
			$(_ctx_commands)" -- "$word")
		return
	fi
	help=$(ctx "$command" --help 2>/dev/null) || return
	previous=${COMP_WORDS[COMP_CWORD - 1]}
	if [[ $word = --*=* ]]; then
		_ctx_argument "$command" "${word%%=*}" "${word#*=}"
		return
	fi
	if [ "$command" = run ]; then
		at=$(_ctx_run_command "$help")
		if ((COMP_CWORD > at)) && declare -F _command_offset >/dev/null; then
			_command_offset "$at"
			return
		elif ((COMP_CWORD > at)); then
			mapfile -t COMPREPLY < <(compgen -f -- "$word")
			return
		fi
	fi
	option=$(_ctx_option_of "$help" "$previous")
	# The argument of --color and --watch stands behind a = alone.
	if [ -n "$option" ]; then
		_ctx_argument "$command" "$option" "$word"
	elif [[ $word = -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$(grep -oE -- '^ .*--[a-z-]+' <<<"$help" | grep -oE -- '--[a-z-]+')" -- "$word")
	else
		case $command in
		run | timeout) mapfile -t COMPREPLY < <(compgen -c -- "$word" | sort -u) ;;
		help) mapfile -t COMPREPLY < <(compgen -W "$(_ctx_commands)" -- "$word") ;;
		cancel | deadline | info | log | ls | tree | value | wait)
			mapfile -t COMPREPLY < <(compgen -W "$(_ctx_contexts)" -- "$word")
			;;
		esac
	fi
}

complete -F _ctx ctx
