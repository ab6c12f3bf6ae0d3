#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# What shelfctl makes of sysfs: of a directory that looks like /sys/class/shelf, with
# each file that kmod/sysfs.c makes, so that one that is new there is missed here.
#
# Seen to fail with a metric left out, or not with its family; with skew by the sum of
# all CPUs; with a counter that begins anew taken for one that wraps.
#
# TAP on standard output. $SHELFCTL is the program, or ../../build/tools/shelfctl.

cd "$(dirname "$0")" || exit 1
ctl=$(realpath "${SHELFCTL:-../../build/tools/shelfctl}")
mapfile -t files < <(sed -n '/ \*shelf_attrs\[\]/,/NULL/s/^\t&\(dev_attr_\)\?\([a-z_]*\)\(_attr\.attr\)\?\.attr,$/\2/p' \
	../../kmod/sysfs.c)
export ctl shelf=a.shelf status=0
# shellcheck source=/dev/null
. ./shelfctl-lib

export SHELF_SYSFS=$PWD/sys
# fake NAME FIRST : a shelf with all files, whose values count from FIRST on
fake() {
	local n=$2 file

	mkdir -p "sys/$1/power"
	for file in "${files[@]}"; do
		echo $((n++)) >"sys/$1/$file"
	done
	echo "240:1" >"sys/$1/dev"
	echo "MAJOR=240" >"sys/$1/uevent"
	echo "3 0 9" >"sys/$1/lookups_per_cpu"
	echo refuse >"sys/$1/dangling"
}
fake prices 1000
fake stock 2000

