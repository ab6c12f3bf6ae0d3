#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# shelfctl's command line: objects and commands, their short forms, help, JSON
# documents, batches, watching, colour.
#
# Seen to fail with a batch that goes on, that tells the last status or keeps a line's
# -j, or what diff makes of a refusal; with --watch printing always, or never, or for
# another generation alone; with a quote that ends a string of JSON too early.
#
# TAP on standard output. $SHELFCTL is the program, or ../../build/tools/shelfctl.

cd "$(dirname "$0")" || exit 1
ctl=$(realpath "${SHELFCTL:-../../build/tools/shelfctl}")
export ctl shelf=a.shelf status=0
# shellcheck source=/dev/null
. ./shelfctl-lib

# same DESCRIPTION STATUS WORDS -- WORDS : two spellings of one command
same() {
	local what=$1 want=$2 one=()

	shift 2
	while [ "$1" != -- ]; do one+=("$1"); shift; done
	shift
	run "${one[@]}"
	mv out one.out
	check "$what" "$want"
	run "$@"
	compare "and by its short form" one.out
}

# --- objects ----------------------------------------------------------------

run shelf create --max-bytes 64M --seed 1
check "shelf create" 0
printf '%s\n' '{"op":"put","product":1,"price":5}' '{"op":"put","product":2}' \
	'{"op":"add","catalog":7,"products":[2,1,9]}' >in.jsonl
run data apply in.jsonl
check "data apply" 0 '^generation 2 ops 3'
same "shelf show" 0 shelf show -- show
same "shelf stats" 0 shelf stats -- stats
same "shelf wait" 0 shelf wait 2 -- wait 2
same "data export" 0 data export -- export
same "product get" 0 product get 1 2 -- get product 1 2
same "product get, one is missing" 3 product get 3 1 -- get product 3 1
same "catalog get" 0 catalog get 7 --after 1 --limit 1 -- get catalog 7 --after 1 --limit 1
same "pin list" 1 pin list -- pins
same "an object's list" 1 pin -- pins
run shelf trim
check "shelf trim" 0 'bytes held before'
run shelf set --lease-ms 5
check "shelf set" 1 '' 'stay as they are'
bare product get nothing 1
check "the shelf's name is behind the command" 1 '' '^shelfctl: nothing: '
bare product get -s nothing 1
check "or in front" 1 '' '^shelfctl: nothing: '
run shelf destroy
check "shelf destroy" 0
run create --max-bytes 64M
usage "an unknown command of an object" 'no such command: shelf frob' shelf frob
usage "a command of another object" 'no such command: product apply' product apply
usage "no object of its own" 'no such command: shelf get' shelf get x
usage "product get without an id" 'product get needs an ID' product get x
usage "catalog get of two" 'one ID' catalog get x 1 2
usage "a page of products" 'product get takes no --limit' product get x 1 --limit 1
usage "a list of no shelf" 'shelf list takes no shelf' --hosted a.shelf shelf list

# --- help -------------------------------------------------------------------

bare product
check "an object without a list: its help" 0 '^  product get NAME ID'
grep -q 'catalog' out && verdict="not ok" || verdict=ok
report "$verdict" "and of no other"
bare pin
check "an object whose list needs a shelf" 0 '^  pin list NAME, or pins NAME$'
bare help shelf
check "help on an object" 0 '^  \[shelf\] create NAME --max-bytes'
bare shelf -h
check "the same by -h" 0 '^  \[shelf\] wait NAME'
bare help shelf wait
check "help on a command" 0 'Waits until'
bare help wait
check "by its short form" 0 'Waits until'
bare shelf wait prices --limit 5 -h
check "-h, whatever else is there" 0 'Waits until'
usage "help on what isn't there" 'no such command: frob' help frob
usage "help on what an object has not" 'no such command: shelf frob' help shelf frob
bare help
check "all of it" 0 '^  \[data\] apply NAME FILE'
for command in 'shelf create' 'shelf set' 'shelf destroy' 'shelf list' 'shelf show' 'shelf trim' \
	'shelf stats' 'shelf wait' 'data apply' 'data export' 'product get' 'catalog get' 'pin list'; do
	# shellcheck disable=SC2086 # two words
	bare help $command
	check "help $command" 0 "^  \[?${command/ /\\]? }"
done
bare version
check "version" 0 '^shelfctl .* abi 1$'

# --- documents --------------------------------------------------------------

