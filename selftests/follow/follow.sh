#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# P6, P5: shelf-follow over a shelf in a file, beside a broker of its own, with messages of
# kcat: which messages are which operations; what becomes of those that are none; markers;
# positions that a topic no longer has; shelves that go, come back, are full or say no.
#
# Seen to fail with: what stands at the lines "break:" below; partitions that are not assigned
# anew after a refusal; a load that deletes nothing.
#
# TAP. $FOLLOW is the program, or ../../build/tools/shelf-follow.

set -u
export LC_ALL=C.UTF-8
top=$(cd "$(dirname "$0")/../.." && pwd) || exit 1
ctl=$(realpath "${SHELFCTL:-$top/build/tools/shelfctl}")
program=$(realpath "${FOLLOW:-$top/build/tools/shelf-follow}")
dir=$(mktemp -d "${TMPDIR:-/tmp}/follow.XXXXXX") || exit 1
cd "$dir" || exit 1
count=0 failed=0 status=0 follower='' into=0 brokers=''
trap 'kill $follower 2>/dev/null; rm -rf "$dir"' EXIT
# shellcheck source=/dev/null
. "$top/selftests/follow/broker-lib"

report() # ok|"not ok" DESCRIPTION
{
	count=$((count + 1))
	echo "$1 $count - $2"
	if [[ $1 != ok ]]; then
		failed=$((failed + 1))
		tail -n 12 out | sed 's/^/# out: /'
		tail -n 12 err | sed 's/^/# err: /'
	fi
}

check() # DESCRIPTION COMMAND...
{
	local name=$1
	shift
	if "$@" >out 2>err.check; then report ok "$name"; else report 'not ok' "$name"; fi
}

# ends DESCRIPTION STATUS ERR-PATTERN ARGUMENTS... : a run that ends by itself
ends()
{
	local name=$1 wanted=$2 pattern=$3 verdict=ok
	shift 3
	timeout 60 "$program" --brokers "$brokers" --state-dir "$dir/state" "$@" >out 2>err
	status=$?
	((status == wanted)) || verdict='not ok'
	[[ ! $pattern ]] || grep -Eq -- "$pattern" err || verdict='not ok'
	report "$verdict" "$name"
	[[ $verdict == ok ]] || echo "# status $status, expected $wanted /$pattern/"
}

once() { ends "$1" "$2" "$3" --shelf hosted:a.shelf --once "${@:4}"; }

ctl() { "$ctl" --hosted a.shelf "$@"; }

anew()
{
	rm -f a.shelf
	ctl create --max-bytes "${1:-64M}" >/dev/null
}

# topic NAME [PARTITIONS]
topic() { broker_do topic "$1" "${2:-1}"; }

# put TOPIC LINE... : key|value, an empty value is null; $with is for kcat
put()
{
	local topic=$1
	shift
	# shellcheck disable=SC2086 # words
	printf '%s\n' "$@" | kcat -q -P -b "$brokers" -t "$topic" -p "$into" -K'|' -Z ${with-}
}

holds() { ctl get "$1" "$2" | grep -Eq -- "$3"; }
absent() { ctl get "$1" "$2"; (($? == 3)); }
source_is() { ctl show | grep -qx "source $1 last $2"; }

