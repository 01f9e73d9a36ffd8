# SPDX-License-Identifier: GPL-2.0-only
# Prints what zsh would offer at the end of a line, by the completion of this folder. The functions
# of zsh that it calls work in an editor alone: these stand for them.
# usage: zsh -f check-completion.zsh LINE

_describe() { # [-t TAG | -o | -S TEXT]... WHAT ARRAY
	local -a offered
	local array

	array=${@[(r)(commands|options|contexts)]}
	offered=("${(@)${(P)array}%%:*}")
	print -rl -- ${(M)offered:#$PREFIX*}
}

_normal() {
	if ((CURRENT == 1)); then
		print -rl -- ${(Mk)commands:#$PREFIX*}
	else
		print -rl -- $PREFIX*(N)
	fi
}

compset() { # -P '*='
	PREFIX=${PREFIX#*=}
}

functions[complete]=$(<ctx.zsh)
words=("${(@)${(z)1}}")
[[ $1 != *' ' ]] || words+=('')
CURRENT=$#words
PREFIX=$words[CURRENT]
complete