# document DESCRIPTION STATUS STREAM WORDS... : one object with its schema, on out or
# err; with -p indented, and the same
document() {
	local what=$1 want=$2 stream=$3

	shift 3
	"$ctl" -j "$@" >out 2>err </dev/null
	status=$?
	check "$what" "$want"
	jq -es 'length == 1 and .[0].schema == 1' "$stream" >/dev/null && verdict=ok || verdict="not ok"
	report "$verdict" "has its schema"
	[ "$(wc -l <"$stream")" = 1 ] && verdict=ok || verdict="not ok"
	report "$verdict" "and is a line"
	jq . "$stream" | grep -vE '_(ms|ns)"' >one.out
	"$ctl" -j -p "$@" >out 2>err </dev/null
	[ "$stream" = out ] || mv err out
	grep -vE '_(ms|ns)"' out >two.out && mv two.out out
	compare "with -p indented" one.out
}

run apply in.jsonl
document "show" 0 out --hosted a.shelf show
document "stats" 0 out --hosted a.shelf stats
document "wait" 0 out --hosted a.shelf wait 1
document "trim" 0 out --hosted a.shelf trim
document "version" 0 out version
document "an export's result" 0 out --hosted a.shelf export -o file.out
run -j -p destroy
check "destroy" 0 '^  "destroyed": "hosted:a.shelf"$'
run -j create --max-bytes 64M
check "create" 0 '^\{"schema":1,"created":"hosted:a.shelf"\}$'
run -j -p apply in.jsonl
check "an apply's result" 0 '^  "schema": 1,$'
check "its numbers" 0 '^  "ops": 3,$'
document "usage" 2 err frob
document "an unknown option" 2 err show --frob
document "a missing value" 2 err show --shelf
document "a refusal" 1 err --hosted nowhere show
document "an absent product" 3 err --hosted a.shelf get product 99
printf '%s\n' '{"op":"put","product":"\u0022{[,]}:\\"}' >odd.jsonl
document "an error with its place" 4 err --hosted a.shelf apply odd.jsonl
document "an error with much to quote" 2 err $'"{a},[b]:\\\\ \t"'
run product get 1 -j -p
check "lines of data stay lines" 0 '^\{"op":"put","product":1,"price":5,.*\}$'
run catalog get 7 -j -p
check "all of them" 0 '^\{"op":"add","catalog":7,"products":\[1,2,9\],.*\}$'
usage "nothing to indent" 'pretty is for --json' -p help

# --- batches ----------------------------------------------------------------

# batch NAME LINES... : the file NAME has these lines, and is run
batch() {
	local name=$1

	shift
	printf '%s\n' "$@" >"$name"
	run -b "$name"
}

shelf=batch.shelf
batch one.batch '# a shelf' '' '   ' 'create --max-bytes 64M	# and why' 'data apply in.jsonl' \
	'-j show' \
	'product get 1' "get 'product' \"2\"" 'wa\it --timeout=1 2'
check "a batch" 0 '^product 1 price 5 '
grep -q '^product 2 ' out && grep -q '^generation 2$' out && grep -q '^{"schema":1,"name":"batch.shelf"' out &&
	verdict=ok || verdict="not ok"
report "$verdict" "all its lines"
[ "$(grep -c schema out)" = 1 ] && verdict=ok || verdict="not ok"
report "$verdict" "-j holds for its line"
printf '{"op":"put","product":%d}\n' 1 2 3 >puts
echo '{"op":"add","catalog":1,"products":[5555]}' >>puts
echo garbage >broken
run export -o before.export
run apply puts --dangling allow
run export -o behind.export
echo 'diff before.export behind.export' >three.batch
"$ctl" -b three.batch >out 2>&1
status=$?
check "two that differ in a batch" 1
if tail -n 1 out | grep -q 'ended with status 1$'; then is=ok; else is='not ok'; fi
report "$is" "what a command said stands in front of its status"	# break: no flush between
"$ctl" --hosted "$shelf" -b - < <(printf '%s\n' 'apply -' '{"op":"put","product":44}') >out 2>err
status=$?
check "a batch has standard input for itself" 2 '' 'standard input is the batch'
run get product 44
check "and nothing of it is applied" 3
for closed in '2>&-' '<&- 2>&-' '<&- >&- 2>&-'; do
	eval '"$ctl" --hosted "$shelf" apply puts --dangling warn >/dev/null '"$closed"
	eval '"$ctl" --hosted "$shelf" apply broken >/dev/null '"$closed"
	eval '"$ctl" --hosted "$shelf" apply - >/dev/null '"$closed"
	run show
	check "without some of the first three descriptors, $closed, a shelf stays one" 0 '^products '
