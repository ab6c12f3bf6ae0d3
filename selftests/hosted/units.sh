#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# What the units of shelves do, without systemd: shelf-unit on shelves in files, with
# shelfctl's own exports. Files of settings are read strictly; a shelf is brought back
# from its last checkpoint that is whole, or goes again; checkpoints leave the one before;
# units are made for all files.
#
# Seen to fail with: unknown keys passed over; the limit of a batch given to create; a
# damaged checkpoint not set aside, which the next then kept as the one before; an empty
# shelf left where none was whole; an older checkpoint taken where the shelf had refused
# the last for its size; no checkpoint kept before the last, or taken away before the next
# was written; a checkpoint's remains left; one that all may read; errors without their
# level; an interval without its reset; an empty shelf that a killed restore had left taken
# for one that is there; a checkpoint refused for a key that nobody knows.
#
# TAP on standard output. $SHELFCTL is the program, or ../../build/tools/shelfctl.

cd "$(dirname "$0")" || exit 1
ctl=$(realpath "${SHELFCTL:-../../build/tools/shelfctl}")
unit=$(realpath ../../tools/units/shelf-unit)
postinst=$(realpath ../../debian/shelf-dkms.postinst)
export ctl shelf=unused status=0
# shellcheck source=/dev/null
. ./shelfctl-lib

# shellcheck disable=SC2154 # of shelfctl-lib
export SHELF_ETC=$dir/etc SHELF_RUN=$dir/run KERNEL=$dir/kernel
mkdir -p etc run bin kernel state
last=$dir/state/prices.jsonl.zst

# What the kernel would be told, and a shelf in a file instead of it. Guards are its own
# settings only in the kernel.
cat >bin/shelfctl <<'END'
#!/bin/bash
[[ $1 == -s ]] || exit 9
file=$KERNEL/$2 verb=$3
shift 3
echo "$verb $*" >>"$KERNEL.log"
case $verb in
set) exit "$(cat "$KERNEL.refuses" 2>/dev/null || echo 0)" ;;
destroy) rm -f "$file"; exit ;;
create)
	words=()
	while (($#)); do
		case $1 in --max-change | --dangling | --require-expect) shift ;; *) words+=("$1") ;; esac
		shift
	done
	set -- "${words[@]}" ;;
esac
exec "$ctl" --hosted "$file" "$verb" "$@"
END
# shellcheck disable=SC2016
printf '#!/bin/sh\nexit $(cat "%s/nomodule" 2>/dev/null || echo 0)\n' "$dir" >bin/modprobe
printf '#!/bin/sh\nexit 0\n' >bin/udevadm
chmod +x bin/*
PATH=$dir/bin:$PATH

unit() {
	"$unit" "$@" >out 2>err </dev/null
	status=$?
}

reboot() { rm -f kernel/* kernel.log; }
conf() { printf '%s\n' "CHECKPOINT_DIR=$dir/state" 'MAX_BYTES=64M' "$@" >etc/prices.conf; }
put() { echo "{\"op\":\"put\",\"product\":$1,\"price\":$1}" | "$ctl" --hosted kernel/prices apply - >/dev/null; }
has() { # DESCRIPTION PRODUCT...
	local what=$1
	shift
	"$ctl" --hosted kernel/prices export >out 2>err
	status=$?
	grep '"put"' out | sed 's/.*"product":\([0-9]*\).*/\1/' | sort -n | paste -sd ' ' >puts
	[ "$(cat puts)" = "$*" ] || status=9
	check "$what" 0
}
holds() { # DESCRIPTION COMMAND... : it succeeds
	local what=$1
	shift
	"$@" >out 2>err
	status=$?
	check "$what" 0
}
absent() { [ ! -e "$1" ]; }

# ---- files of settings
unit restore prices
check 'without a file it fails' 1 '' 'no .*etc/prices.conf'
unit restore ../prices
check 'a path is no name' 1 '' 'no name of a shelf'
unit restore
check 'without a name that is usage' 2 '' usage
conf 'MAX_BYTE=1G'
unit restore prices
check 'an unknown key is refused, and told with its line' 1 '' 'prices.conf:3: no such key: MAX_BYTE'
conf 'LEASE_MS 5'
unit restore prices
check 'a line that is none is refused' 1 '' 'prices.conf:3: not KEY=VALUE'
conf 'MAX_BYTES='
unit restore prices
check 'MAX_BYTES is asked for' 1 '' 'MAX_BYTES is missing'
conf 'CHECKPOINT_DIR=/var/lib/%n'
unit restore prices
check 'a directory that systemd would read otherwise is refused' 1 '' 'no plain absolute path'
conf 'CHECKPOINT_EVERY=1 h; x'
unit restore prices
check 'an interval is one' 1 '' 'no time'
conf "CHECKPOINT_DIR=$dir/nowhere"
unit restore prices
check 'a directory that is not there is not made' 1 '' 'no directory'
conf 'CHECKPOINT_EVERY=15x'
unit restore prices
check 'and a time, if systemd is there to say so' "$(command -v systemd-analyze >/dev/null && echo 1 || echo 0)"
rm -f kernel/prices
conf "CHECKPOINT_DIR=$dir/nowhere"
unit restore prices
holds 'none of these has made a shelf' absent kernel/prices
conf 'MAX_BYTES=1K'
unit restore prices
check 'what create refuses is told' 1 '' "can't be made: shelfctl:"

