#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# P6 by shelfctl: files with sequence numbers, and where sources stand in exports, diffs,
# syncs and restores.
#
# Seen to fail with an export without its sources, a sync that forgets sources of which
# its file says nothing, and one that leaves them when its file names others.
#
# TAP on standard output. $SHELFCTL is the program, or ../../build/tools/shelfctl.

cd "$(dirname "$0")" || exit 1
ctl=$(realpath "${SHELFCTL:-../../build/tools/shelfctl}")
export ctl shelf=a.shelf status=0
# shellcheck source=/dev/null
. ./shelfctl-lib

lines() { printf '%s\n' "$@" >in.jsonl; }

run create --max-bytes 16M --seed 7
lines '{"op":"put","product":1,"price":5}' \
	'{"op":"sequence","source":"prices/0","first":0,"last":9}'
run apply in.jsonl
check 'a batch with numbers' 0 '^generation 2 ops 2 '
run apply in.jsonl
check 'the same once more' 0 '^generation 2 has it already'
run -j apply in.jsonl
check 'and in JSON' 0 '"generation":2,"ops":0,.*"repeated":true,"checked":false\}$'
lines '{"op":"put","product":2}' '{"op":"sequence","source":"prices/0","first":9,"last":12}'
run apply in.jsonl
check 'numbers that overlap' 1 '' 'in.jsonl:2: a part of its numbers.*source prices/0'
lines '{"op":"sequence","source":"prices/0","first":11,"last":12,"no_gap":true}'
run apply in.jsonl
check 'a gap' 1 '' 'in.jsonl:1: there is a gap'
lines '{"op":"sequence","source":"prices/0","first":10,"last":12,"no_gap":true}' \
	'{"op":"source","source":"a \"b\\ ~","last":9223372036854775807}' \
	'{"op":"sequence","source":"new","first":5,"last":5}'
run apply in.jsonl
check 'numbers that follow' 0 '^generation 3 ops 3 '

for bad in '"source":"","last":1' '"source":"\u00e4","last":1' '"source":"a\u0001","last":1' \
	'"source":7,"last":1' '"source":"a","last":-1' '"source":"a"' '"source":"a","last":1,"first":1'; do
	lines "{\"op\":\"source\",$bad}"
	run apply in.jsonl
	check "refused: $bad" 4 '' 'in.jsonl:1:[0-9]+: '
done
lines '{"op":"sequence","source":"a","first":2,"last":1}'
run apply in.jsonl
check 'last below first' 1 '' 'LAST is below FIRST'

run export -o a.jsonl
check 'an export' 0
grep '"op":"source"' a.jsonl | sort >out
printf '%s\n' '{"op":"source","source":"a \"b\\ ~","last":9223372036854775807}' \
	'{"op":"source","source":"new","last":5}' \
	'{"op":"source","source":"prices/0","last":12}' | sort >want
compare 'has where each source stands' want

# Somewhere else: a restore, and byte for byte the same export.
shelf=b.shelf
run create --max-bytes 16M --seed 7
lines '{"op":"source","source":"old","last":3}' '{"op":"put","product":77}'
run apply in.jsonl
run restore a.jsonl
check 'a restore' 0 'sources 4'
run export -o b.jsonl
grep -v '"op":"\(begin\|end\)"' b.jsonl >out
grep -v '"op":"\(begin\|end\)"' a.jsonl >want
compare 'gives all back, and forgets what was there' want
run diff hosted:a.shelf
check 'no difference' 0
lines '{"op":"put","product":1,"price":5}' \
	'{"op":"sequence","source":"prices/0","first":0,"last":9}'
run apply in.jsonl
check 'what was applied before the checkpoint is a repeat' 0 'has it already'

# A file without sources leaves them; with some, it says all.
lines '{"op":"begin"}' '{"op":"put","product":5}' '{"op":"end"}'
run sync in.jsonl
check 'a sync that says nothing of sources' 0 'sources 0'
run diff hosted:a.shelf --stat
check 'leaves them' 1 'sources 0'
lines '{"op":"begin"}' '{"op":"put","product":5}' '{"op":"source","source":"new","last":6}' '{"op":"end"}'
run diff in.jsonl
sort out -o sorted && mv sorted out
printf '%s\n' '{"op":"delete","source":"a \"b\\ ~"}' '{"op":"delete","source":"prices/0"}' \
	'{"op":"source","source":"new","last":6}' | sort >want
compare 'a diff with sources' want
run sync in.jsonl
check 'a sync with sources' 0 'sources 3'
run diff in.jsonl
check 'makes them so' 0
lines '{"op":"begin"}' '{"op":"source","source":"new","last":6}' \
	'{"op":"source","source":"new","last":7}' '{"op":"end"}'
run sync in.jsonl
check 'a source twice' 4 '' 'in.jsonl:3: .*twice'

# A root that says seven: what is exported, or read to compare, is not all.
run export -o whole.jsonl
cp --sparse=always a.shelf bad.shelf
word=$(od -An -tu8 -j64 -N8 bad.shelf)
printf '\007' | dd of=bad.shelf bs=1 seek=$((2097152 + (word & 0xffffff) * 4096 + 56)) conv=notrunc status=none
shelf=bad.shelf
run export -o lost.jsonl
check 'an export that lacks sources' 1 '' 'damaged'
[ ! -e lost.jsonl ] && verdict=ok || verdict="not ok"
report "$verdict" 'is not there'
run diff whole.jsonl
check 'nor is it compared' 5 '' 'damaged'
shelf=a.shelf

finish
