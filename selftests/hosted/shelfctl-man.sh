#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# What the manual pages of shelfctl show behind a $: each command is run, in the order of
# its page, and prints what stands there, but for times and blocks on disk. A cat makes
# its file.
#
# Seen to fail with a field more in an answer, another generation, a message in other
# words.
#
# TAP on standard output. $SHELFCTL is the program, or ../../build/tools/shelfctl.

cd "$(dirname "$0")" || exit 1
ctl=$(realpath "${SHELFCTL:-../../build/tools/shelfctl}")
pages=$(realpath "${1:-../../Documentation/man}")
export ctl shelf=prices.shelf status=0
# shellcheck source=/dev/null
. ./shelfctl-lib

shelfctl() { "$ctl" "$@"; }

# To files N.run and N.want, from 100 on.
split() {
	rm -f ./*.run ./*.want
	awk '
		/^\.Bd -literal/ { shown = 1; n = n ? n : 99; next }
		/^\.Ed/ { shown = 0; more = 0; file = "" }
		!shown { next }
		{ gsub(/\\&/, ""); gsub(/\\e/, "\\") }
		/^\$ / { file = ++n ".run"; sub(/^\$ /, "") }
		file { print >(more || file ~ /run$/ ? n ".run" : n ".want"); more = /\|$/ }
		file && !more { file = n ".want" }' "$1"
}

masked() {
	sed -E 's/[0-9]+\.[0-9]{3} ms/T ms/g; s/^(committed_ns|bytes) [0-9]+$/\1 N/' "$1"
}

# What pages have in front of their first example.
cat >first <<'EOF'
{"op":"put","product":42,"price":1999,"currency":"EUR","stock":7,"attrs":{"name":"mug"}}
{"op":"put","product":43,"price":500,"currency":"EUR","stock":1}
{"op":"add","catalog":7,"products":[42,43,44]}
{"op":"sequence","source":"prices/3","first":100,"last":149}
EOF
cat >today <<'EOF'
{"op":"begin"}
{"op":"put","product":42,"price":1899,"currency":"EUR","stock":7,"attrs":{"name":"mug"}}
{"op":"put","product":44,"price":250,"currency":"EUR"}
{"op":"add","catalog":7,"products":[42,44]}
{"op":"end"}
EOF

prepare() {
	rm -f ./*.shelf ./*.jsonl ./*.zst
	cp first first.jsonl
	cp today today.jsonl
	grep -q -- '--hosted prices.shelf create' "$1" && return
	"$ctl" --hosted other.shelf create --max-bytes 4M --seed 1
	"$ctl" --hosted prices.shelf create --max-bytes 64M --seed 1
	grep -qE 'shelf (-b|apply first)' "$1" || "$ctl" --hosted prices.shelf apply first.jsonl >some
}

# What monitor is to see.
events() {
	waiting "$PWD/prices.shelf"
	echo '{"op":"put","product":1}' | "$ctl" --hosted prices.shelf apply - >some
	for _ in $(seq 200); do
		[ ! -s printed ] || break
		sleep 0.05
	done
	"$ctl" --hosted prices.shelf destroy
}

# try PAGE N : the command, and what it prints
try() {
	local command

	command=$(<"$2.run")
	touch "$2.want"
	examples=$((examples + 1))
	if [[ $command == cat\ * ]]; then
		cp "$2.want" "${command#cat }"
		return
	fi
	[[ $command != *monitor* ]] || events &
	# shellcheck disable=SC1090
	. "./$2.run" >printed 2>&1 </dev/null
	masked printed >out
	masked "$2.want" >want
	compare "${1##*/}: ${command##*shelfctl }" want
	wait
}

examples=0
for page in "$pages"/shelfctl*.8; do
	split "$page"
	prepare "$page"
	for file in ./*.run; do
		[ ! -f "$file" ] || try "$page" "$(basename "$file" .run)"
	done
done
[ "$examples" -gt 25 ] && verdict=ok || verdict="not ok"
report "$verdict" "there are examples"

finish