# ---- the first boot
reboot
conf '' '# a comment' '; and one' 'QUARANTINE_MS="0"' "DANGLING='refuse'  " 'MAX_CHANGE=10' 'BATCH_BYTES=64K'
echo 1 >nomodule
unit restore prices
check 'a module that does not load fails' 1 '' 'module shelf'
rm nomodule
unit restore prices
check 'without a checkpoint it is empty, and that is told' 0 '' 'no checkpoint yet: it is empty'
holds 'limits and guards are given, quotes and blanks taken off' \
	sh -c 'grep ^create kernel.log | grep -e "--max-bytes 64M" | grep -e "--quarantine-ms 0" |
		grep -e "--dangling refuse" | grep -e "--max-change 10"'
holds 'but for the limit of a batch, which is set behind' \
	sh -c '! grep ^create kernel.log | grep batch-bytes && tail -n 1 kernel.log | grep "^set --batch-bytes 64K"'
has 'it is empty'
put 1
unit restore prices
check 'a shelf that is there stays' 0 '' 'is there already'
has 'with what it had' 1
holds 'and gets its limits, all but those of create' \
	sh -c 'tail -n 1 kernel.log | grep "^set .*--batch-bytes 64K" && ! tail -n 1 kernel.log | grep max-bytes'

# ---- loading
echo '{"op":"put","product":7}' >load
reboot
conf "LOAD=$dir/load"
unit restore prices
check 'without a checkpoint it is loaded' 0 '' 'loaded from'
has 'with what is in the file' 7
reboot
echo '{"op":"put"' >load
unit restore prices
check 'a file that is none fails' 1 '' "can't be loaded: .*load:1"
holds 'and no shelf is left' absent kernel/prices
reboot
conf 'BATCH_BYTES=1'
echo 1 >kernel.refuses
unit restore prices
check 'a limit that is refused fails' 1 '' 'limits were refused'
holds 'and no shelf is left then' absent kernel/prices
rm kernel.refuses

# ---- checkpoints
reboot
conf
unit restore prices
put 1
unit checkpoint prices
check 'a checkpoint' 0 '' 'checkpoint written'
holds 'with none before it' absent "$last.1"
holds 'that only root reads' sh -c "stat -c %a $last | grep -x 600"
put 2
touch "$last.new.abcdef" "$last.new"
unit checkpoint prices
check 'another' 0
holds 'what one that was killed has left is gone' \
	sh -c "ls state | paste -sd ' ' | grep -x 'prices.jsonl.zst prices.jsonl.zst.1'"
reboot
unit restore prices
check 'after a boot' 0 '' "brought back from $last\$"
has 'it holds what it held' 1 2
rm kernel/prices
put 3 2>/dev/null
cp "$last" keep
unit checkpoint prices
check 'of a shelf that is gone there is none' 1 '' 'no checkpoint: shelfctl:'
holds 'and the last stays' cmp keep "$last"
holds 'and the one before, which is another' sh -c "test -s $last.1 && ! cmp -s $last $last.1"
ln -f "$last" "$last.1"
reboot
unit restore prices
put 3
unit checkpoint prices
check 'what was interrupted between link and rename goes on' 0
reboot
unit restore prices
has 'with the newest' 1 2 3

# ---- damage
flip() { printf '\377\377\377\377' | dd of="$1" bs=1 seek="$(($(stat -c %s "$1") / 2))" conv=notrunc status=none; }
reboot
unit restore prices
put 4
unit checkpoint prices
flip "$last"
cp "$last" broken
reboot
INVOCATION_ID=1 unit restore prices
check 'a damaged checkpoint is an error, and the one before is taken' 0 '' '^<3>.*prices: the checkpoint .* is damaged'
check 'which is told, as an error too' 0 '' '^<3>.*from the checkpoint before the last'
has 'it holds what was before' 1 2 3
holds 'the damaged one is set aside' cmp broken "$last.damaged"
holds 'and not the last any more' absent "$last"
put 5
unit checkpoint prices
holds 'the next checkpoint does not make it the one before' sh -c "$ctl --hosted other create --max-bytes 64M &&
	$ctl --hosted other restore $last.1"
