# SPDX-License-Identifier: GPL-2.0-only OR MIT
# shellcheck shell=bash
#
# bash completion for shelfctl: what it can be, the tool itself says.

_shelfctl()
{
	local current=${COMP_WORDS[COMP_CWORD]} line

	[[ $current != = ]] || current=
	COMPREPLY=()
	while IFS= read -r line; do
		if [[ $line == :files ]]; then
			compopt -o filenames 2>/dev/null
			mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -f -- "$current")
		else
			COMPREPLY+=("$line")
		fi
	done < <("${COMP_WORDS[0]}" complete -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}

complete -F _shelfctl shelfctl
