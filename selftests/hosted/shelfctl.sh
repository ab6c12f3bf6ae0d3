#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# shelfctl over hosted shelves, from the outside: what it accepts, what it
# refuses and where it says so, and what is left when its writer is killed.
#
# P1, P5: a refused file changes nothing; a killed writer leaves the last
#         published generation; half an export is applied as nothing.
# P3:     an export that is overtaken by commits begins anew, and is whole.
#
# Seen to fail with the restart of a stream not written; with a file not cut off;
# with apply passing over a restart, or taking one without a begin; with attributes
# printed as an object that comes back as other bytes; with an export's last bytes
# not looked at; with the hash of an export not compared, or not begun anew.
#
# TAP on standard output. $SHELFCTL is the program, or ../../build/tools/shelfctl.

cd "$(dirname "$0")" || exit 1
ctl=$(realpath "${SHELFCTL:-../../build/tools/shelfctl}")
export shelf=a.shelf
seed=${1:-$RANDOM}
echo "# shelfctl.sh $seed"
RANDOM=$seed
# shellcheck source=/dev/null
. ./shelfctl-lib

apply() { # LINES... : each argument is a line of the file
	printf '%s\n' "$@" >in.jsonl
	run apply in.jsonl
}

# bad DESCRIPTION MESSAGE LINE : refused with status 4 on line 2, at the
# character behind the @ in LINE if there is one
bad() {
	local before column='[0-9]+' start=${3%%@*} verdict=ok

	[ "$start" = "$3" ] || column=$((${#start} + 1))
	before=$(generation)
	apply '{"op":"put","product":1,"price":111}' "${3/@/}" \
	      '{"op":"put","product":2,"price":222}'
	[ "$status" = 4 ] || verdict="not ok"
	grep -Eq -- "^in.jsonl:2:$column: .*$2" err || verdict="not ok"
	[ "$(generation)" = "$before" ] || verdict="not ok"
	report "$verdict" "bad line: $1"
	[ "$verdict" = ok ] || echo "# status $status, expected :2:$column: $2"
}

# --- shelves -------------------------------------------------------------

run create --max-bytes 64M --seed 1
check "create" 0
run create --max-bytes 64M
check "create what is there" 1 '' 'File exists'
run -j create --max-bytes 64M
check "the same error in JSON" 1 '' '^\{"schema":1,"error":\{.*"errno":"EEXIST","status":1\}\}$'
shelf=small.shelf
run create --max-bytes 4095K
check "create below the least size" 1 '' '4 MiB'
run create --max-bytes 65G
check "create above the greatest size" 1 '' '64 GiB'
run create --max-bytes 12X
check "a size that is none" 2 '' 'not a size'
run create --max-bytes 99999999999G
check "a size over 64 bits" 2 '' 'not a size'
run create
check "create without a size" 2 '' 'max-bytes'
run create --max-bytes 4M --quarantine-ms 3600001
check "quarantine over an hour" 2 '' 'hour'
run create --max-bytes 4M --lease-ms 5
check "a lease of a file" 1 '' 'keeps nothing'
run show
check "show what isn't there" 1 '' 'No such file'
echo text >text.shelf
shelf=text.shelf
run show
check "show what is no shelf" 1 '' 'not a shelf'
run destroy
check "destroy what is no shelf" 1 '' 'not a shelf'
run apply /dev/null
check "apply to what is no shelf" 1 '' 'not a shelf'
shelf=gone.shelf
run create --max-bytes 4M
run destroy
check "destroy" 0
run show
check "and then it is gone" 1 '' 'No such file'
shelf=a.shelf
run show
check "an empty shelf is generation 1" 0 '^generation 1$'
run set --lease-ms 5
check "settings of a file" 1 '' 'stay as they are'
run pins
check "pins of a file" 1 '' 'knows nothing of its readers'
run -j show
check "show in JSON" 0 '^\{"schema":1,"name":"a.shelf","generation":1,.*"max_bytes":67108864,'

# --- usage ---------------------------------------------------------------

usage "no command" 'no command' --hosted a.shelf
usage "unknown command" 'no such command: frob' frob
usage "unknown command in JSON" '^\{"schema":1,"error":\{"message":"no such command: frob","status":2\}\}$' frob -j
usage "unknown option" 'no such option: --frob' show --frob
usage "an option of another command" 'show takes no --limit' --hosted a.shelf show --limit 1
usage "no name" 'needs the NAME' show
usage "two shelves" 'either' -s x --hosted a.shelf show
usage "list takes no shelf" 'no shelf' -s x list
usage "a value is missing" 'needs a value' --hosted a.shelf wait 1 --timeout
usage "a value too many" 'takes no value' --json=1 list
usage "an option twice" 'twice' --hosted a --hosted b show
usage "words too many" 'too many' --hosted a.shelf show more
usage "apply without a file" 'one FILE' --hosted a.shelf apply
usage "get what" 'product or get catalog' --hosted a.shelf get
usage "get product without an id" 'needs an ID' --hosted a.shelf get product
usage "an id that is none" 'not a 64-bit' --hosted a.shelf get product 1x
usage "an id over 64 bits" 'not a 64-bit' --hosted a.shelf get product 9223372036854775808
usage "an id below 64 bits" 'not a 64-bit' --hosted a.shelf get product -9223372036854775809
usage "limit 0" 'limit is 0' --hosted a.shelf get catalog 1 --limit 0
usage "limit below 0" 'not a number' --hosted a.shelf get catalog 1 --limit -1
usage "limit of a product" 'for catalogs' --hosted a.shelf get product 1 --limit 1
usage "a timeout that is none" 'not a time' --hosted a.shelf wait 1 --timeout nan
usage "export what" 'too many' --hosted a.shelf export product
usage "no tries" 'tries is 0' --hosted a.shelf export --tries 0
usage "a lease that is none" 'lease is not a time' --hosted a.shelf export --lease x
usage "set nothing" 'set what' --hosted a.shelf set
usage "set what can't change" 'set takes no --max-bytes' --hosted a.shelf set --max-bytes 64M
usage "a lease of nothing" 'lease-ms is 0' --hosted a.shelf set --lease-ms 0
usage "a lease over a week" 'lease-max-ms is more' --hosted a.shelf set --lease-max-ms 604800001
usage "pins may keep nothing" 'pin-bytes is 0' --hosted a.shelf set --pin-bytes 0
usage "expect what" 'not a number' --hosted a.shelf apply - --expect x
"$ctl" help >out 2>err
status=$?
check "help tells exit statuses" 0 'Exit status: 0 done'
"$ctl" --version >out 2>err
status=$?
check "version" 0 '^shelfctl .* abi 1$'
"$ctl" apply -h >out 2>err
status=$?
check "help on a command" 0 'expect GENERATION'

# --- good files ----------------------------------------------------------

apply '{"op":"put","product":42,"price":1999,"currency":"EUR","stock":7,"flags":3,"attrs":{"b" : 1.10, "a":[ 1, "x y" ]}}' \
      '' ' 	 ' \
      '{"op":"add","catalog":7,"products":[43,42,-5,42]}'
check "apply" 0 '^generation 2 ops 2 absent 0 pages [0-9]+ products 1 catalogs 1 memberships 3 draft .* publish .* grace'
run get product 42
check "get a product: text of attributes as given, without white space" 0 \
	'^product 42 price 1999 EUR stock 7 flags 0x3 generation 2 attrs \{"b":1.10,"a":\[1,"x y"\]\}$'
run get product 42 -j
check "get in JSON" 0 \
	'^\{"op":"put","product":42,"price":1999,"currency":"EUR","stock":7,"flags":3,"attrs":\{"b":1.10,"a":\[1,"x y"\]\},"generation":2\}$'
run get catalog 7
check "get a catalog: ascending, once each" 0
compare "its members" <(printf 'catalog 7 members 3 generation 2\n-5\n42\n43\n')
run get catalog 7 -j
check "a catalog in JSON" 0 '^\{"op":"add","catalog":7,"products":\[-5,42,43\],"total":3,"generation":2\}$'
run get catalog 7 --after -5 --limit 1 -j
check "a page of it" 0 '"products":\[42\]'
run get catalog 7 --after 43 -j
check "the page behind the last is empty" 0
compare "and prints nothing" /dev/null
run get product 1 42
check "get: one is missing" 3 '^product 42' 'no product 1'
run get product 1 -j
check "get: missing, in JSON" 3 '' '^\{"schema":1,"error":\{"message":"no product 1","errno":"ENOENT","status":3\}\}$'
run get catalog 1
check "get: no catalog" 3 '' 'no catalog 1'

apply '{"op":"patch","product":42,"stock":6}' '{"op":"patch","product":42,"price":-1,"flags":0}'
check "patch" 0
run get product 42
check "a patch leaves the rest" 0 'price -1 EUR stock 6 flags 0x0 generation 3 attrs \{"b"'
apply '{"op":"patch","product":42,"attrs":null}'
run get product 42
check "a patch clears attributes" 0 'generation 4$'
apply '{"op":"put","product":42,"stock":1}'
run get product 42
check "a put sets the rest to zero" 0 '^product 42 price 0 stock 1 flags 0x0 generation 5$'
apply '{"op":"put","product":42,"stock":1}'
check "the same once more" 0 '^generation 6 ops 1'
apply '{"op":"remove","catalog":7,"products":[42,1000]}' '{"op":"delete","product":42}' \
      '{"op":"delete","product":43}' '{"op":"delete","catalog":99}'
check "absent ones are counted" 0 'ops 4 absent 3'
apply '{"op":"delete","catalog":7}'
run get catalog 7
check "a catalog deleted" 3
apply '{"op":"add","catalog":7,"products":[1,2,3]}' '{"op":"set","catalog":7,"products":[9,2,2]}'
check "a catalog set" 0 'ops 3 .* catalogs 1 memberships 2 '
run get catalog 7
check "has what was named" 0
compare "and nothing else" <(printf 'catalog 7 members 2 generation 9\n2\n9\n')
apply '{"op":"set","catalog":7,"products":[]}'
check "and goes if nothing was" 0 'ops 1 absent 0 .* catalogs 0 memberships 0 '
apply '{"op":"put","product":1,"stock":1}' '{"op":"delete","product":1}' '{"op":"put","product":1,"stock":3}'
run get product 1
check "operations on one product in their order" 0 'stock 3 '
run apply /dev/null
check "an empty file is a commit" 0 'ops 0'
printf '{"op":"put","product":5,"price":5}' | "$ctl" --hosted a.shelf apply - >out 2>err
status=$?
check "standard input, no newline at its end" 0 'ops 1'
printf '{"op":"put","product":5,"price":6}\r\n' >crlf.jsonl
run apply crlf.jsonl
check "carriage returns" 0 'ops 1'

# Extremes of every field.
min=-9223372036854775808
max=9223372036854775807
apply "{\"op\":\"put\",\"product\":$min,\"price\":$max,\"stock\":$min,\"flags\":4294967295,\"attrs_base64\":\"AAEC/w==\"}" \
      "{\"op\":\"put\",\"product\":$max,\"price\":$min,\"stock\":$max,\"attrs\":{}}" \
      "{\"op\":\"put\",\"product\":0}" "{\"op\":\"put\",\"product\":-1}" \
      "{\"op\":\"add\",\"catalog\":$min,\"products\":[$max,$min,0,-1]}" \
      "{\"op\":\"add\",\"catalog\":$max,\"products\":[$min]}"
check "extremes" 0
run get product $min $max 0 -1 -j
check "read again" 0 "^\{\"op\":\"put\",\"product\":$min,\"price\":$max,\"stock\":$min,\"flags\":4294967295,\"attrs_base64\":\"AAEC/w==\""
check "the other end" 0 "\"product\":$max,\"price\":$min,\"stock\":$max,\"flags\":0,\"attrs\":\{\}"
run get catalog $min -j
check "members at the ends" 0 "\[$min,-1,0,$max\]"
run get catalog $min -j --after $max
check "after the last id" 0
run get product -- -1
check "ids behind --" 0 '^product -1 '

# What get -j prints, apply takes, and it comes to the same.
run get -j product $min $max 0 -1 1
mv out round.jsonl
"$ctl" --hosted a.shelf -j get catalog $min >>round.jsonl
shelf=b.shelf
run create --max-bytes 16M
run apply round.jsonl
check "apply takes what get prints" 0 'ops 6'
{
	"$ctl" --hosted b.shelf -j get product $min $max 0 -1 1
	"$ctl" --hosted b.shelf -j get catalog $min
} 2>err | sed 's/"generation":[0-9]*//' >out
compare "and gives it back" <(sed 's/"generation":[0-9]*//' round.jsonl)
shelf=a.shelf

# Attributes that are an object, but not as apply would write it, keep their bytes.
deepest() { # N: an object in which the 1 is the N-th value from the outside
	printf '{"a":%s1%s}' "$(head -c $(($1 - 2)) /dev/zero | tr '\0' '[')" \
		"$(head -c $(($1 - 2)) /dev/zero | tr '\0' ']')"
}
{
	n=200000
	for text in '{"a": 1}' ' {"a":1}' '{"a":1}' '[1]' '{}{}' '{},{}' '{"a":1e999}' \
		'{"a":1,"a":2}' '{"a":"\u0000"}' "$(deepest 2047)" "$(deepest 2048)"; do
		printf '{"op":"put","product":%d,"attrs_base64":"%s"}\n' $((n++)) \
			"$(printf '%s' "$text" | base64 -w0)"
	done
} >spaced.jsonl
run apply spaced.jsonl
check "attributes with white space" 0 'ops 11'
run get -j product 200000 200001 200003 200004 200005 200006 200007 200010
check "are printed as base64" 0
grep -q '"attrs":' out && verdict="not ok" || verdict=ok
report "$verdict" "and only so"
run get -j product 200002 200008 200009
check "others as they are" 0 '"attrs":\{"a":"\\u0000"\}'
grep -q base64 out && verdict="not ok" || verdict=ok
report "$verdict" "all of them"
# shellcheck disable=SC2046
run get -j product $(seq 200000 200010)
mv out again.jsonl
run apply again.jsonl
check "apply takes them all" 0 'ops 11 absent 0'
# shellcheck disable=SC2046
run get -j product $(seq 200000 200010)
compare "and they stay as they were, so no generation is new" again.jsonl

# Attributes of all lengths around the limits of slots, pages and lists.
longs() {
	local n

	for n in 1 7 8 9 3575 3576 3577 4095 4096 4097 8192 8193 61439 61440; do
		printf '{"op":"put","product":%d,"attrs_base64":"%s"}\n' $((100000 + n)) \
			"$(head -c $n /dev/zero | tr '\0' "\\$((n % 8))1" | base64 -w0)"
	done
}
longs >long.jsonl
run apply long.jsonl
check "attributes of all lengths" 0 'ops 14'
# shellcheck disable=SC2046 # words are what is wanted
run get -j product $(sed 's/.*"product":\([0-9]*\).*/\1/' long.jsonl)
attrs_of() {
	sed 's/.*"product":\([0-9]*\).*"attrs_base64":\("[^"]*"\).*/\1 \2/' "$1"
}
attrs_of out >attrs && mv attrs out
compare "come back as they were" <(attrs_of long.jsonl)

# Sets around the limits of records, slots, pages and levels, and far beyond
# what one operation takes.
set_of() { # N
	seq 0 3 $(($1 * 3 - 1)) | paste -sd,
}
for n in 4 5 447 448 504 505 7999 8000 8001 130000; do
	apply "{\"op\":\"add\",\"catalog\":$n,\"products\":[$(set_of $n)]}"
	check "a catalog of $n" 0
	"$ctl" --hosted a.shelf get catalog $n 2>err | sed 1d >out
	compare "its $n members" <(set_of $n | tr ',' '\n')
done
apply "{\"op\":\"remove\",\"catalog\":130000,\"products\":[$(seq 0 6 389999 | paste -sd,)]}" \
      "{\"op\":\"add\",\"catalog\":130000,\"products\":[$(seq 1 3 389999 | paste -sd,)]}"
check "half of a large set removed, another added" 0
"$ctl" --hosted a.shelf get catalog 130000 2>err | sed 1d >out
compare "its members" <({ seq 3 6 389999; seq 1 3 389999; } | sort -n)

# --- malformed files -----------------------------------------------------

put='{"op":"put","product":3'
bad "no JSON" "invalid token" 'put 42'
bad "half of an object" "" "$put"
bad "two objects" "" "$put} $put}"
bad "an array" 'not an object' '@[1]'
bad "a number, indented" 'not an object' '  @5'
bad "null" 'not an object' '@null'
bad "an empty object" 'op is missing' '@{}'
bad "no op" 'op is missing' ' @{"product":1}'
bad "unknown op" 'op is not' '{"op":@"frob","product":1}'
bad "op of another type" 'op is not' '{"product":1, "op": @5}'
bad "op and a NUL" 'op is not' '{"op":@"put\u0000","product":1}'
bad "unknown field" 'no such field: colour' "$put, @\"colour\":1}"
bad "unknown field spelt with escapes" 'no such field: colour' "$put,@\"c\\u006flour\":1}"
bad "key twice" 'duplicate' "$put,\"price\":1,\"price\":2}"
bad "key twice, one spelt with escapes" 'duplicate' "$put,\"price\":1,\"pr\\u0069ce\":2}"
bad "key twice in attributes" 'duplicate' "$put,\"attrs\":{\"a\":{\"b\":1,\"b\":2}}}"
bad "put without a product" 'product is missing' '@{"op":"put","price":1}'
bad "delete without anything" 'product is missing' '@{"op":"delete"}'
bad "delete of both" "catalog doesn't belong" '{"op":"delete","product":1,@"catalog":1}'
bad "add without a catalog" 'catalog is missing' '@{"op":"add","products":[1]}'
bad "add without products" 'products is missing' '@{"op":"add","catalog":1}'
bad "products is empty" 'empty' '{"op":"add","catalog":1,"products":@[]}'
bad "set without products" 'products is missing' '@{"op":"set","catalog":1}'
bad "set of a product" "product doesn't belong" '{"op":"set",@"product":1,"products":[1]}'
bad "products is no array" 'not an array' '{"op":"add","catalog":1,"products":@1}'
bad "a member that is a string" 'not an integer' '{"op":"add","catalog":1,"products":[1, @"2"]}'
bad "a member that is real" 'not an integer' '{"op":"add","catalog":1,"products":[1,2, @3.0]}'
bad "a member that is an array" 'not an integer' '{"op":"add","catalog":1,"products":[1,@[2],3]}'
bad "a member over 64 bits" 'too big' '{"op":"add","catalog":1,"products":[9223372036854775808]}'
bad "a price for a catalog" "price doesn't belong" '{"op":"add","catalog":1,"products":[1],@"price":1}'
bad "products for a put" "products doesn't belong" "$put,@\"products\":[1]}"
bad "a price for a delete" "price doesn't belong" '{"op":"delete","product":1,@"price":1}'
bad "members for a catalog's delete" "products doesn't belong" '{"op":"delete","catalog":1,@"products":[1]}'
bad "product is real" 'not an integer' '{"op":"put","product":@1.0}'
bad "product is a bool" 'not an integer' '{"op":"put","product":@true}'
bad "product is null" 'not an integer' '{"op":"put","product":@null}'
bad "product is a string" 'not an integer' '{"op":"put","product":@"1"}'
bad "product over 64 bits" 'too big' '{"op":"put","product":9223372036854775808}'
bad "product below 64 bits" 'too big|too neg' '{"op":"put","product":-9223372036854775809}'
bad "price is real" 'price is not an integer' "$put,\"price\":@19.99}"
bad "price is null" 'price is not an integer' "$put,\"price\":@null}"
bad "stock is a string" 'stock is not an integer' "$put,\"stock\" : @\"7\"}"
bad "flags below 0" 'flags is not from' "$put,\"flags\":@-1}"
bad "flags over 32 bits" 'flags is not from' "$put,\"flags\":@4294967296}"
bad "flags real" 'not an integer' "$put,\"flags\":@1e3}"
bad "currency in lower case" 'currency' "$put,\"currency\":@\"eur\"}"
bad "currency of two letters" 'currency' "$put,\"currency\":@\"EU\"}"
bad "currency of four letters" 'currency' "$put,\"currency\":@\"EURO\"}"
bad "currency of NULs" 'currency' "$put,\"currency\":@\"\\u0000\\u0000\\u0000\"}"
bad "currency is a number" 'currency' "$put,\"currency\":@978}"
bad "attrs is a string" 'attrs is not an object' "$put,\"attrs\":@\"x\"}"
bad "attrs is an array" 'attrs is not an object' "$put,\"attrs\":@[]}"
bad "attrs null in a put" 'attrs is not an object' "$put,\"attrs\":@null}"
bad "attrs twice" 'both' "$put,\"attrs\":{},@\"attrs_base64\":\"\"}"
bad "attrs cleared and given" 'both' '{"op":"patch","product":3,"attrs":null,@"attrs_base64":""}'
bad "base64: a character" 'base64' "$put,\"attrs_base64\":@\"AA*=\"}"
bad "base64: no padding" 'base64' "$put,\"attrs_base64\":@\"AA\"}"
bad "base64: padding in the middle" 'base64' "$put,\"attrs_base64\":@\"AA==AAAA\"}"
bad "base64: bits behind the end" 'base64' "$put,\"attrs_base64\":@\"AB==\"}"
bad "base64: padding alone" 'base64' "$put,\"attrs_base64\":@\"====\"}"
bad "base64: white space" 'base64' "$put,\"attrs_base64\":@\"AAA A\"}"
bad "base64: a number" 'base64' "$put,\"attrs_base64\":@5}"
bad "a byte that is no UTF-8" 'decode' "$put,\"attrs\":{\"a\":\"$(printf '\377')\"}}"
bad "a control character in a string" 'control' "$put,\"attrs\":{\"a\":\"$(printf '\001')\"}}"
bad "half a surrogate" 'Unicode' "$put,\"attrs\":{\"a\":\"\\ud800\"}}"
bad "columns are characters" 'stock is not' "$put,\"attrs\":{\"ä\":\"€\"},\"stock\":@[]}"
bad "brackets in strings" 'stock is not' "$put,\"attrs\":{\"}\":\"]\\\\\\\"{\"},\"stock\":@[]}"
bad "a trailing comma" "" "$put,}"
bad "generation of another type" 'not an integer' "$put,\"generation\":@\"1\"}"
big=$(head -c 61433 /dev/zero | tr '\0' x)
bad "attributes of 61441 bytes" '61441 attribute bytes are more than 61440' "$put,\"attrs\":@{\"a\":\"$big\"}}"
big=$(head -c 61441 /dev/zero | base64 -w0)
bad "61441 bytes in base64" 'more than 61440' "$put,\"attrs_base64\":@\"$big\"}"
deep=$(head -c 5000 /dev/zero | tr '\0' '[')
bad "deep nesting" 'depth' "$put,\"attrs\":{\"a\":$deep"
printf '%s,"price":1\0}\n' "$put" >nul.jsonl
run apply nul.jsonl
check "a NUL byte" 4 '' '^nul.jsonl:1:34: a NUL byte'
bad "a price for a mark" "price doesn't belong" '{"op":"begin",@"price":1}'
apply "{\"op\":\"put\",\"product\":3,\"attrs\":{\"a\":\"$(head -c 61432 /dev/zero | tr '\0' x)\"}}"
check "attributes of 61440 bytes" 0
run -j apply nul.jsonl
check "the place in JSON" 4 '' '^\{"schema":1,"error":\{.*"file":"nul.jsonl","line":1,"column":[0-9]+,"status":4\}\}$'
run apply nowhere.jsonl
check "a file that isn't there" 1 '' 'nowhere.jsonl: No such file'
run apply .
check "a directory" 1 '' 'directory'

# --- what the shelf refuses ----------------------------------------------

before=$(generation)
apply '{"op":"put","product":1,"price":77}' '' '{"op":"patch","product":123456789,"price":1}' '{"op":"put","product":2}'
check "a patch of what isn't there, at its line" 1 '' '^in.jsonl:3: .*123456789'
apply "{\"op\":\"add\",\"catalog\":1,\"products\":[$(seq -s, 20000)]}" '{"op":"patch","product":123456789,"price":1}'
check "the line behind one of several operations" 1 '' '^in.jsonl:2: '
run apply round.jsonl --expect 1
check "another generation was expected" 1 '' 'generation 1 was expected'
run apply round.jsonl --expect "$before" -j
check "this one was, so nothing of these was applied" 0 "^\{\"schema\":1,\"generation\":$((before + 1)),\"ops\":6,"
shelf=small.shelf
run create --max-bytes 4M --batch-bytes 4G --quarantine-ms 0
run apply long.jsonl
check "a small shelf" 0
awk 'BEGIN { for (i = 0; i < 100000; i++) printf "{\"op\":\"put\",\"product\":%d,\"price\":1}\n", i }' >many.jsonl
run apply many.jsonl
check "and a batch too large for it" 1 '' 'full'
run show
check "which changed nothing" 0 '^products 14$'
# shellcheck disable=SC2046
run get -j product $(sed 's/.*"product":\([0-9]*\).*/\1/' long.jsonl)
check "not a product" 0
awk 'BEGIN { for (i = 0; i < 14; i++) printf "{\"op\":\"delete\",\"product\":%d}\n", i }' >few.jsonl
run apply few.jsonl
check "and the next batch goes on" 0 'ops 14 absent 14'
shelf=tight.shelf
run create --max-bytes 4M --batch-bytes 1K
run apply many.jsonl
check "a batch over its limit of bytes, at its line" 1 '' '^many.jsonl:[0-9]+: .*limit'

# --- marks ----------------------------------------------------------------

shelf=a.shelf
apply '{"op":"put","product":1,"price":7}' '{"op":"patch","product":88888,"price":1}'
check "a patch of what isn't there" 1 '' '^in.jsonl:2:'
begin='{"op":"begin"}' end='{"op":"end"}'
apply "$begin" '{"op":"put","product":1,"price":8}' '{"op":"put","product":77777,"price":1}' '{"op":"restart"}' \
      '{"op":"put","product":2,"price":9}' '' '{"op":"patch","product":77777,"price":1}' "$end"
check "a patch of what a restart took back, at its line" 1 '' '^in.jsonl:7:.*77777'
apply "$begin" '{"op":"put","product":1,"price":8}' '{"op":"restart","generation":5}' \
      '{"op":"put","product":2,"price":9}' "$end"
check "of lines that were taken back nothing counts" 0 'ops 1 '
run get product 2
check "those behind do" 0 'price 9 '
run get product 1
check "and the product in front is as it was" 0 'price 0 stock 3 '
apply "$begin" '{"op":"restart"}' '{"op":"put","product":'
check "a wrong line behind a restart" 4 '' '^in.jsonl:3:'
apply '{"op":"restart"}' '{"op":"put","product":1}'
check "a restart without a begin" 4 '' '^in.jsonl:1: restart without a begin'
apply "$begin" '{"op":"put","product":1}' "$end" '{"op":"restart"}'
check "a restart of what is complete" 4 '' '^in.jsonl:4: restart without a begin'
apply '{"op":"begin"}' '{"op":"put","product":1}' '{"op":"restart"}' '{"op":"restart"}' \
      '{"op":"put","product":2}' '{"op":"end"}' '{"op":"put","product":3}' \
      '{"op":"begin"}' '{"op":"end"}'
check "marks are no operations" 0 'ops 2 '
apply '{"op":"begin"}' '{"op":"put","product":1}' '{"op":"restart"}' '{"op":"put","product":2}'
check "a restart is no end" 4 '' '^in.jsonl:1: begin without an end'
apply '{"op":"put","product":1}' '{"op":"end"}'
check "an end without a begin" 4 '' '^in.jsonl:2: end without a begin'
apply '{"op":"begin","generation":7}' '{"op":"put","product":1}' '{"op":"begin"}' '{"op":"end"}'
check "a begin without an end" 4 '' '^in.jsonl:1: begin without an end'
apply '{"op":"put","product":1}' '{"op":"begin"}' '{"op":"restart"}'
check "a restart that would take back others' lines" 4 '' '^in.jsonl:3: .*in front of its begin'
run apply few.jsonl --no-wait
check "not to wait for the grace period" 0 'ops 14 '

# The hash of an end is XXH3, 64 bits, of the lines from the begin or restart on.
one='{"op":"begin","generation":1}' hash=658173b65617fa18
apply "$one" "{\"op\":\"end\",\"hash\":\"$hash\"}"
check "a hash" 0 'ops 0 '
apply "$one" '' "{\"op\":\"end\",\"hash\":\"$hash\"}"
check "a hash of other lines" 4 '' \
	"^in.jsonl:3: lines 1 to 2 are not as they were exported: their hash is [0-9a-f]{16}, not $hash\$"
apply "$one" '{"op":"put","product":1}' "{\"op\":\"restart\",\"generation\":1}" \
      '{"op":"end","hash":"3de9dd56d584df72"}'
check "behind a restart it begins anew" 0 'ops 0 '
for bad in '"65817"' '"658173B65617FA18"' '"658173b65617fa18 "' 5; do
	apply "$one" "{\"op\":\"end\",\"hash\":$bad}"
	check "a hash that is none: $bad" 4 '' '^in.jsonl:2:20: hash is not 16'
done
apply "$begin" '{"op":"put","product":1,"hash":"658173b65617fa18"}' "$end"
check "a hash of one line" 4 '' "^in.jsonl:2:25: hash doesn't belong"
run apply /dev/null --whole
check "nothing is no export" 4 '' 'no export in it'
apply '' ' '
run apply in.jsonl --whole
check "nor are blank lines" 4 '' 'no export in it'
apply "$begin" '{"op":"put","product":1}' "$end"
check "an export without a hash" 0 'ops 1 '
run apply in.jsonl --whole
check "is not whole" 4 '' '^in.jsonl:3: end without a hash'
apply "$one" "{\"op\":\"end\",\"hash\":\"$hash\"}" "$one" "{\"op\":\"end\",\"hash\":\"$hash\"}"
run apply in.jsonl --whole
check "two exports are whole" 0 'ops 0 '
echo '{"op":"delete","product":1}' >>in.jsonl
run apply in.jsonl --whole
check "a line behind them is not of them" 4 '' '^in.jsonl:5: a line that is of no export'

# --- export ---------------------------------------------------------------

# as_set FILE: its lines in an order, without the generation and the hash: a leaf's are
# in the order of their slots, which tells what has been where before
as_set() { sed '1s/,"generation":[0-9]*}$/}/; $s/,"hash":"[0-9a-f]*"}$/}/' "$1" | sort; }

shelf=empty.shelf
run create --max-bytes 64M
run export
check "export an empty shelf" 0
compare "two marks" <(printf '{"op":"begin","generation":1}\n{"op":"end","digest":"0000000000000000","hash":"658173b65617fa18"}\n')
shelf=a.shelf
run apply spaced.jsonl
run apply "long.jsonl"
run export
check "export" 0 '^\{"op":"end","digest":"[0-9a-f]{16}","hash":"[0-9a-f]{16}"\}$'
mv out a.out
shelf=empty.shelf
run apply a.out --whole
check "apply takes it" 0
run export
check "and gives it back" 0
mv out b.out
cmp <(as_set a.out) <(as_set b.out) && verdict=ok || verdict="not ok"
report "$verdict" "byte for byte"
grep -o '"op":"add","catalog":130000,' a.out | wc -l >out
compare "a large catalog is several lines" <(echo 25)
grep -c '^{"op":"put"' a.out >out
compare "all products are there" <("$ctl" --hosted a.shelf show | sed -n 's/^products //p')
shelf=a.shelf
# shellcheck disable=SC2046
run get -j product $(sed -n 's/^{"op":"put","product":\(-*[0-9]*\),.*/\1/p' a.out | head -n 2000)
sed -i 's/,"generation":[0-9]*}$/}/' out
compare "each as get prints it" <(grep '^{"op":"put"' a.out | head -n 2000)
shelf=third.shelf
run create --max-bytes 64M
"$ctl" --hosted a.shelf export | "$ctl" --hosted third.shelf apply - >out 2>err
status=$?
check "through a pipe" 0 '^generation 2 '
run export -o third.out
check "to a file" 0 '^generation 2 products [0-9]+ catalogs [0-9]+ memberships [0-9]+ digest [0-9a-f]{16}$'
cmp <(as_set a.out) <(as_set third.out) && verdict=ok || verdict="not ok"
report "$verdict" "with the same in it"
echo old >third.out
run -j export --output third.out
check "over a file that was there" 0 '^\{"schema":1,"generation":2,"products":[0-9]+,"catalogs":[0-9]+,"memberships":[0-9]+,"digest":"[0-9a-f]{16}"\}$'
cmp <(as_set a.out) <(as_set third.out) && verdict=ok || verdict="not ok"
report "$verdict" "with the same in it"
( trap '' XFSZ; ulimit -f 16; "$ctl" --hosted third.shelf export -o third.out >out 2>err )
status=$?
check "a file that becomes too large" 1 '' 'third.out: File too large'
cmp <(as_set a.out) <(as_set third.out) && verdict=ok || verdict="not ok"
report "$verdict" "leaves the old one"
# Its last bytes are what does not go to disk any more.
shelf=last.shelf
run create --max-bytes 64M
echo '{"op":"put","product":1,"attrs":{"name":""}}' | "$ctl" --hosted last.shelf apply - >out
run export -o last.out
length=$((4100 - $(stat -c %s last.out)))
printf '{"op":"put","product":1,"attrs":{"name":"%*s"}}\n' $length '' >last.jsonl
run apply last.jsonl
run export -o last.out
[ "$(stat -c %s last.out)" = 4100 ] && verdict=ok || verdict="not ok"
report "$verdict" "an export of 4100 bytes"
( trap '' XFSZ; ulimit -f 1; "$ctl" --hosted last.shelf export -o lost.out >out 2>err )
status=$?
check "the end of a file does not fit" 1 '' 'lost.out: File too large'
[ ! -e lost.out ] && verdict=ok || verdict="not ok"
report "$verdict" "leaves none"
chmod 600 last.out
run export -o last.out
( umask 27; "$ctl" --hosted last.shelf export -o new.out >out 2>err )
stat -c %a last.out new.out >out
compare "others read no more than they could" <(printf '600\n640\n')
shelf=third.shelf
run export -o .
check "to a directory" 1 '' 'not a regular file'
run export -o nowhere/file
check "to where nothing can be" 1 '' 'No such file'
"$ctl" --hosted third.shelf export >/dev/full 2>err
status=$?
check "to a full disk" 1 '' 'standard output: No space'
shelf=gone.shelf
run export -o gone.out
check "export what isn't there" 1 '' 'No such file'
find . -name '*.new' -o -name '*.out.*' -o -name gone.out >out
compare "nothing is left behind" /dev/null

# --- waiting -------------------------------------------------------------

shelf=a.shelf
now=$(generation)
run wait "$now" --timeout 0
check "wait for what is there" 0 "^generation $now\$"
run wait $((now + 1)) --timeout 0.05
check "wait in vain" 1 '' 'did not come in time'
"$ctl" --hosted a.shelf wait $((now + 1)) --timeout 20 >out 2>err &
waiter=$!
"$ctl" --hosted a.shelf apply few.jsonl >/dev/null
wait $waiter
status=$?
check "wait for a commit" 0 "^generation $((now + 1))\$"
run stats
check "stats" 0 "^generation $((now + 1))\$"
run -j stats
check "stats in JSON" 0 '^\{"schema":1,"generation":[0-9]+,.*"products":[0-9]+,.*\}$'

# --- two writers, dead writers -------------------------------------------

mkfifo pipe
"$ctl" --hosted a.shelf apply pipe >out 2>err &
writer=$!
exec 9>pipe
# More than a pipe holds: once it is written, the writer reads.
for ((i = 0; i < 4000; i++)); do echo '{"op":"put","product":31337}'; done >&9
run apply few.jsonl
check "a second writer" 1 '' 'another writer'
run destroy
check "destroy under a writer" 1 '' 'another writer'
run get product "$max"
check "readers go on" 0
{ kill -9 $writer && wait $writer; } 2>/dev/null
exec 9>&-
run get product 31337
check "a writer killed while it staged changed nothing" 3
run apply few.jsonl
check "and the next may write" 0

# A big shelf, so that there is a middle of a commit to be killed in. Each batch
# sets all prices to its own number: a mix would show half a batch.
shelf=kill.shelf
run create --max-bytes 256M --batch-bytes 4G --quarantine-ms 0 --seed 1
products=20000
prices() { # NUMBER
	awk -v n="$products" -v p="$1" 'BEGIN { for (i = 0; i < n; i++)
		printf "{\"op\":\"put\",\"product\":%d,\"price\":%d,\"attrs\":{\"n\":\"%0*d\"}}\n", i, p, i % 300, p
		printf "{\"op\":\"delete\",\"catalog\":1}\n{\"op\":\"add\",\"catalog\":1,\"products\":[%d", p
		for (i = 1; i < 9000; i++) printf ",%d", p + i * 10
		print "]}" }'
}
prices 1 >p1.jsonl
prices 2 >p2.jsonl
run apply p1.jsonl
check "a big batch" 0
whole=0
torn=0
# shellcheck disable=SC2046
for i in $(seq 40); do
	"$ctl" --hosted kill.shelf apply pipe >/dev/null 2>&1 &
	writer=$!
	cat p$((1 + i % 2)).jsonl >pipe	# at its end the commit begins
	sleep "0.0$((RANDOM % 3))$((RANDOM % 10))"
	{ kill -9 $writer; wait $writer; } 2>/dev/null
	price=$("$ctl" --hosted kill.shelf -j get product $(seq 0 97 $((products - 1))) |
		sed 's/.*"price":\([0-9]*\),.*"n":"0*\([0-9]*\)".*/\1 \2/;s/.*"price":\([0-9]*\),.*/\1/' |
		tr ' ' '\n' | sort -u | paste -sd,)
	first=$("$ctl" --hosted kill.shelf get catalog 1 --limit 1 | sed 1d)
	case $price,$first in
	1,1 | 2,2)	whole=$((whole + 1)) ;;
	*)	torn=$((torn + 1)); echo "# prices $price first $first" ;;
	esac