unit checkpoint prices
: >"$last"
reboot
unit restore prices
check 'an empty one is damaged' 0 '' 'is damaged'
has 'and the one before is taken' 1 2 3 5
unit checkpoint prices
unit checkpoint prices
flip "$last"
flip "$last.1"
ls -l --time-style=full-iso state >before
reboot
unit restore prices
check 'if none is whole it fails' 1 '' 'no checkpoint is whole'
holds 'without a shelf' absent kernel/prices
holds 'and leaves all as it is' sh -c 'ls -l --time-style=full-iso state | diff before -'
rm -f state/*
reboot
unit restore prices
for id in $(seq 6); do
	printf '{"op":"put","product":%d,"attrs":{"a":"%60000s"}}\n' "$id$id" ''
done >big
unit checkpoint prices
for part in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do
	sed "s/\"product\":/&$part/" big | "$ctl" --hosted kernel/prices apply - >/dev/null 2>err
done
unit checkpoint prices
cp "$last" keep
reboot
conf 'MAX_BYTES=4M'
unit restore prices
check 'a whole checkpoint that the shelf refuses fails' 1 '' "can't be brought back from $last: "
holds 'without a shelf, though an older would fit' absent kernel/prices
holds 'and it stays the last' cmp keep "$last"

# ---- killed, and mistyped
reboot
rm -f state/*
conf 'QUARANTINE_MS=0'
unit restore prices
put 5
unit checkpoint prices
reboot
"$ctl" --hosted kernel/prices create --max-bytes 64M >/dev/null
cp "$last" before
unit restore prices
check 'a shelf that was made, and no more, is brought back' 0 '' 'brought back'
holds 'with limits that a shelf could not have got' grep -q '^set --quarantine-ms 0' kernel.log
unit checkpoint prices
check 'so its next checkpoint' 0
"$ctl" diff "$last" before >out 2>err
status=$?
check 'is not of an empty shelf' 0
put 77
conf 'DANGLNG=refuse' 'CHECKPOINT_EVERY=15x y'
unit checkpoint prices
check 'a file that is wrong since is told' 0 '' 'prices.conf:3: no such key: DANGLNG'
check 'and the checkpoint written' 0 '' 'checkpoint written'
"$ctl" diff "$last" before >out 2>err
status=$?
check 'with what is new' 1 '"product":77'
conf

# ---- units
mkdir gen
conf
cp etc/prices.conf etc/stock.conf
echo 'CHECKPOINT_EVERY=5min' >>etc/stock.conf
{ cat etc/prices.conf; echo 'CHECKPOINT_EVERY=never'; } >etc/rare.conf
echo 'NONSENSE=1' >etc/wrong.conf
cp etc/prices.conf 'etc/two words.conf'
unit generate "$dir/gen"
check 'units are made, and a name that is none is told' 0 '' 'two words.conf: no name'
holds 'for each file, a wrong one too' sh -c "ls gen/shelf.target.wants | paste -sd ' ' |
	grep -x 'shelf-restore@prices.service shelf-restore@rare.service shelf-restore@stock.service shelf-restore@wrong.service'"
holds 'waiting for what is mounted' grep -x "RequiresMountsFor=$dir/state" gen/shelf-restore@prices.service.d/conf.conf
holds 'with a timer' test -L gen/shelf-restore@prices.service.wants/shelf-checkpoint@prices.timer
holds 'or none' absent gen/shelf-restore@rare.service.wants
holds 'of its own interval, and no other' sh -c "paste -sd ' ' gen/shelf-checkpoint@stock.timer.d/conf.conf |
	grep -x '.Timer. OnActiveSec= OnActiveSec=5min OnUnitInactiveSec=5min'"
holds 'which are units that others read' sh -c "stat -c %a gen/shelf-checkpoint@stock.timer.d/conf.conf | grep -x 644"

# ---- Secure Boot: what the package of the module says behind DKMS
secure() { # STATE TEST
	# shellcheck disable=SC2016
	printf '#!/bin/sh\ncase $1 in --sb-state) echo "SecureBoot %s" ;; *) echo "mok.pub is %s" ;; esac\n' \
		"$1" "$2" >bin/mokutil
	chmod +x bin/mokutil
	sh "$postinst" configure >out 2>err
	status=$?
}
secure enabled 'not enrolled'
check 'with Secure Boot and a key that is not enrolled it is said what to do' 0 'mokutil --import'
secure enabled 'already enrolled'
holds 'with one that is, nothing' sh -c '! grep . out'
secure disabled 'not enrolled'
holds 'without Secure Boot, nothing' sh -c '! grep . out'
finish
