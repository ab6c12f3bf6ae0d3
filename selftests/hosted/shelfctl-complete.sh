#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# Completion of shelfctl's command line as bash does it, by the script that is
# installed: commands, options, values, shelves, files.
#
# Seen to fail with a shelf offered where an option has named one, with values of
# --dangling or --require-expect left out, with no files for check, and with shelves
# for the first word of diff.
#
# TAP on standard output. $SHELFCTL is the program, or ../../build/tools/shelfctl.

cd "$(dirname "$0")" || exit 1
ctl=$(realpath "${SHELFCTL:-../../build/tools/shelfctl}")
tools=$(realpath ../../tools)
export ctl shelf=a.shelf status=0
# shellcheck source=/dev/null
. ../../tools/completion/shelfctl.bash
# shellcheck source=/dev/null
. ./shelfctl-lib

mkdir -p sys/prices sys/products sys/stock
touch first.jsonl 'two words.jsonl' figures
export SHELF_SYSFS=$PWD/sys

# completes WORDS... -- ANSWERS... : the last word can be these, in any order
completes() {
	COMP_WORDS=("$ctl")
	while [ "$1" != -- ] || [ "${2-}" = -- ]; do
		COMP_WORDS+=("$1")
		shift
	done
	shift
	COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
	_shelfctl
	printf '%s\n' "${COMPREPLY[@]}" | sort >out
	compare "${COMP_WORDS[*]:1}" <(printf '%s\n' "$@" | sort)
}

completes she -- shelf
completes pro -- product
completes s -- shelf set show stats sync
completes p -- product pin pins
completes frob -- ''
completes shelf '' -- create set destroy list show trim stats wait monitor top
completes shelf s -- set show stats
completes product '' -- get
completes pin l -- list
completes c -- create check catalog
completes data c -- check
completes data '' -- apply check export restore sync diff
completes help c -- create check catalog
completes shelf show '' -- prices products stock
completes show pr -- prices products
completes monitor st -- stock
completes shelf list '' -- ''
completes --hosted a.shelf show '' -- ''
completes -s stock show '' -- ''
completes -s '' -- prices products stock
completes --shelf pri -- prices
completes apply prices f -- first.jsonl figures
completes apply prices two -- 'two words.jsonl'
completes data apply prices one.jsonl '' -- ''
completes -s prices apply f -- first.jsonl figures
completes check prices f -- first.jsonl figures
completes -s prices restore f -- first.jsonl figures
completes data sync prices two -- 'two words.jsonl'
completes diff f -- first.jsonl figures
completes diff first.jsonl f -- first.jsonl figures
completes -s prices diff f -- first.jsonl figures
completes diff first.jsonl figures '' -- ''
completes --hosted fig -- figures
completes -b fir -- first.jsonl
completes export prices -o first -- first.jsonl
completes get prices '' -- product catalog
completes -s prices get c -- catalog
completes product get prices '' -- ''
completes help sh -- shelf show
completes help shelf w -- wait
completes show --h -- --hosted --help
completes wait prices --t -- --timeout
completes catalog get --a -- --after
completes show --a -- ''
completes --color '' -- auto always never
completes --color = a -- auto always
completes --color = -- auto always never
completes create prices --max -- --max-bytes --max-change
completes check prices --max -- --max-change
completes check prices --w -- --whole
completes check prices --no -- ''
completes export prices --max -- ''
completes create prices --re -- --require-expect
completes apply prices --re -- ''
completes apply prices --d -- --dangling
completes set prices --dangling '' -- allow warn refuse
completes apply prices --dangling r -- refuse
completes check prices --dangling = w -- warn
completes set prices --require-expect '' -- yes no
completes create prices --require-expect = n -- no
completes set prices --max-change '' -- ''
completes set --max-change 10 pr -- prices products
completes stats --format p -- prometheus
completes wait --timeout '' -- ''
completes wait --timeout 5 pri -- prices
completes --json show pri -- prices
completes export -o x pri -- prices
grep -q complete <("$ctl" help) && verdict="not ok" || verdict=ok
report "$verdict" "what asks for that is not in the help"

make -s -n -C "$tools" install O="$PWD/none" DESTDIR="$PWD/root" PREFIX=/usr >out 2>err
check "installed for bash" 0 '/usr/share/bash-completion/completions/shelfctl$'
check "and zsh" 0 '/usr/share/zsh/site-functions/_shelfctl$'

finish