done
echo "# killed 40 times, $(generation) generations"
[ $torn = 0 ] && [ $whole = 40 ] && verdict=ok || verdict="not ok"
report "$verdict" "a writer killed in the middle leaves a whole generation"
run apply p1.jsonl
check "and its successor goes on" 0 'ops 20003'
run show
check "with everything there" 0 "^products $products\$"
check "and all members" 0 '^memberships 9000$'

# --- revoked pins ---------------------------------------------------------

# Without quarantine a commit reuses what an export has yet to read.
now=$(generation)
whole_export() { # DESCRIPTION FILE: it is what is in the shelf now, nothing else
	"$ctl" --hosted kill.shelf export >now.out
	cmp <(as_set now.out) <(as_set "$2") && verdict=ok || verdict="not ok"
	report "$verdict" "$1"
}
revoked='the pin of generation [0-9]+ was revoked after [0-9]+ products and 0 catalogs: the file keeps nothing'
mkfifo slow
slow_export() { # FILE ARGUMENTS...: into a pipe that is read when a commit was made
	local file=$1

	shift
	"$ctl" --hosted kill.shelf export "$@" >slow 2>err &
	writer=$!
	exec 8<slow
	head -c 100000 <&8 >"$file"
	"$ctl" --hosted kill.shelf apply p2.jsonl >out
	cat <&8 >>"$file"
	exec 8<&-
	wait $writer
	status=$?
}
slow_export slow.out
check "an export that is overtaken begins anew" 0 '' "$revoked.*try 1 of 5"
grep -c '"op":"restart"' slow.out >out
compare "and says so in the pipe" <(echo 1)
sed -n '/"op":"restart"/,$p' slow.out | sed '1s/restart/begin/' >rest.out
whole_export "what follows is whole" rest.out
shelf=fresh.shelf
run create --max-bytes 64M
run apply slow.out
check "apply takes it" 0 '^generation 2 '
run export
mv out fresh.out
whole_export "and makes the same of it" fresh.out
slow_export slow.out --tries 1
check "one try" 1 '' "$revoked"
check "is given up" 1 '' 'not exported'
run apply slow.out
check "and apply refuses the half" 4 '' '^slow.out:1: begin without an end'
slow_export slow.out -j
check "told in JSON" 0 '' '^\{"schema":1,"note":\{"message":".* was revoked .*"\}\}$'

