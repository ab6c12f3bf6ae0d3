#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# P1, P5 through the tool: the same batches to a shelf of the kernel and to a
# hosted one must give the same answers, line by line, and the kernel's refusals
# must name file and line and change nothing.

set -u
export PATH=$PWD/build/tools:$PATH
dir=$(mktemp -d)
trap 'shelfctl destroy tool 2>/dev/null; shelfctl destroy copy 2>/dev/null; rm -rf "$dir"' EXIT
n=0 bad=0

check()
{
	local name=$1
	shift
	n=$((n + 1))
	if "$@"; then echo "ok $n - $name"; else echo "not ok $n - $name"; bad=1; fi
}

# status N COMMAND...: it ends with N; its errors go to $dir/err
status()
{
	local want=$1 got
	shift
	"$@" >"$dir/out" 2>"$dir/err"
	got=$?
	((got == want)) || { echo "# status $got, not $want: $*"; sed 's/^/# /' "$dir/err"; return 1; }
}

says() { grep -qF -- "$1" "$dir/err" || { sed 's/^/# /' "$dir/err"; return 1; }; }

hosted() { shelfctl --hosted "$dir/hosted" "$@"; }

answers()
{
	"$@" -j get product -- 1 2 3 0 -1 9223372036854775807 -9223372036854775808 99
	"$@" -j get catalog 7
	"$@" -j get catalog -- -1
	"$@" -j get catalog 8
}

# Generations are counted alike, so even they are the same.
same()
{
	answers hosted >"$dir/hosted.out" 2>/dev/null
	answers shelfctl -s tool >"$dir/kernel.out" 2>/dev/null
	[[ -s $dir/kernel.out ]] && diff "$dir/hosted.out" "$dir/kernel.out" | sed 's/^/# /'
	return "${PIPESTATUS[0]}"
}

both() { hosted apply "$1" && shelfctl -s tool apply "$1"; }

cat >"$dir/one" <<'END'
{"op":"put","product":1,"price":1999,"currency":"EUR","stock":7,"attrs":{"name":"Tea","tags":["a","b"]}}
{"op":"put","product":2,"price":-9223372036854775808,"flags":4294967295,"attrs_base64":"AAEC/w=="}
{"op":"put","product":0,"stock":9223372036854775807}
{"op":"put","product":-1}
{"op":"put","product":9223372036854775807,"price":1}
{"op":"put","product":-9223372036854775808,"price":2}
{"op":"add","catalog":7,"products":[2,1,-1,9223372036854775807,-9223372036854775808]}
{"op":"add","catalog":-1,"products":[1]}
END
{
	printf '{"op":"add","catalog":8,"products":['
	seq -s, 1 20000 | tr -d '\n'
	printf ']}\n{"op":"put","product":3,"attrs":{"x":"%s"}}\n' "$(printf 'y%.0s' $(seq 60000))"
} >"$dir/two"
cat >"$dir/three" <<'END'
{"op":"patch","product":1,"stock":6}
{"op":"patch","product":2,"attrs":null}
{"op":"delete","product":0}
{"op":"remove","catalog":7,"products":[1,5]}
{"op":"delete","catalog":-1}
END

hosted create --max-bytes 64M
check 'create' status 0 shelfctl create tool --max-bytes 64M
check 'create twice is refused' status 1 shelfctl create tool --max-bytes 64M
check 'and says why' says tool
check 'a first batch' both "$dir/one"
check 'the same answers' same
check 'a second batch, long lines' both "$dir/two"
check 'the same answers' same
check 'patches, removes and deletes' both "$dir/three"
check 'the same answers' same

printf '%s\n' '{"op":"put","product":5}' '' '{"op":"patch","product":77,"stock":1}' >"$dir/bad"
check 'the kernel refuses a patch of what is not there' status 1 shelfctl apply tool "$dir/bad"
check 'and says where' says "$dir/bad:3"
check 'and what' says 77
check 'nothing of it was applied' status 3 shelfctl get tool product 5
check 'a syntax error' status 4 shelfctl apply tool - <<<'{"op":"put","product":}'
check 'an expected generation that is not' status 1 shelfctl apply tool "$dir/one" --expect 1
check 'the same answers' same
check 'generation' [ "$(cat /sys/class/shelf/tool/generation)" = 4 ]
check 'list names it' grep -q tool <(shelfctl list)
check 'show as JSON' grep -q '"generation":4' <(shelfctl -j show tool)
check 'stats' grep -q '^hits ' <(shelfctl stats tool)
check 'wait for what is there' status 0 shelfctl wait tool 4
check 'wait for what does not come' status 1 shelfctl wait tool 5 --timeout 0.2
check 'a shelf that is not' status 1 shelfctl get nothing product 1

# Settings.
set_limits() { shelfctl set tool --lease-ms 2500 --lease-max-ms 60000 --pin-bytes 8M --quarantine-ms 0 --batch-bytes 32M; }
check 'set' status 0 set_limits
check 'show tells' grep -q '"batch_bytes":33554432,"quarantine_ms":0,"lease_ms":2500,"lease_max_ms":60000,"pin_bytes":8388608,"pins":0,"bytes_pinned":0,"revoked_pins":0,' \
	<(shelfctl show tool -j)
check 'list tells' grep -q '"quarantine_ms":0,"lease_ms":2500,"lease_max_ms":60000,"pin_bytes":8388608' <(shelfctl list -j)
check 'stats tell' grep -q '^pin_bytes 8388608$' <(shelfctl stats tool)
check 'set a shelf that is not' status 1 shelfctl set nothing --lease-ms 5
check 'set what the kernel refuses' status 1 shelfctl set tool --batch-bytes 1
check 'create with limits' status 0 shelfctl create copy --max-bytes 64M --lease-ms 7 --lease-max-ms 9 --pin-bytes 1M
check 'and they are there' grep -q '"lease_ms":7,"lease_max_ms":9,"pin_bytes":1048576' <(shelfctl show copy -j)
check 'and can change' status 0 shelfctl set copy --lease-ms 60000 --lease-max-ms 60000

printf '{"op":"delete","product":4}\n' >"$dir/small"
check 'a batch that does not wait' status 0 shelfctl apply tool "$dir/small" --no-wait
check 'no pins' [ "$(shelfctl pins tool -j)" = '[]' ]

check 'destroy' status 0 shelfctl destroy tool
check 'the node is gone' [ ! -e /dev/shelf/tool ]
check 'destroy twice is refused' status 1 shelfctl destroy tool
echo "1..$n"
exit "$bad"
