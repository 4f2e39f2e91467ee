#!/usr/bin/env bash
# tests/integration/ue.sh BUILD_DIR - the simulated phone by itself: registration at fake_core, calls between two phones that have
# each other as P-CSCF.  Each scenario is two lists of commands; the phones judge by `wait`, the script by exit status and events.
set -u
build=$(realpath "${1:?build folder}")
ue=$build/tests/ue/imsue core=$build/tests/ue/fake_core
[ -x "$ue" ] && [ -x "$core" ] || { echo "imsue is not built"; exit 77; }
net=127.36.$((RANDOM % 250 + 1))
dir=$(mktemp -d)
pids=()
cleanup() {
	[ ${#pids[@]} = 0 ] || kill "${pids[@]}" 2>/dev/null
	rm -rf "$dir"
}
trap cleanup EXIT
k=465b5ce8b199b49faa5f0a2ee238a6bc opc=cd63cb71954a9f4e48a5994e37a02baf
failed=0
fail() {
	echo "FAILED: $*"
	failed=1
}

# phone LOG ADDRESS PCSCF OPTIONS...: one phone with a time limit
phone() {
	local log=$1 addr=$2 pcscf=$3
	shift 3
	timeout 60 "$ue" --bind "$addr" --pcscf "$pcscf" --imsi "00101${addr//[^0-9]/}" --mcc 001 --mnc 01 "$@" >"$dir/$log" 2>&1
}

# wants LOG EVENT [TEXT...]: a line with that event and all the texts
wants() {
	local log=$1 event=$2 lines t
	shift 2
	lines=$(grep -F "\"event\":\"$event\"" "$dir/$log")
	for t in "$@"; do lines=$(grep -F -e "$t" <<<"$lines"); done
	[ -n "$lines" ] && return
	fail "$name: $log has no event $event $*"
	cat "$dir/$log"
}
wants_not() {
	grep -q -F "\"event\":\"$2\"" "$dir/$1" && { fail "$name: $1 has an event $2"; cat "$dir/$1"; }
}

# ---- registration ----

n=10
# core_start ADDRESS ARGUMENTS...: fake_core, waits until it listens; its pid in $core_pid
core_start() {
	"$core" "$@" >"$dir/core" 2>&1 &
	core_pid=$!
	pids+=("$core_pid")
	for _ in $(seq 600); do grep -q ready "$dir/core" && return; sleep 0.05; done
	fail "$name: fake_core does not start"
}
core_says() {
	local got
	got=$(grep -v ready "$dir/core" | paste -sd, )
	[ "$got" = "$1" ] || fail "$name: the core saw '$got', not '$1'"
}
# reg NAME STATUS CORE-LINES "CORE ARGUMENTS" "PHONE ARGUMENTS" COMMANDS: status of the phone, what the core saw
reg() {
	name=$1
	local proto=udp
	[[ $1 == tcp* ]] && proto=tcp
	n=$((n + 1))
	# shellcheck disable=SC2086
	core_start $proto:$net.$n:5060 $4
	# shellcheck disable=SC2086
	phone log $net.$((n + 100)) $proto:$net.$n:5060 $5 -e "$6"
	local rc=$?
	[ $rc = "$2" ] || { fail "$name: exit status $rc"; cat "$dir/log"; }
	core_says "$3"
	grep -q -i -e $k -e $opc -e secretword "$dir/log" && fail "$name: a secret was printed"
	kill "$core_pid"
	wait "$core_pid" 2>/dev/null
	pids=()
}
aka="--k $k --opc $opc"
reg "aka" 0 challenge,registered,registered,deregistered "aka $k $opc 100 grant 1800" "$aka" "register; reregister; deregister"
wants log registered '"expires":1800' '"serviceRoute":["sip:orig@one.example;lr","sip:two.example;lr"]' '"tel:+49151"' \
	'"identity":"sip:+49151@fake.example"'
reg "tcp aka" 0 challenge,registered,deregistered "aka $k $opc 100" "$aka" "register; deregister"
reg "op instead of opc" 0 challenge,registered "aka $k $opc 100" "--k $k --op cdc202d5123e20f62b6d676ac72cb318" register
reg "SQN is off: AUTS" 0 challenge,resync,registered "aka $k $opc 100" "$aka --sqn 5000" "register"
wants log resync
reg "AUTN of another network" 1 challenge,"empty response" "aka $k $opc 100 wrong-mac" "$aka" register
wants log registration-failed '"status":403'
reg "wrong key" 1 challenge,"empty response" "aka $k $opc 100" "--k $opc --opc $k" register
reg "no Authorization first" 0 "challenge without authorization,registered" "aka $k $opc 100" "$aka --no-authorization" register
reg "digest MD5" 0 challenge,registered "digest MD5 secretword" "--password secretword" register
reg "digest SHA-256" 0 challenge,registered,registered "digest SHA-256 secretword" "--password secretword" "register; reregister"
reg "stale nonce" 0 challenge,stale,registered "digest MD5 secretword stale-once" "--password secretword" register
reg "wrong password" 1 challenge,"wrong answer" "digest MD5 other" "--password secretword" register
reg "AKA challenge, no card" 1 challenge "aka $k $opc 100" "--password secretword" register
reg "too brief" 0 challenge,"too brief",registered "aka $k $opc 100 min 600" "$aka --expires 60" register
wants log registered '"expires":600'
reg "nobody answers: 64*T1" 1 "" "aka $k $opc 100 deaf" "$aka --t1-ms 10" register
wants log registration-failed '"status":408'
reg "refresh at half time" 0 challenge,registered,registered "aka $k $opc 100 grant 2" "$aka" "register; wait registered; wait registering 5; wait registered 5"
reg "404 is reported" 1 challenge,registered "aka $k $opc 100" "$aka" "register; message +49123 text; options sip:a@b; call 110; wait call-failed"
wants log message-sent '"status":404' '"to":"tel:+49123"'
wants log call-failed '"status":404'
wants log calling '"to":"tel:110;phone-context=ims.mnc001.mcc001.3gppnetwork.org"'

# ---- calls: A 1.. calls B 2.. ----

# calls NAME "OPTIONS OF A" COMMANDS "OPTIONS OF B" COMMANDS
calls() {
	name=$1
	n=$((n + 1))
	local a=$net.$n b=$net.$((n + 100)) a_port=5060 b_port=5060 proto=udp bpid
	[[ $1 == tcp* ]] && proto=tcp
	[[ $1 == IPv6* ]] && a="[::1]" b="[::1]" a_port=$((50000 + RANDOM % 5000)) b_port=$((55000 + RANDOM % 5000))
	rm -f "$dir/a" "$dir/b"
	# shellcheck disable=SC2086
	phone b "$b:$b_port" "$proto:$a:$a_port" $aka $4 -e "$5" &
	bpid=$!
	for _ in $(seq 600); do grep -q '"ready"' "$dir/b" 2>/dev/null && break; sleep 0.05; done
	# shellcheck disable=SC2086
	phone a "$a:$a_port" "$proto:$b:$b_port" $aka $2 -e "$3" || { fail "$name: A"; cat "$dir/a"; }
	wait $bpid || { fail "$name: B"; cat "$dir/b"; }
}
B=sip:+4915100@ims.example
calls "preconditions" "" "call $B; wait answered; pause 0.5; hangup" "--ring-ms 50" "wait answered; wait ended"
wants a prack '"dir":"out"'
wants b prack '"dir":"in"'
wants a update '"dir":"out"' '"preconditionsMet":true'
wants b update '"dir":"in"' '"preconditionsMet":true'
wants b incoming '"precondition":true' '"ruri":"'$B'"'
for l in a b; do
	[ "$(grep -o '"rtpReceived":[0-9]*' "$dir/$l" | grep -o '[0-9]*$')" -gt 10 ] || { fail "$name: $l heard nothing"; cat "$dir/$l"; }
done
calls "preconditions at A only" "" "call $B; wait answered; hangup" "--ring-ms 0 --precond no" "wait answered; wait ended"
wants_not a update
calls "preconditions at B only" "--precond no" "call $B; wait answered; hangup" "--ring-ms 0" "wait answered; wait ended"
wants_not b prack
calls "tcp" "" "call $B; wait answered; hold; resume; message $B over tcp; hangup" "--ring-ms 0" "wait answered; wait ended"
wants b message-received '"text":"over tcp"'
calls "large requests over TCP" "--udp-max 1300 --trace" "call $B; wait answered; hangup" "--ring-ms 0" "wait answered; wait ended"
wants a sip '"summary":"INVITE ' '"peer":"tcp:'
wants a sip '"summary":"SIP/2.0 200 OK' '"peer":"tcp:'
wants a sip '"summary":"BYE ' '"peer":"udp:'
calls "IPv6" "" "call $B; wait answered; hangup" "--ring-ms 0" "wait answered; wait ended"
calls "B answers by hand, B ends" "" "call $B; wait ringing; wait answered; wait ended" "--answer manual" \
	"wait ringing; pause 0.1; answer; hangup"
wants a ended '"by":"remote"'
calls "B rejects by hand" "" "call $B; wait call-failed" "--answer manual" "wait ringing; reject 480"
wants a call-failed '"status":480'
calls "B rejects at once" "" "call $B; wait call-failed" "--answer 603" "wait ended"
wants a call-failed '"status":603'
calls "nobody lifts" "" "call $B; wait call-failed" "--answer manual --max-ring-s 1" "wait ended"
wants a call-failed '"status":480'
calls "A cancels" "" "call $B; wait ringing; cancel" "--answer manual" "wait ringing; wait ended"
wants a call-failed '"status":487'
wants b ended '"by":"remote"' '"status":487'
calls "hold by both, text, INFO, OPTIONS" "" "call $B; wait answered; hold; pause 0.2; resume; info; message $B in a call; wait held; wait resumed; hangup" \
	"--ring-ms 0" "wait answered; wait held; wait resumed; wait message-received; hold; resume; wait ended"
wants b held '"by":"remote"' '"direction":"recvonly"'
wants a held '"by":"remote"'
calls "OPTIONS, then nothing" "" "options $B" "" "pause 1"
wants a response '"status":200' '"method":"OPTIONS"'
# B is gone before it answers: the INVITE of A ends by timer B.
calls "nobody there: 64*T1" "--t1-ms 10" "pause 1.5; call $B; wait call-failed" "" "pause 1"
wants a call-failed '"status":408'

# ---- usage ----

name=usage
usage() {
	"$ue" "$@" >"$dir/out" 2>"$dir/err" </dev/null
	local rc=$?
	[ $rc = 64 ] && [ -s "$dir/err" ] && [ ! -s "$dir/out" ] || fail "usage $*: status $rc, $(cat "$dir/err")"
}
usage
usage --pcscf sctp:127.0.0.1:5060 --imsi 1 --mcc 001 --mnc 01 --password x
usage --pcscf udp:127.0.0.1:5060 --imsi 1 --password x
usage --pcscf udp:127.0.0.1:5060 --imsi 1 --mcc 001 --mnc 01
usage --pcscf udp:127.0.0.1:5060 --imsi 1 --mcc 001 --mnc 01 --k $k
usage --pcscf udp:127.0.0.1:5060 --imsi 1 --mcc 001 --mnc 01 --k 00 --opc $opc
usage --pcscf udp:127.0.0.1:5060 --imsi 1a --mcc 001 --mnc 01 --password x
usage --no-such-option
usage --pcscf
"$ue" --help >"$dir/out" || fail "--help"
grep -q -e --pcscf "$dir/out" || fail "--help says nothing"

# stdin that closes ends the program with 0; an unknown command is an event, not the end
printf 'nonsense\nwait nothing-ever 0\n' | timeout 10 "$ue" --pcscf udp:$net.1:5060 --imsi 1 --mcc 001 --mnc 01 --password x >"$dir/log"
[ $? = 1 ] || fail "a wait that fails ends the program with 1"
wants log error "no such command"
wants log timeout '"waitedFor":"nothing-ever"'
timeout 10 "$ue" --pcscf udp:$net.1:5060 --imsi 1 --mcc 001 --mnc 01 --password x </dev/null >"$dir/log" || fail "end of stdin"
exit $failed