# stopped_export FILE-THAT-GROWS OUT ARGUMENTS... : to a file, stopped when some of it
# is written, and continued with a commit behind
stopped_export() {
	local grows=$1 to=$2 before

	shift 2
	# shellcheck disable=SC2086 # a pattern
	before=$(stat -c %s $grows 2>/dev/null || echo 0)
	"$ctl" --hosted kill.shelf export "$@" >>"$to" 2>err &
	writer=$!
	# shellcheck disable=SC2086 # a pattern
	until [ "$(stat -c %s $grows 2>/dev/null || echo 0)" -gt "$before" ]; do
		kill -0 $writer 2>/dev/null || break
	done
	kill -STOP $writer 2>err.kill
	"$ctl" --hosted kill.shelf apply p1.jsonl >/dev/null
	kill -CONT $writer 2>err.kill
	wait $writer
	status=$?
}

# The same until one was overtaken: on a busy machine it is often done before we stop it.
file_export() {
	local size tries=0

	size=$(stat -c %s "$2" 2>/dev/null || echo 0)
	stopped_export "$@"
	until grep -Eq -- "$revoked" err || [ $((tries += 1)) = 100 ]; do
		truncate -s "$size" "$2"
		stopped_export "$@"
	done
}
echo old >file.out
file_export 'file.out.??????' out -o file.out
check "a file is begun anew" 0 '^generation' "$revoked"
whole_export "and whole in the end" file.out
file_export 'file.out.??????' out -o file.out --tries 1
check "or not made" 1 '' 'not exported'
find . -name 'file.out.*' >out
compare "and none is left" /dev/null
whole_export "and the old one stays" file.out
echo head >append.out
file_export append.out append.out
check "standard output that is a file is cut off" 0 '' "$revoked"
head -n 1 append.out >out
compare "behind what was there" <(echo head)
sed 1d append.out >file.out
whole_export "and whole in the end" file.out
echo head >append.out
file_export append.out append.out --tries 1
check "and cut off in the end" 1 '' 'not exported'
mv append.out out
compare "to what was there" <(echo head)