done
batch two.batch 'get product 1' '' 'get product 99' 'get product 2'
check "a line that fails" 3 '^product 1 ' '^two.batch:3: this command ended with status 3$'
check "is told by itself first" 3 '' '^shelfctl: no product 99$'
grep -q '^product 2 ' out && verdict="not ok" || verdict=ok
report "$verdict" "and the last one run"
run --batch two.batch --force
check "but with --force" 3 '^product 2 ' '^two.batch:3:'
batch three.batch 'get product 99' 'frob' 'get product 1'
run -batch three.batch -force
check "the status is the first one's" 3 '^product 1 ' '^three.batch:2: .* status 2'
run -j -p -b two.batch
jq -es 'map(select(.schema != 1)) == [] and .[1].error.file == "two.batch" and .[1].error.line == 3' err >/dev/null &&
	verdict=ok || verdict="not ok"
report "$verdict" "FILE:LINE in JSON"
check "-j holds for all lines" 3 '^\{"op":"put","product":1,'
printf 'show' | "$ctl" --hosted batch.shelf -b - >out 2>err
status=$?
check "from standard input, no newline at its end" 0 '^name batch.shelf$'
batch four.batch "--hosted 'x y\\#' create --max-bytes 64M" '--hosted x\ y\\# show' \
	'--hosted "x \"y" create --max-bytes 64M' 'show'
check "quotes" 0 '^name x_y'
check "in front of the batch's shelf" 0 '^name batch.shelf$'
[ -f 'x "y' ] && [ -f 'x y\#' ] && verdict=ok || verdict="not ok"
report "$verdict" "what is quoted stays as it is"
batch five.batch 'get product 1' "get 'product 1"
check "a quote that is not closed" 2 '^product 1' '^five.batch:2: a quote that is not closed$'
printf 'show\nsh\0w\n' >six.batch
run -b six.batch
check "a NUL byte" 2 '^name' '^six.batch:2: a NUL byte$'
batch seven.batch '-b one.batch'
check "a batch in a batch" 2 '' 'a batch in a batch'
printf 'diff batch.jsonl batch.jsonl\n--hosted nowhere show\n' >nine.batch
run export -o batch.jsonl
bare -b nine.batch
check "refusals behind a diff are no diff's" 1 '' '^nine.batch:2: .* status 1$'
printf 'diff batch.jsonl other.jsonl --stat\n' >ten.batch
printf '{"op":"begin"}\n{"op":"end"}\n' >other.jsonl
bare -j -b ten.batch
check "nor is what differs refused" 1 '' 'ended with status 1".*"status":1}'
batch eight.batch '# nothing'
check "nothing to do" 0
bare -b - # of nothing
check "nothing at all" 0
usage "a command beside a batch" 'takes no command: show' -b one.batch show
usage "--force without a batch" 'show takes no --force' --hosted a show --force
bare -b nowhere.batch
check "a batch that isn't there" 1 '' 'nowhere.batch: No such file'
bare -b .
check "a directory" 1 '' 'directory'
echo show >full.batch
"$ctl" --hosted batch.shelf -b full.batch >/dev/full 2>err
status=$?
check "a full disk" 1 '' 'No space left on device'
bare help -- --batch
check "help on batches" 0 '^Or -b FILE'

# --- watching ---------------------------------------------------------------

# background WORDS... : in the background, with $pid, into watch.out and watch.err
background() {
	"$ctl" --hosted "$shelf" "$@" >watch.out 2>watch.err &
	pid=$!
}

# seen N : until N lines have come, for ten seconds at most
seen() {
	for _ in $(seq 200); do
		[ "$(cat watch.out watch.err | wc -l)" -lt "$1" ] || return 0
		sleep 0.05
	done
}

ended() { # what was in the background is over, by itself or by us
	kill "$pid" 2>/dev/null
	wait "$pid" 2>/dev/null
	mv watch.out out
	mv watch.err errors
}

commit() { # LINES...
	printf '%s\n' "$@" | "$ctl" --hosted "$shelf" apply - >/dev/null
}

shelf=watch.shelf
run create --max-bytes 64M
run wait --generation 1
check "wait --generation" 0 '^generation 1$'
run wait --generation 2 --timeout 0.05
check "in vain" 1 '' 'did not come in time'
run wait 1 --generation 1
check "a generation twice" 2 '' 'one GENERATION'
run wait --generation -1
check "a generation below 0" 2 '' 'below 0'

