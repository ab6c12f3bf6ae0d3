#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# Guards of commits, and commits that only check, by shelfctl.
#
# Seen to fail with a check that commits, guards that are not handed on to the batch of
# apply or of sync, and a warning that is not told.
#
# TAP on standard output. $SHELFCTL is the program, or ../../build/tools/shelfctl.

cd "$(dirname "$0")" || exit 1
ctl=$(realpath "${SHELFCTL:-../../build/tools/shelfctl}")
export ctl shelf=a.shelf status=0
# shellcheck source=/dev/null
. ./shelfctl-lib

puts() { # FIRST LAST
	seq -f '{"op":"put","product":%.0f,"price":5}' "$1" "$2"
}

run create --max-bytes 16M --seed 7
puts 1 100 >in.jsonl
echo '{"op":"add","catalog":1,"products":[1,2,3]}' >>in.jsonl
run check in.jsonl
check 'a check says what would come of it' 0 \
	'^checked, not applied: generation 1 ops 101 absent 0 pages [0-9]+, would have products 100 catalogs 1 memberships 3$'
run -j check in.jsonl
check 'and in JSON' 0 '"generation":1,"ops":101,.*"products":100,"catalogs":1,"memberships":3,.*"repeated":false,"checked":true\}$'
run show
check 'nothing was changed' 0 '^products 0$'
run apply in.jsonl --max-change 1
check 'from nothing to anything' 0 '^generation 2 ops 101 '
run export -o before.jsonl

puts 101 130 >in.jsonl
for how in check apply; do
	run $how in.jsonl --max-change 29
	check "$how: more than so many per cent" 1 '' \
		'in.jsonl: products would go from 100 to 130, by 30 per cent; at most 29 are allowed$'
done
run -j apply in.jsonl --max-change 29
check 'in JSON' 1 '' '"errno":"EDOM"|"errno":33'
run check in.jsonl --max-change 30
check 'as many as may be' 0 'products 130 '

echo '{"op":"delete","product":2}' >in.jsonl
for how in check apply; do
	run $how in.jsonl --dangling refuse
	check "$how: a member without its product" 1 '' \
		'in.jsonl: 1 members would name no product, the first: 2 of catalog 1$'
done
run check in.jsonl --dangling warn
check 'or a warning' 0 '^checked' 'in.jsonl: 1 members would name no product, the first: 2 of catalog 1$'
run -j check in.jsonl --dangling warn
check 'in JSON' 0 '"checked":true,"dangling":1,"warning":"1 members would .*"\}$'
[ -s err ] && verdict='not ok' || verdict=ok
report "$verdict" 'and there alone'
run check in.jsonl --dangling allow
check 'or nothing' 0 '^checked'
run export -o after.jsonl
run diff after.jsonl
check 'all of these have changed nothing' 0
cmp before.jsonl after.jsonl >err 2>&1 && verdict=ok || verdict='not ok'
report "$verdict" 'byte for byte'

{
	echo '{"op":"begin","generation":1}'
	puts 1 50
	echo '{"op":"add","catalog":1,"products":[1,2,999]}'
	echo '{"op":"end"}'
} >full.jsonl
run sync full.jsonl --max-change 10
check 'sync has guards' 1 '' 'products would go from 100 to 50'
run sync full.jsonl --dangling refuse
check 'both' 1 '' '1 members would name no product, the first: 999 of catalog 1$'
run sync full.jsonl --dangling warn
check 'and warns' 0 '^generation 3 ' '1 members would name no product'
run restore before.jsonl --max-change 99
check 'restore, too' 1 '' 'products would go from 50 to 100, by 100 per cent'
run -j restore before.jsonl --max-change 100
check 'up to there' 0 '"generation":4'

puts 1 1 >in.jsonl
echo '{"op":"sequence","source":"s","first":1,"last":1}' >>in.jsonl
run check in.jsonl
check 'a check keeps no numbers' 0 '^checked'
run apply in.jsonl
check 'so it is no repeat' 0 '^generation 5 ops 2 '
run check in.jsonl --max-change 1
check 'now it would be' 0 '^generation 5 has it already: a repeat, nothing would be changed$'
run check in.jsonl --expect 3
check 'whatever it expects' 0 'a repeat'
puts 1 1 >in.jsonl
run check in.jsonl --expect 4
check 'what is expected is checked' 1 '' 'generation 4 was expected, but 5 is the newest'
echo '{"op":"patch","product":777,"price":1}' >in.jsonl
run check in.jsonl
check 'and each line' 1 '' 'in.jsonl:1: '
echo '{"op":' >in.jsonl
run check in.jsonl
check 'its form first' 4 '' 'in.jsonl:1:'

usage 'more than there is' 'more than 1000000 per cent' --hosted a.shelf apply in.jsonl --max-change 1000001
usage 'no number' 'not a number' --hosted a.shelf check in.jsonl --max-change many
usage 'no word' 'allow, warn or refuse, not no' --hosted a.shelf sync in.jsonl --dangling no
usage 'no file' 'check takes one FILE' --hosted a.shelf check
usage 'neither yes nor no' 'yes or no, not 1' --hosted a.shelf create --max-bytes 4M --require-expect 1
export shelf=b.shelf
run create --max-bytes 4M --dangling warn
check 'a file keeps no guards' 1 '' 'each commit brings its guards'

finish
