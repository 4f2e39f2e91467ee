#!/usr/bin/env bash
# tests/integration/lab_sidebyside.sh BUILD_DIR - two labs on one machine do not meet: calls in both, one ends, the other serves on.
# Also: a second `up` in the same place is refused, `down` leaves no file and no process, an `up` that fails says why.
set -u
build=$(realpath "${1:?build folder}")
top=$(cd "$(dirname "$0")/../.." && pwd)
[ -x "$build/pcscf/pcscfd" ] && [ -x "$build/tests/ue/imsue" ] || { echo "the daemons are not built"; exit 77; }
lab=$top/deploy/lab/lab
b=$((RANDOM % 100 + 100)) c=$((RANDOM % 250 + 1))
one="--net 127.$b.$c" two="--net 127.$b.$((c + 1))"
work=$(mktemp -d)
cleanup() {
	"$lab" down $one --dir "$work/one" >/dev/null 2>&1
	"$lab" down $two --dir "$work/two" >/dev/null 2>&1
	rm -rf "$work"
}
trap cleanup EXIT
fail() {
	echo "FAILED: $*"
	exit 1
}

"$lab" up $one --dir "$work/one" --build "$build" || fail "the first lab"
"$lab" up $two --dir "$work/two" --build "$build" || fail "the second lab"
"$lab" up $one --dir "$work/one" --build "$build" 2>"$work/err" && fail "a second lab in the same directory"
grep -q "runs in .* already" "$work/err" || fail "the refusal does not say why: $(cat "$work/err")"
"$lab" up $one --dir "$work/three" --build "$build" 2>"$work/err" && fail "a second lab on the same net"
grep -q "is in use" "$work/err" || fail "the refusal does not say why: $(cat "$work/err")"
[ ! -e "$work/three" ] || fail "a refused lab leaves files"

"$lab" call $one --dir "$work/one" --hold 0.5 >"$work/call1" 2>&1 &
first=$!
"$lab" call $two --dir "$work/two" --hold 0.5 >"$work/call2" 2>&1 || { cat "$work/call2"; fail "the call in the second lab"; }
wait $first || { cat "$work/call1"; fail "the call in the first lab"; }

"$lab" subscriber add $two --dir "$work/two" --imsi 001010000000077 --msisdn 491510000077 \
	--k 465b5ce8b199b49faa5f0a2ee238a6bc --opc cd63cb71954a9f4e48a5994e37a02baf || fail "subscriber add"
"$lab" subscriber list $two --dir "$work/two" | grep -q '^001010000000077@' || fail "the new subscriber is not listed"
"$lab" subscriber list $one --dir "$work/one" | grep -q '^001010000000077@' && fail "a subscriber of the one lab is in the other"
"$lab" call $two --dir "$work/two" --hold 0.5 001010000000077 001010000000002 >"$work/call3" 2>&1 ||
	{ cat "$work/call3"; fail "a call of the new subscriber"; }

"$lab" down $one --dir "$work/one" || fail "down"
[ ! -e "$work/one" ] || fail "down leaves files: $(ls -R "$work/one")"
for p in $(grep -l -s -a -F "$work/one/" /proc/[0-9]*/cmdline); do
	[ ! -e "$p" ] || fail "down leaves a process: $(tr '\0' ' ' <"$p")"	# what is gone was the grep itself
done
"$lab" status $one --dir "$work/one" 2>/dev/null && fail "status of a lab that is down"
"$lab" status $two --dir "$work/two" || fail "the second lab suffered from the end of the first"
"$lab" call $two --dir "$work/two" --hold 0.5 >"$work/call4" 2>&1 || { cat "$work/call4"; fail "a call after the first lab ended"; }
"$lab" down $two --dir "$work/two" || fail "down of the second"
"$lab" up $one --dir "$work/one" --build "$build" --subscribers "$work/none.yaml" 2>"$work/err" && fail "up without its subscribers"
grep -q "none.yaml" "$work/err" || fail "the reason is not said: $(cat "$work/err")"
exit 0