commit '{"op":"put","product":1,"price":5}' '{"op":"add","catalog":7,"products":[1,2]}'
background product get 1 2 --watch
seen 2
commit '{"op":"put","product":3}'
commit '{"op":"put","product":1,"price":6}'
seen 4
commit '{"op":"add","catalog":7,"products":[3]}'
commit '{"op":"patch","product":1,"attrs":{"a":1}}'
seen 6
commit '{"op":"put","product":2,"price":7}'
seen 8
ended
sed -i 's/ generation.*attrs/ attrs/; s/ generation .*//' out
compare "get --watch prints what has changed" <(printf '%s\n' 'product 1 price 5 stock 0 flags 0x0' \
	'product 1 price 6 stock 0 flags 0x0' 'product 1 price 6 stock 0 flags 0x0 attrs {"a":1}' \
	'product 1 price 6 stock 0 flags 0x0 attrs {"a":1}' 'product 2 price 7 stock 0 flags 0x0')
mv errors out
compare "and what is absent" <(printf 'shelfctl: no product 2\n%.0s' 1 2 3)
background -j catalog get 7 --after 1 --watch
seen 1
commit '{"op":"put","product":3,"price":1}'
commit '{"op":"remove","catalog":7,"products":[2]}'
seen 2
commit '{"op":"delete","catalog":7}'
seen 3
commit '{"op":"put","product":3,"price":2}'
commit '{"op":"add","catalog":7,"products":[8,9]}'
seen 4
ended
sed -i 's/,"generation":[0-9]*//' out
compare "catalog get --watch" <(printf '{"op":"add","catalog":7,"products":%s,"total":%d}\n' '[2,3]' 3 '[3]' 2 '[8,9]' 2)
grep -c 'no catalog 7' errors >out
compare "tells once that there is none" <(echo 1)
background get catalog 7 --limit 1 --watch
seen 2
run destroy
wait $pid
status=$?
mv watch.out out
mv watch.err err
check "a shelf that is destroyed" 1 '^catalog 7 members 2 ' 'destroyed meanwhile'
run product get 1 --watch
check "a shelf that isn't there" 1 '' 'No such file'

run create --max-bytes 64M
background monitor
waiting "/$shelf" "$pid"
commit '{"op":"put","product":1}'
seen 1
commit '{"op":"put","product":2}'
seen 2
run destroy
wait $pid
status=$?
mv watch.out out
mv watch.err err
check "monitor of a file" 0
compare "tells its generations and its end" <(printf 'watch.shelf %s\n' 'committed generation 2' 'committed generation 3' destroyed)
run create --max-bytes 64M
background -j shelf monitor --limit 1
waiting "/$shelf" "$pid"
commit '{"op":"put","product":1}'
wait $pid
status=$?
mv watch.out out
mv watch.err err
check "monitor in JSON, one event" 0 '^\{"schema":1,"event":"committed","shelf":"watch.shelf","generation":2\}$'
run monitor --limit 0
check "no events" 2 '' 'limit is 0'
run monitor more
check "monitor takes no more" 2 '' 'too many arguments'
if [ -d /sys/class/shelf ]; then
	echo "ok $((++count)) - events without a module # SKIP there is one"
else
	bare monitor
	check "events without a module" 1 '' 'is the shelf module loaded'
fi

# --- colour -----------------------------------------------------------------

colours() { # DESCRIPTION yes|no : whether there are any in what the last run printed
	grep -q $'\033' out err && verdict=yes || verdict=no
	[ "$verdict" = "$2" ] && verdict=ok || verdict="not ok"
	report "$verdict" "$1"
}

# terminal WORDS... : on a terminal of its own; all that is printed goes to out
terminal() {
	: >err
	script -qec "\"$ctl\" --hosted a.shelf $*" /dev/null </dev/null >out 2>&1
	status=$?
}

unset NO_COLOR
export TERM=xterm
shelf=a.shelf
run show
colours "none in a file" no
run show --color always
check "but where it is asked for" 0 $'^name \033\\[1ma.shelf\033\\[0m'
run --color=always product get 99
check "an error" 3 '' $'^\033\\[31mshelfctl:\033\\[0m no product 99$'
run --color=always apply odd.jsonl
check "with its place" 4 '' $'^\033\\[31modd.jsonl:1:23:\033\\[0m '
run -j show --color always
colours "none in JSON" no
terminal show
check "on a terminal" 0 $'\033\\[1ma.shelf'
terminal show --color never
colours "unless it is refused" no
NO_COLOR=1 terminal show
colours "by NO_COLOR too" no
TERM=dumb terminal show
colours "or the terminal has none" no
terminal get product 99
check "errors on a terminal" 3 $'\033\\[31mshelfctl:'
terminal "get product 99 | cat"
colours "not where standard output is a pipe" no
usage "another colour" 'auto, always or never: red' --color red show x

finish
