#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# The scripts in tools/trace, all five at once, beside a load of which it is known what
# it does: what they print agrees with that, and with sysfs.
#
# Not run with the others, for it takes minutes: make check-trace.
#
# Seen to fail with: commits that takes each for a repeat; ioctls that takes GET for INFO;
# pins that doesn't forget one that was let go; maps that sees no holes. Not with reclaim
# that doesn't subtract chunks given back: the next event of a trim says how many there are.

set -u
export PATH=$PWD/build/tools:$PATH
dir=$(mktemp -d)
n=0 bad=0
scripts=(commits ioctls pins reclaim maps)
declare -A tracer
holder=''

finish()
{
	[[ ! $holder ]] || kill "$holder" 2>/dev/null
	((!${#tracer[@]})) || kill "${tracer[@]}" 2>/dev/null
	shelfctl destroy tick 2>/dev/null
	shelfctl destroy small 2>/dev/null
	rm -rf "$dir"
}
trap finish EXIT

check()
{
	local name=$1
	shift
	n=$((n + 1))
	if "$@"; then echo "ok $n - $name"; else echo "not ok $n - $name"; bad=1; fi
}

# is WANT GOT
is() { [[ $1 == "$2" ]] || { echo "# $2, not $1"; return 1; }; }

value() { cat "/sys/class/shelf/$1/$2"; }

# count OUTPUT KEY: what is behind "@KEY: ", 0 if nothing.
count()
{
	awk -v key="@$2: " 'index($0, key) == 1 { n = substr($0, length(key) + 1) } END { print n + 0 }' "$dir/$1.out"
}

# entries OUTPUT KEY: the sum of the histogram "@KEY:".
entries()
{
	awk -v key="@$2:" '
		/^@/ { in_it = $0 ~ "^@" && index($0, key) == 1 && length($0) == length(key) + (substr($0, length($0)) == " ") }
		in_it && /^[\[(]/ { sub(/^[^\])]*[\])]/, ""); n += $1 }
		END { print n + 0 }' "$dir/$1.out"
}

load() { exec python3 -I selftests/guest/bpftrace-load.py "$@"; }

# begin SCRIPT [ARG]: what BEGIN prints is read when all its probes are there.
begin()
{
	bpftrace -B line "tools/trace/shelf-$1.bt" ${2+"$2"} >"$dir/$1.out" 2>"$dir/$1.log" &
	tracer[$1]=$!
}

ready()
{
	local name
	for name; do
		until grep -q '^Tracing' "$dir/$name.out"; do
			kill -0 "${tracer[$name]}" 2>/dev/null || { sed 's/^/# /' "$dir/$name.log"; return 1; }
			sleep 0.2
		done
		echo "# $name: $(awk '{ print ($14 + $15) / 100 }' "/proc/${tracer[$name]}/stat") s of a processor"
	done
}

stop()
{
	local name status=0
	for name in "${!tracer[@]}"; do kill -INT "${tracer[$name]}"; done
	for name in "${!tracer[@]}"; do wait "${tracer[$name]}" || status=1; done
	tracer=()
	return "$status"
}

if [[ ! -x /usr/bin/bpftrace || ! -x /usr/bin/python3 ]]; then
	echo 'ok 1 - bpftrace # SKIP no bpftrace or no python3: tools/deps test'
	echo '1..1'
	exit 0
fi
begun=$SECONDS
begin maps # which takes longest, as it needs structs of the kernel
for name in commits ioctls pins; do begin "$name"; done
begin reclaim 2
check 'four run' ready commits ioctls pins reclaim
((!bad)) || exit 1
echo "# which took $((SECONDS - begun)) s"

# Some products of 2 MB in all, each batch with others' attributes.
batch()
{
	local i
	for i in $(seq 0 39); do
		printf '{"op":"put","product":%d,"price":%d,"attrs":{"x":"%s%d"}}\n' "$i" "$1" "$long" "$1"
	done
}
long=$(printf 'y%.0s' $(seq 50000))
apply() { shelfctl apply tick "$@" >/dev/null 2>>"$dir/errors"; }
until_has() { until grep -q holds "$1"; do sleep 0.1; done; }

# Eight batches, some of them too soon after others for what these left to have rested.
shelfctl create tick --max-bytes 8M --quarantine-ms 3600000 --pin-bytes 8M \
	--lease-ms 600000 --lease-max-ms 3600000
applied=0 refused=0
for i in $(seq 8); do
	batch "$i" | apply - && applied=$((applied + 1))
done
echo '{"op":"add","catalog":7,"products":[1,2,3]}' >"$dir/in"
for i in 1 2 3; do
	apply "$dir/in" --expect 1 || refused=$((refused + 1))
done
apply "$dir/in" --no-wait && applied=$((applied + 1))
echo '{"op":"patch","product":999999,"price":1}' >"$dir/in"
for i in 1 2; do
	apply "$dir/in" || refused=$((refused + 1))
done
printf '%s\n' '{"op":"put","product":1,"price":5}' '{"op":"sequence","source":"s","first":1,"last":2}' >"$dir/in"
apply "$dir/in" && applied=$((applied + 1))
apply "$dir/in" # once more: acknowledged, and no commit

load reader tick &
reader=$!
wait $reader
check 'the reader has what it asked for' is 0 $?
# Pins keep nothing of what is in quarantine anyhow.
shelfctl set tick --quarantine-ms 0
load holder tick >"$dir/holder" &
holder=$!
load pinner tick >"$dir/pinner" &
pinner=$!
until_has "$dir/holder"
until_has "$dir/pinner"
batch 13 | apply - && applied=$((applied + 1)) # so that the pin keeps something
wait $pinner
check 'the pinner has, and a pin was revoked' is 0 $?

# Most goes, so that a trim gives chunks back, and there are holes.
seq 0 39 | sed '/0$/d; s/.*/{"op":"delete","product":&}/' >"$dir/in"
apply "$dir/in" && applied=$((applied + 1))
shelfctl trim tick | sed 's/^/# /'

echo Y >/sys/module/shelf/parameters/small_chunks
shelfctl create small --max-bytes 8M
batch 1 | shelfctl apply small - >/dev/null
echo N >/sys/module/shelf/parameters/small_chunks
check 'the fifth runs' ready maps
echo "# which took $((SECONDS - begun)) s"
load mapper small $((8 << 20)) &
mapper_small=$!
wait $mapper_small
check 'small chunks are mapped' is 0 $?
load mapper tick $((8 << 20)) &
mapper=$!
wait $mapper
check 'chunks are mapped' is 0 $?

sleep 2 # for the last of what happens between commits
check 'all end well' stop

for name in "${scripts[@]}"; do
	printf '# ---- %s\n' "$name"
	cat "$dir/$name.out" "$dir/$name.log"
done >"$dir/all"
[[ ! ${SHARE-} ]] || cp "$dir/all" "$SHARE/bpftrace.$(uname -r)"

# says OUTPUT REGEX: a line of it is that.
says() { grep -Eqx -- "$2" "$dir/$1.out" || { sed 's/^/#   /' "$dir/$1.out" "$dir/$1.log"; return 1; }; }
lines() { grep -Ec -- "$2" "$dir/$1.out"; }

check 'commits: 12 applied' is 12 "$applied"
check 'as many are counted' is "$applied" "$(count commits 'commits[tick]')"
for stage in draft publish grace; do
	check "as many in $stage" is "$applied" "$(entries commits "${stage}_us[tick]")"
done
check 'as many batches' is "$applied" "$(entries commits 'ops[tick]')"
check 'the other shelf has one' is 1 "$(count commits 'commits[small]')"
check 'of its own' is 1 "$(entries commits 'draft_us[small]')"
check 'five refused' is "5 $(value tick refused_batches)" "$refused $refused"
check 'three of them as stale' is 3 "$(count commits 'refused[tick, 116, ESTALE]')"
check 'two for what is not there' is 2 "$(count commits 'refused[tick, 2, ENOENT]')"
check 'no others' is 2 "$(lines commits '^@refused\[')"
check 'drafts of all five' is 5 "$(entries commits 'refused_draft_us[tick]')"
check 'a repeat' is 1 "$(count commits 'repeated[tick]')"

check 'ioctls: GET' is 1010 "$(entries ioctls "us[reader, $reader, GET]")"
check 'of which some found nothing' is 10 "$(count ioctls "failed[reader, $reader, GET, 2, ENOENT]")"
check 'GET_MANY' is 50 "$(entries ioctls "us[reader, $reader, GET_MANY]")"
check 'many that wait' is 24 "$(entries ioctls "us[reader, $reader, WAIT]")"
check 'in vain' is 24 "$(count ioctls "failed[reader, $reader, WAIT, 110, ETIMEDOUT]")"
check 'IS_MEMBER meanwhile' is 100 "$(entries ioctls "us[reader, $reader, IS_MEMBER]")"
check 'what is no command' is 7 "$(entries ioctls "us[reader, $reader, other]")"
check 'is refused' is 7 "$(count ioctls "failed[reader, $reader, other, 25, ENOTTY]")"
check 'PIN of another process' is 14 "$(entries ioctls "us[pinner, $pinner, PIN]")"
check 'UNPIN' is 13 "$(entries ioctls "us[pinner, $pinner, UNPIN]")"
check 'once too late' is 1 "$(count ioctls "failed[pinner, $pinner, UNPIN, 116, ESTALE]")"
check 'nothing else failed' is 4 "$(lines ioctls '^@failed\[')"

check 'pins: ages of those let go' is 13 "$(entries pins 'age_us[tick, pinner]')"
check 'a line of the one revoked' says pins "[0-9:]{8} tick +$pinner +pinner +[0-9]+ +[0-9]{2,} +[1-9][0-9]*"
check 'it is counted' is "1 $(value tick revoked_pins)" "$(count pins 'revoked[tick, pinner]') 1"
check 'its holder was told' is 1 "$(count pins 'told[tick, pinner]')"
check 'one is held' says pins "@held\[tick, [0-9]+\]: \(holder, $holder, [0-9]+, [0-9:]{8}\)"
check 'and no other' is 1 "$(lines pins '^@held\[')"

check 'reclaim: pages' is "$(value tick reclaimed_bytes)" $(($(count reclaim 'total[tick, pages freed]') * 4096))
check 'slots' is 1 "$(lines reclaim '^@total\[tick, slot bytes freed\]: [1-9]')"
early=$(value tick early_reuses)
check 'some were reused early' [ "$early" -gt 0 ]
check 'as many are told' is "$early" "$(count reclaim 'total[tick, commits reused early]')"
check 'a trim moved pages' is 1 "$(lines reclaim '^@total\[tick, pages moved by trims\]: [1-9]')"
check 'in steps' [ "$(count reclaim 'total[tick, trim steps]')" -gt 1 ]
returned=$(value tick returned_bytes)
check 'chunks went back' [ "$returned" -gt 0 ]
check 'as many are told' is "$returned" $(($(count reclaim 'total[tick, chunks given back]') << 21))
check 'what is held' is "$(value tick bytes)" $(($(count reclaim 'chunks[tick]') << 21))
check 'by the other' is "$(value small bytes)" $(($(count reclaim 'chunks[small]') << 21))
check 'in more intervals than one' [ "$(lines reclaim '^[0-9:]{8}$')" -gt 1 ]
check 'most of it told in these' [ "$(lines reclaim '^@in_interval\[tick, pages freed\]')" -gt 0 ]

check 'maps: control' says maps "[0-9:]{8} $mapper +mapper +tick +control +0 +4 +0"
check 'arena' says maps "[0-9:]{8} $mapper +mapper +tick +arena +2048 +8192 +0"
check 'refused' says maps "[0-9:]{8} $mapper +mapper +tick +arena +2048 +8192 +-22"
check 'no more' is 3 "$(lines maps "^[0-9:]{8} $mapper ")"
holes=$(value tick hole_faults)
check 'there are holes' [ "$holes" -gt 0 ]
check 'faults on them' is "$holes" "$(count maps "faults[mapper, $mapper, tick, hole 2M]")"
check 'on chunks' is $(($(value tick faults) - holes)) "$(count maps "faults[mapper, $mapper, tick, 2M]")"
check 'of no other kind' is 2 "$(lines maps '^@faults\[.* tick,')"
holes=$(value small hole_faults)
check 'holes of the other' is "$holes" "$(count maps "faults[mapper, $mapper_small, small, hole 2M]")"
check 'its chunks, of small pages' is $(($(value small faults) - holes)) "$(count maps "faults[mapper, $mapper_small, small, 4K]")"
check 'of 64 KiB each' [ "$(count maps "faults[mapper, $mapper_small, small, 4K]")" -gt 1 ]
((!bad)) || sed 's/^/#   /' "$dir/all" "$dir/errors"
echo "1..$n"
exit "$bad"