[ ${#files[@]} -gt 40 ] && verdict=ok || verdict="not ok"
report "$verdict" "kmod/sysfs.c has files"

# --- stats ------------------------------------------------------------------

bare stats prices
check "stats" 0 '^lookups_per_cpu 3 0 9$'
for file in "${files[@]}"; do echo "$file $(<"sys/prices/$file")"; done >want
grep -v '^dev ' out >some && sort some >out
compare "all files, each as it is" <(sort want)
bare -j stats prices
check "in JSON" 0 '"dev":"240:1".*"lookups_per_cpu":"3 0 9"'
jq -e '.schema == 1 and .generation == 1000' out >/dev/null && verdict=ok || verdict="not ok"
report "$verdict" "numbers are numbers"
echo 18446744073709551615 >sys/prices/reported_lookups
bare -j -p stats prices
check "the largest as well" 0 '^  "reported_lookups": 18446744073709551615,$'
bare stats nothing
check "a shelf that isn't there" 1 '' 'sys/nothing: No such file'
bare stats ../sys/prices
check "a name that is none" 1 '' "not a shelf's name"
usage "stats of what" 'needs the NAME' stats

# --- prometheus -------------------------------------------------------------

# What the exposition format says: a family's lines stand together, behind its HELP and
# TYPE, of which each has one; a sample is named and labelled once.
well_formed() {
	awk '
	function bad(why) { print "# " why ": " $0; wrong = 1 }
	/^# HELP / { if ($3 in help) bad("twice"); help[$3]; family = $3; next }
	/^# TYPE / { if ($3 != family) bad("no help"); type[$3] = $4
		if (($3 ~ /_total$/) != ($4 == "counter")) bad("type"); next }
	!/^shelf_[a-z_]+\{shelf="[a-z.\\" ]+"(,[a-z]+="[a-z0-9]+")?\} [0-9]+(\.[0-9]+)?$/ { bad("syntax"); next }
	{ name = $1; sub(/\{.*/, "", name)
	  if (name != family || !(name in type)) bad("not of its family")
	  sample = $0; sub(/ [^ ]*$/, "", sample); if (sample in seen) bad("twice"); seen[sample] }
	END { if (!NR) bad("nothing"); exit wrong }' "$1" >err
}
well() {
	well_formed out && verdict=ok || verdict="not ok"
	report "$verdict" "is well formed"
}

bare stats --format prometheus
check "all shelves" 0 '^shelf_generation\{shelf="stock"\} 2000$'
well
check "a counter" 0 '^# TYPE shelf_commits_total counter$'
check "a gauge" 0 '^# TYPE shelf_pins gauge$'
check "by CPU" 0 '^shelf_cpu_lookups_total\{shelf="prices",cpu="2"\} 9$'
check "by kind" 0 "^shelf_kind_bytes\{shelf=\"prices\",kind=\"sets\"\} $(<sys/prices/bytes_sets)\$"
check "nanoseconds are seconds" 0 "^shelf_last_commit_seconds\{shelf=\"prices\",phase=\"grace\"\} 0\.00000$(<sys/prices/last_grace_ns)\$"
check "and milliseconds" 0 '^shelf_quarantine_seconds\{shelf="stock"\} 2\.[0-9]{3}$'
check "the largest number" 0 '^shelf_reported_lookups_total\{shelf="prices"\} 18446744073709551615$'
grep -c '^shelf_.*{shelf="stock"' out >some && mv some out
compare "each file is a metric but for the word, and that by CPU three" <(echo $((${#files[@]} + 1)))
bare shelf stats prices --format prometheus
check "one shelf" 0 '^shelf_generation\{shelf="prices"\} 1000$'
well
grep -q stock out && verdict="not ok" || verdict=ok
report "$verdict" "and no other"
bare stats --format=prometheus -o shelf.prom
check "to a file" 0
compare "prints nothing" /dev/null
mv shelf.prom out
well
run create --max-bytes 64M
run stats --format prometheus
check "of a file" 0 '^shelf_committed_timestamp_seconds\{shelf="a.shelf"\} [0-9]+\.[0-9]{9}$'
well
rm sys/prices/commits
bare stats --format prometheus
check "a kernel that lacks one" 0 '^shelf_commits_total\{shelf="stock"'
well
bare stats nothing --format prometheus
check "a shelf that isn't there" 1 '' 'No such file'
usage "another format" 'not prometheus: xml' stats --format xml
usage "two formats" 'either --json or' -j stats --format prometheus
usage "an output of its own" 'output is for' stats prices -o file
SHELF_SYSFS=$PWD/none bare stats --format prometheus
check "no module" 1 '' 'is the shelf module loaded'
mkdir none
SHELF_SYSFS=$PWD/none bare stats --format prometheus
check "no shelves" 0
compare "print nothing" /dev/null

# --- top --------------------------------------------------------------------

# between WHAT FIRST LAST: what top makes of WHAT_change() between its two looks. If it
# can't be seen from its lines FIRST and LAST that the first change and the last came
# then, all is done once more, with more time.
between() {
	local tenths
	for tenths in 2 10 50; do
		"$1_before"
		{ sleep $((tenths / 10)).$((tenths % 10)); "$1_change"; } &
		bare top --once --interval $((tenths / 2))
		wait
		if grep -q "$2" out && grep -q "$3" out; then break; fi
	done
}

grow_before() {
	fake prices 1000
	fake stock 2000
	echo 1000 >sys/prices/lookups
	echo 1500 >sys/prices/hits
	echo 5000 >sys/stock/reported_lookups
}
grow_change() {
	echo 4000 >sys/prices/lookups
	echo 3000 >sys/prices/hits
	echo 1003 0 3009 >sys/prices/lookups_per_cpu
	echo 9000 >sys/stock/reported_lookups
}
between grow '^  lookups  [1-9]' '^  lookups .* [1-9][0-9.]*k*/s reported'
check "top of all shelves" 0 '^prices  generation 1000 '
check "the other" 0 '^stock  generation 2000 '
check "rates and hits" 0 '^  lookups  [0-9.]+k?/s by ioctl, hits 50\.0%; 0/s reported, hits -$'
check "as reported" 0 '^  lookups  0/s by ioctl, hits -; [0-9.]+k?/s reported, hits 0\.0%$'
check "skew of CPUs" 0 '^  cpus     skew 2\.25 \[: #\]$'
check "nothing to be skewed" 0 '^  cpus     skew - \[   \]$'
check "times of a commit" 0 "last: draft 0\.00$(($(<sys/prices/last_draft_ns) / 1000)) publish"
check "memory" 0 '^  memory   held '"$(<sys/prices/bytes) of $(<sys/prices/max_bytes): live "
check "kinds" 0 "^  kinds    products $(<sys/prices/bytes_products) "
check "pins" 0 "^  pins     $(<sys/prices/pins), keep $(<sys/prices/bytes_pinned), revoked [0-9]+; open [0-9]+\$"
# Whenever top looks, there was one more between its two looks.
for ((n = 1; ; n++)); do
	echo "1003 $n 3009" >sys/more
	mv sys/more sys/prices/lookups_per_cpu
	sleep 0.02
done &
looker=$!
bare shelf top prices --once --interval 0.5
kill "$looker"
wait
check "top of one: a bar for each CPU" 0 '^   0 \[          \] 0/s        1 \[##########\] [0-9.]+k?/s +2 \[          \] 0/s$'
[ "$(grep -c '^[^ ]' out)" = 1 ] && verdict=ok || verdict="not ok"
report "$verdict" "and no other shelf"
exchange_before() {
	rm -rf sys/new
	fake prices 1000
	fake stock 2000
	echo 5 >sys/prices/lookups
	rm sys/prices/bytes_sets
}
exchange_change() {
	rm -r sys/stock
	echo 2 >sys/prices/lookups
	mkdir sys/new
	echo 7 >sys/new/lookups
}
between exchange '^prices' '^new'
check "a shelf that comes, one that goes" 0 '^new  generation 0 '
grep -c '^  lookups  0/s by ioctl, hits -; 0/s' out >some && mv some out
compare "a counter that begins anew" <(echo 2)
SHELF_SYSFS=$PWD/none bare top --once --interval 0.1
check "no shelves to watch" 0 '^no shelves$'
bare top nothing --once
check "top of what isn't there" 1 '' 'sys/nothing: No such file'
run top --once
check "top of a file" 1 '' 'nobody counts'
usage "no terminal" 'not a terminal' top
usage "too fast" 'below 0.1' top --once --interval 0.01
usage "top in JSON" 'no JSON' -j top --once

# screen KEYS SETUP : what top draws, and then those keys
screen() {
	{ sleep 1.5; printf '%s' "$1"; sleep 1; } |
		TERM=xterm script -qec "$2 exec \"$ctl\" top prices --interval 0.2" /dev/null >out 2>err
	status=${PIPESTATUS[1]}
}
fake prices 1000
screen q 'stty rows 24 cols 80;'
check "a screen, and q ends it" 0 'prices  generation 1000'
check "all of it" 0 'last: draft .* grace'
screen kjq 'stty rows 24 cols 30;'
check "a narrow screen" 0 'prices  generation 1000'
grep -q 'grace' out && verdict="not ok" || verdict=ok
report "$verdict" "cuts lines off"
screen q 'stty rows 24 cols 30; (sleep 0.7; stty -F /dev/tty cols 120) &'
check "a screen that becomes wider" 0 'grace'

finish
