#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# What export writes and what reads it, over hosted shelves with random data in them:
# plain and packed, whole and torn.
#
# P5: what is torn or damaged is refused, by its name, and changes nothing.
#
#   exports.sh [SEED]
#
# Seen to fail with the end of a packed file not looked at; with no limit to a line of
# one; with the records of a leaf exported as they lie there.
#
# TAP on standard output. $SHELFCTL is the program, or ../../build/tools/shelfctl.

set -u
export LC_ALL=C.UTF-8
cd "$(dirname "$0")" || exit 1
here=$PWD
ctl=$(realpath "${SHELFCTL:-../../build/tools/shelfctl}")
dir=$(mktemp -d "${TMPDIR:-/tmp}/exports.XXXXXX") || exit 1
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 1
seed=${1:-$((RANDOM * 32768 + RANDOM))}
echo "# exports.sh $seed"
# shellcheck source=/dev/null
. "$here/exports-lib"

random_lines "$seed" 1500 >a.lines
make a 1 a.lines

# --- order ----------------------------------------------------------------

run a export -o a.out
check "an export" 0
make same 1 a.out
run same export -o same.out
same "of the same content and seed come the same lines" a.out same.out
# The other way round, and what is put last takes the places of what went.
{ random_lines $((seed + 1)) 1500; } >other.lines
make moved 1 other.lines
sed 's/"op":"put","product":\(-*[0-9]*\),.*/"op":"delete","product":\1}/
	s/"op":"add",\("catalog":-*[0-9]*\),.*/"op":"delete",\1}/' other.lines >delete.lines
{ cat delete.lines; body a.out | tac; } >moved.lines
run moved apply moved.lines
check "all of it replaced" 0
run moved export -o moved.out
same "whatever has been there before" <(body a.out) <(body moved.out)
make seeded 2 a.out
run seeded export -o seeded.out
check "another seed" 0 "digest $(digest a.out)\$"
cmp -s a.out seeded.out && verdict="not ok" || verdict=ok
report "$verdict" "is another order"
same "of the same lines" <(body a.out | sort) <(body seeded.out | sort)
sed '$s/"digest":"[0-9a-f]*",\("hash"\)/\1/' a.out >old.out
run same apply --whole old.out
check "an export without a digest" 0
sed '$s/"digest":"..../"digest":"0000/' a.out >bad.out
run same apply bad.out
check "a digest of something else" 4 '' '^bad.out:[0-9]+: lines 1 to [0-9]+ say other than'

# --- packed ---------------------------------------------------------------

run a export -o a.zst
check "one whose name ends in .zst" 0
echo "# $(stat -c %s a.out) bytes, packed $(stat -c %s a.zst)"
zstd -dcq a.zst >unpacked
same "is the same, packed" a.out unpacked
"$ctl" --hosted a export --zstd 2>err >piped
same "through a pipe too" piped a.zst
run b create --max-bytes 64M
for file in a.zst a.out; do
	run b apply --whole $file
	check "apply takes $file" 0
done
"$ctl" --hosted b apply --whole - <a.zst >out 2>err
status=$?
check "and standard input" 0
head -c 900 a.out | zstd -q >two.zst
tail -c +901 a.out | zstd -q >>two.zst
run b apply --whole two.zst
check "frames joined one behind the other" 0
printf '(\265/' >short.zst
run b apply short.zst
check "three bytes of zstd's are none" 4 '' '^short.zst:1:'

run b show
mv out shown
size=$(stat -c %s a.zst)
taken=0 tried=0 unnamed=0
for ((at = 4 + seed % 50; at < size; at += size / 40)); do
	head -c $at a.zst >torn.zst
	run b apply torn.zst
	tried=$((tried + 1))
	[ $status = 0 ] && taken=$((taken + 1))
	[ $status = 4 ] && grep -q '^shelfctl: torn.zst: damaged zstd, before byte' err ||
		unnamed=$((unnamed + 1))
done
number "torn at $tried places, taken" $taken 0
number "refused without name and place" $unnamed 0
taken=0
for ((at = 4 + seed % 50; at < size; at += size / 20)); do
	{ head -c $at a.zst; printf '\252\125'; tail -c +$((at + 3)) a.zst; } >torn.zst
	cmp -s torn.zst a.zst && continue
	run b apply --whole torn.zst
	[ $status = 4 ] && grep -q 'torn.zst:' err || taken=$((taken + 1))
done
number "two bytes others at 20 places, taken or refused without a name" $taken 0
run b show
same "and nothing is changed" out shown

head -c 300M /dev/zero | zstd -q >bomb.zst
run b apply bomb.zst
check "a line without an end" 4 '' '^shelfctl: bomb.zst: damaged zstd, before byte .*16 MiB'
head -c 300M /dev/zero | zstd -q --ultra --long=28 >window.zst
run b apply window.zst
check "a window of 256 MiB" 4 '' 'window.zst: damaged zstd, .*memory'

tap_end