# begin ARGUMENTS... : one that stays
begin()
{
	rm -f state/*.json
	"$program" --brokers "$brokers" --state-dir "$dir/state" --shelf hosted:a.shelf --every 0.05 \
		--set reconnect.backoff.max.ms=300 --set log_level=0 "$@" >out 2>err &
	follower=$!
}

# until_is SECONDS COMMAND...
until_is()
{
	local end=$((SECONDS + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		((SECONDS < end)) || return 1
		sleep 0.05
	done
}

finish()
{
	kill -TERM "$follower"
	wait "$follower"
	status=$?
	follower=''
	check "$1" test "$status" = 0
}

state_is() { "$program" --status --shelf hosted:a.shelf --state-dir "$dir/state" | grep -Eqx -- "$1"; }

broker_start

# --- the command line ---

ends 'no shelf' 2 'shelf is missing' --topic a
ends 'no topic' 2 'topic is missing' --shelf hosted:a.shelf
ends 'a topic of something else' 2 'neither products nor catalogs' --shelf hosted:a.shelf --topic a:b
ends 'a time that is none' 2 'every is a number' --shelf hosted:a.shelf --topic a --every -1
ends 'a property that is ours' 2 'not for you' --shelf hosted:a.shelf --topic a --set isolation.level=read_uncommitted
ends 'a property that is none' 2 'No such' --shelf hosted:a.shelf --topic a --set nonsense=1
ends 'a word too many' 2 'what is b' --shelf hosted:a.shelf --topic a b
printf 'shelf = hosted:a.shelf\nevery 1\n# a remark\nwhat = 1\n' >conf
ends 'two minds about poison' 2 'poison stop' --shelf hosted:a.shelf --topic a --dead-letter b --poison stop
ends 'a file with an option that is none' 2 'conf:4: is wrong' --config conf
ends 'help' 0 '' --help
cp out help
check 'which tells all options' grep -q -- --dead-letter help

# --- messages ---

topic simple
put simple '1|{"price":10,"currency":"EUR"}' '-2|{"price":20}' '3|{"op":"put","price":30}' \
	'3|{"op":"patch","stock":5}' '4|{"price":1}' '4|' '5|{"op":"put","product":5,"price":50}'
put simple '6|{"price":60,"attrs":{"op":"delete"}}'
anew
once 'keys of products' 0 '' --topic simple:products
check 'a put by its key' holds product 1 '^product 1 price 10 EUR'
check 'of a number below 0' holds product -2 'price 20'
check 'a patch' holds product 3 'price 30 stock 5'
check 'a value of null deletes' absent product 4	# break: a tombstone passed over
check 'an id in the value, too' holds product 5 'price 50'
check 'an op of its attributes is none' holds product 6 'price 60'
check 'all of it is counted in the shelf' source_is simple/0 7
generation=$(ctl -j show | jq .generation)
once 'again' 0 '' --topic simple:products
check 'changes nothing' test "$(ctl -j show | jq .generation)" = "$generation"

topic cats
put cats '7|{"products":[3,1]}' '8|{"op":"add","products":[5]}' '8|{"op":"add","products":[6]}' \
	'8|{"op":"remove","products":[5]}' '9|{"products":[1]}' '9|' '7|{"products":[2]}'
once 'keys of catalogs' 0 '' --topic cats:catalogs
check 'a set has what it names and no other' holds catalog 7 '^catalog 7 members 1 '
check 'adds and removes' holds catalog 8 '^catalog 8 members 1 '
check 'a value of null deletes a catalog' absent catalog 9

topic mixed
with='-H map=products' put mixed '40|{"price":4}' '41|{"price":4}' '41|'
with='-H map=catalogs' put mixed '40|{"products":[40]}'
with='-H map=products -H op=patch' put mixed '40|{"stock":9}'
put mixed '42|{"op":"put","product":42,"price":42}' '7|{"op":"delete","catalog":7}'
once 'topics of both, by headers and by values' 0 '' --topic mixed
check 'a product' holds product 40 'price 4 stock 9'
check 'one that is gone' absent product 41
check 'a catalog' holds catalog 40 'members 1'
check 'one that its value names' holds product 42 'price 42'
check 'a catalog deleted' absent catalog 7

topic binary
printf '\0\0\0\0\0\0\1\2|{"price":258}\n\377\377\377\377\377\377\377\376|{"price":-2}\n' |
	kcat -q -P -b "$brokers" -t binary -p 0 -K'|'
once 'keys of 8 bytes' 0 '' --topic binary:products --key binary
check 'the highest byte first' holds product 258 'price 258'
check 'in two'"'"'s complement' holds product -2 'price -2'

# --- what is no operation ---

topic poison
put poison '1|{"price":111}' 'x|{"price":1}' '2|{"price":222}' '3|{"price":"no"}' '3|{"price":1' \
	'3|{"product":4,"price":1}' '3|{"op":"add","catalog":3,"products":[1]}' '3|{"op":"sequence"}' \
	'9223372036854775808|{}' '99|{"op":"patch","price":1}' '98|{"op":"patch","price":1}' '3|{"price":333}'
anew
ctl apply - <<<'{"op":"put","product":1,"price":1}' >/dev/null
once 'stops' 4 'poison/0 offset 1: its key is not a decimal' --topic poison:products
check 'before its batch' holds product 1 'price 1 '		# break: committed all the same
check 'and tells so' state_is 'reason poison/0 offset 1: its key.*'
check 'and its state' state_is 'state stopped'
topic letters
once 'or passes it over' 0 'poison/0 offset 5 is passed over: .* the product is 4, and its key says 3' \
	--topic poison:products --dead-letter letters
check 'with the rest of its batch' holds product 3 'price 333'
check 'in front and behind' holds product 2 'price 222'
# shellcheck disable=SC2094 # a topic's name
kcat -q -C -b "$brokers" -t letters -e -f '%k|%s|%h\n' >letters
check 'each is a letter, and once' test "$(wc -l <letters)" = 9
check 'as it was' grep -q '^3|{"price":"no"}|' letters
check 'with its place' grep -q 'shelf-topic=poison,shelf-partition=0,shelf-offset=3,' letters
check 'and why' grep -q 'shelf-offset=6,shelf-reason=.*no operation on a product' letters
check 'also what the shelf refused' grep -q 'shelf-offset=9,shelf-reason=no such product to patch: product 99' letters
check 'all are behind it' source_is poison/0 11
topic many && topic manyletters
for ((i = 0; i < 30; i++)); do
	printf '%d|{"price":"%0100000d"}\n' "$i" "$i"
done >many.lines
kcat -q -P -b "$brokers" -t many -p 0 -K'|' <many.lines
put many '1|{"price":5}'
anew
once 'a load with more poison than is kept' 0 'loaded' --topic many:products --compacted --dead-letter manyletters
kcat -q -C -b "$brokers" -t manyletters -e -f '%k\n' | sort -n >letters
check 'sends each letter once' diff letters <(seq 0 29)		# break: dropped unsent
topic fatal && topic fatalletters
put fatal 'x|1' '1|{"price":6}'
broker_do refuse 0 45 1
once 'a producer that is past help' 0 '' --topic fatal:products --dead-letter fatalletters
check 'is followed by another' test "$(kcat -q -C -b "$brokers" -t fatalletters -e -f '%k')" = x	# break: no renew()
topic large && topic largeletters
put large 'x|1' '1|{"price":6}'
broker_do refuse 0 10 1
once 'one that is too large for the broker' 0 '' --topic large:products --dead-letter largeletters
check 'goes without its value' test "$(kcat -q -C -b "$brokers" -t largeletters -e -f '%k %S %h' |
	grep -c '^x -1 .*shelf-value=left out')" = 1	# break: posted once only
topic refused
put refused '1|{"price":5}' '97|{"op":"patch","price":1}'
once 'what the shelf refuses stops, too' 4 'refused/0 offset 1: ' --topic refused:products
check 'with its batch' holds product 1 'price 6'

# --- markers ---

topic deltas && topic dcats
put deltas '1|{"price":1}'
put dcats '1|{"products":[1]}'
anew
begin --topic deltas:products --topic dcats:catalogs --marker
check 'has caught up' until_is 20 state_is 'ready yes'
check 'nothing is there before the marker' absent product 1
with='-H op=commit' put deltas 'm|1'
sleep 0.5
check 'nor at the marker of one' absent product 1		# break: any marker is enough
check 'which is told' until_is 5 state_is 'partition deltas/0 .*, at a marker that others have not come to'
put deltas '2|{"price":2}'
with='-H op=commit' put dcats 'm|1'
check 'then both' until_is 10 holds product 1 'price 1'
check 'at once' holds catalog 1 'members 1'
generation=$(ctl -j show | jq .generation)
sleep 0.5
check 'but not what is behind' absent product 2
with='-H op=commit' put deltas 'm|2'
put deltas '3|{"price":3}'
with='-H op=commit' put deltas 'm|3'
with='-H op=commit' put dcats 'm|3'
check 'one that lacks a marker goes on to the next' until_is 10 holds product 3 'price 3'
check 'in one commit' test "$(ctl -j show | jq .generation)" = $((generation + 1))
finish 'ends when it is told to'
once 'restarted' 0 '' --topic deltas:products --topic dcats:catalogs --marker
check 'nothing came twice' test "$(ctl -j show | jq .generation)" = $((generation + 1))

# --- positions ---

anew
ctl apply - >/dev/null <<'END'
{"op":"put","product":777,"price":7}
{"op":"put","product":1,"price":7,"stock":7}
{"op":"add","catalog":70,"products":[777]}
{"op":"add","catalog":8,"products":[777]}
END
once 'a topic that has everything replaces what there is' 0 'loading.*' --topic simple:products --topic cats:catalogs --compacted
check 'what it lacks is gone' absent product 777
check 'catalogs, too' absent catalog 70
check 'and members' holds catalog 8 'members 1 '
check 'in one commit' grep -q 'loaded: generation 3' err
check 'fields that it does not name are 0' holds product 1 'price 10 EUR stock 0'
ctl export -o checkpoint >/dev/null
put simple '1|{"price":11}'
once 'goes on' 0 '' --topic simple:products --topic cats:catalogs --compacted
check 'behind that' holds product 1 'price 11'
ctl restore checkpoint >/dev/null
check 'a checkpoint has the positions of its content' source_is simple/0 7
once 'brought back, it goes on from there' 0 '' --topic simple:products --topic cats:catalogs
check 'and has it again' holds product 1 'price 11'

ctl apply - <<<'{"op":"source","source":"simple/0","last":99}' >/dev/null
once 'a position that the topic does not have' 3 'simple/0 is to go on at 100, and the topic has 0 to 8' \
	--topic simple:products
ctl apply - <<<'{"op":"put","product":777,"price":7}' >/dev/null
once 'loads all of it, if it has everything' 0 'loads all of it' --topic simple:products --topic cats:catalogs --compacted
check 'and nothing else is left' absent product 777
check 'with its position' source_is simple/0 8
topic several 3
for into in 0 1 2; do
	put several "9${into}0|{\"price\":1}" "9${into}1|{\"price\":1}" "9${into}2|{\"price\":1}"
done
into=0
anew
ctl apply - >/dev/null <<'END'
{"op":"source","source":"several/0","last":0}
{"op":"source","source":"several/1","last":99}
{"op":"source","source":"several/2","last":77}
END
once 'of several partitions two have lost theirs' 0 'loads all of it' --topic several:products --compacted
check 'all is there' test "$(ctl -j show | jq .products)" = 9
topic gone
ctl apply - <<<'{"op":"source","source":"gone/0","last":9}' >/dev/null
begin --topic gone:products --compacted
check 'a topic that is empty now' until_is 20 state_is 'ready yes'
put gone '1|{"price":1}'
check 'and then is not' until_is 20 holds product 1 'price 1'
finish 'ends'
topic empty
put empty '31|{"price":1}'
once 'from the end' 0 '' --topic empty:products --from end
check 'is a position' source_is empty/0 0
put empty '32|{"price":1}'
once 'which it goes on from' 0 '' --topic empty:products --from end
check 'with what came since' holds product 32 'price 1'
check 'and nothing before' absent product 31
topic ends && topic endcats
anew
begin --topic ends:products --topic endcats:catalogs --from end --dangling refuse --every 0.2
check 'from the ends of topics of nothing' until_is 20 state_is 'ready yes'
put endcats '1|{"op":"add","products":[42]}'
check 'a first batch that is refused' until_is 20 state_is 'state waiting'
sleep 2		# so that it waits when this comes
put ends '42|{"price":1}'
check 'is read again from where the ends were' until_is 40 holds product 42 'price 1'	# break: begin is not set there
check 'with what was in it' until_is 20 holds catalog 1 'members 1'
finish 'ends when it is told to'
anew
once 'a load ends at a marker' 0 'loaded: generation 2' --topic deltas:products --topic dcats:catalogs --marker --compacted
check 'with all that is in front of it' holds product 3 'price 3'
check 'of each topic' holds catalog 1 'members 1'

# --- shelves that come and go ---

anew
begin --topic simple:products
check 'follows' until_is 20 state_is 'state following'
ctl apply - <<<'{"op":"put","product":500,"price":5}' >/dev/null 2>&1
finish 'ends'
begin --topic simple:products --name other
until_is 20 test -s state/other.json
ends 'a name is for one' 1 'another one has this name' --shelf hosted:a.shelf --name other --topic simple
kill -TERM "$follower"; wait "$follower"; follower=''
rm -f a.shelf
begin --topic simple:products
check 'waits for a shelf that is not there' until_is 20 state_is 'state waiting'
check 'and says why' state_is 'reason hosted:a.shelf: No such file or directory'
anew
check 'and takes it when it comes' until_is 20 holds product 1 'price 11'
check 'not ready is not well' until_is 20 state_is 'ready yes'
broker_do down
check 'tells that no broker answers' until_is 20 state_is 'reason no broker answers.*'
broker_do up
put simple '1|{"price":12}'
check 'and goes on' until_is 30 holds product 1 'price 12'
check 'and tells that' until_is 10 state_is 'state following'
finish 'ends'

topic big
awk 'BEGIN { for (i = 0; i < 3000; i++) printf "%d|{\"price\":%d,\"attrs\":{\"a\":\"%01000d\"}}\n", i, i, i }' |
	kcat -q -P -b "$brokers" -t big -p 0 -K'|'
anew 4M
begin --topic big:products
check 'a shelf that is full refuses' until_is 30 state_is 'reason hosted:a.shelf: .*(bytes|full|space).*'
check 'and it waits' state_is 'state waiting'
finish 'ends'
rm -f a.shelf
ctl create --max-bytes 64M --batch-bytes 256K >/dev/null
once 'batches that are too large are halved' 0 'waiting' --topic big:products
check 'and all is there' holds product 2999 'price 2999'

topic guard
put guard '9001|{"price":1}' '9002|{"price":1}'
begin --topic guard:products --max-change 0 --dangling refuse
check 'guards' until_is 20 holds product 9001 'price 1'
with='-H map=catalogs' put guard '1|{"op":"add","products":[12345]}'
finish 'ends'
topic gcats
put gcats '1|{"op":"add","products":[12345]}'
begin --topic gcats:catalogs --dangling refuse
check 'a guard that says no' until_is 20 state_is 'reason .*12345.*'
put guard '12345|{"price":1}'
once_other() { "$program" --brokers "$brokers" --shelf hosted:a.shelf --topic guard:products --once --state-dir "$dir/other" --poison skip; }
finish 'ends'
check 'until it has no reason to' once_other
once 'then goes through' 0 '' --topic gcats:catalogs --dangling refuse
check 'with its members' holds catalog 1 'members 1 '

# --- what is told ---

begin --topic simple:products --topic cats:catalogs --metrics metrics --group watch
check 'ready' until_is 20 state_is 'ready yes'
check 'status 0 of one that is' "$program" --status --shelf hosted:a.shelf --state-dir state
"$program" --status --json --shelf hosted:a.shelf --state-dir state >json
check 'in JSON' jq -e '.schema == 1 and .running and (.partitions | length) == 2 and .partitions[0].lag == 0' json
put simple '1|{"price":13}'
check 'offsets for who watches lag' until_is 20 grep -qx 'shelf_follow_messages_total{name="a.shelf"} 1[0-9]' metrics
check 'metrics' grep -qx 'shelf_follow_state{name="a.shelf",state="following"} 1' metrics
# shellcheck disable=SC2016 # awk's own
check 'which have a type each' awk '/^# TYPE/ { t[$3] } !/^#/ { sub(/\{.*/, ""); if (!($0 in t)) exit 1 }' metrics
kill -KILL "$follower"; wait "$follower" 2>/dev/null; follower=''
check 'one that is killed does not run' state_is 'running no'
check 'and is not well' test "$("$program" --status --shelf hosted:a.shelf --state-dir state >/dev/null; echo $?)" = 1

broker_stop
echo "1..$count"
((!failed))