# --- damaged files -------------------------------------------------------

# Refused or read, but nothing may crash: 128 and above is a signal or a
# sanitizer's report.
damage() { # FILE OFFSET: three bytes there
	printf '\377\377\377' | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}
crashed=0
refused=0
cp --sparse=always b.shelf clean.shelf
for offset in 0 8 16 24 32 64 65 66 67 68 70 72 $((2097152 - 4096)) $((2097152 + 8)) \
	$(seq $((2097152 + 4096)) 613 $((2097152 + 9 * 4096))); do
	cp --sparse=always clean.shelf bad.shelf
	damage bad.shelf "$offset"
	shelf=bad.shelf
	run apply few.jsonl
	[ $status = 1 ] && refused=$((refused + 1))
	[ $status -ge 126 ] && crashed=$((crashed + 1)) && echo "# $offset: status $status"
	run get -j product 0 1 2 $min $max
	[ $status -ge 126 ] && crashed=$((crashed + 1)) && echo "# $offset: status $status"
	run get -j catalog $min
	[ $status -ge 126 ] && crashed=$((crashed + 1)) && echo "# $offset: status $status"
done
echo "# $refused damaged files refused"
[ $crashed = 0 ] && [ $refused -gt 10 ] && verdict=ok || verdict="not ok"
report "$verdict" "damaged files are refused or read, never crashed on"
cp --sparse=always clean.shelf bad.shelf
truncate -s 3M bad.shelf
run show
check "a file cut short" 1 '' 'not a shelf'
run apply few.jsonl
check "a file cut short, to write" 1 '' 'not a shelf'
shelf=clean.shelf
run apply few.jsonl
check "the clean copy is a shelf" 0

shelf=trim.shelf
run create --max-bytes 64M --quarantine-ms 0
seq 1 60000 | sed 's/.*/{"op":"put","product":&,"attrs":{"name":"article number &"}}/' >many.jsonl
seq 1 60000 | sed '/00$/d; s/.*/{"op":"delete","product":&}/' >most.jsonl
run apply many.jsonl
run apply most.jsonl
blocks=$(stat -c %b trim.shelf)
run trim
check "trim" 0 'bytes held before, 2097152 now'
run get product 600
check "what is left is there" 0 'article number 600'
[ $(($(stat -c %b trim.shelf) * 3)) -lt "$blocks" ] && verdict=ok || verdict="not ok"
report "$verdict" "a trim gives the file's blocks back"
run trim more
check "trim takes no more" 2 '' 'too many arguments'
shelf=slow.shelf
run create --max-bytes 64M --quarantine-ms 3600000
run apply many.jsonl
run apply most.jsonl
run trim --timeout 0.3
check "a trim that quarantine is in the way of" 1 '' 'not done after 0.3 s: [0-9]+ bytes held before'
run get product 600
check "has lost nothing" 0 'article number 600'

finish
