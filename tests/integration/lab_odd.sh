#!/usr/bin/env bash
# tests/integration/lab_odd.sh BUILD_DIR - labs that are not as usual: a foreign HSS, not root, interrupted, a daemon that dies,
# a configuration that is refused.
set -u
build=$(realpath "${1:?build folder}")
top=$(cd "$(dirname "$0")/../.." && pwd)
[ -x "$build/pcscf/pcscfd" ] && [ -x "$build/tests/ue/imsue" ] || { echo "the daemons are not built"; exit 77; }
lab=$top/deploy/lab/lab
net=127.$((RANDOM % 100 + 100)).$((RANDOM % 250 + 1))
domain=ims.mnc001.mcc001.3gppnetwork.org
work=$(mktemp -d)
chmod 755 "$work"
hss=
cleanup() {
	[ -z "$hss" ] || kill "$hss" 2>/dev/null
	"$lab" down --dir "$work/lab" >/dev/null 2>&1
	rm -rf "$work"
}
trap cleanup EXIT
fail() {
	echo "FAILED: $*"
	exit 1
}
# left DIR: no process that names DIR is left
left() {
	local p
	for p in $(grep -l -s -a -F "$1/" /proc/[0-9]*/cmdline); do
		[ ! -e "$p" ] || fail "a process is left: $(tr '\0' ' ' <"$p")"	# what is gone was the grep itself
	done
}
# await COMMAND...: until it succeeds, forty seconds at most
await() {
	local i
	for i in $(seq 400); do
		"$@" >/dev/null 2>&1 && return 0
		sleep 0.1
	done
	return 1
}

# A HSS that the lab did not start, with subscribers of its own.
port=$((RANDOM % 500 + 15000))
cat >"$work/subscribers.yaml" <<END
- {imsi: "001010000000901", msisdn: "4915100901", k: 465b5ce8b199b49faa5f0a2ee238a6bc, opc: cd63cb71954a9f4e48a5994e37a02baf}
- {imsi: "001010000000902", msisdn: "4915100902", k: fec86ba6eb707ed08905757b1bb44b8f, opc: 1006020f0a478bf6b699f15c062e42b3}
END
cat >"$work/hss.yaml" <<END
plmn: {mcc: "001", mnc: "01"}
diameter: {identity: foreign.$domain, listen: "127.0.0.1:$port"}
state: {dir: $work/hss-state}
subscribers_file: $work/subscribers.yaml
END
"$build/tests/hss/labhssd" -c "$work/hss.yaml" 2>"$work/hss.log" &
hss=$!
await grep -q " ready" "$work/hss.log" || fail "the foreign HSS: $(cat "$work/hss.log")"
"$lab" demo --net "$net" --build "$build" --dir "$work/demo" --hold 0.5 --hss "foreign.$domain@127.0.0.1:$port" \
	--subscribers "$work/subscribers.yaml" >"$work/out" 2>&1 || { cat "$work/out"; fail "a foreign HSS"; }
kill -0 "$hss" || fail "the lab stopped a HSS that was not its own"
left "$work/demo"

# The HSS is gone: not ready, with the reason, and nothing is left running.
kill "$hss"
wait "$hss"
hss=
"$lab" up --net "$net" --build "$build" --dir "$work/lab" --wait 1 --hss "foreign.$domain@127.0.0.1:$port" \
	--subscribers "$work/subscribers.yaml" >"$work/out" 2>&1 && fail "a core without its HSS counts as up"
grep -q "is not ready after 1 s: no Diameter peer is open: foreign.$domain" "$work/out" || { cat "$work/out"; fail "the reason is not said"; }
left "$work/lab"
"$lab" down --dir "$work/lab" >/dev/null || fail "down after a start without the HSS"

# Interrupted in the middle of a call.
"$lab" demo --net "$net" --build "$build" --dir "$work/demo2" --hold 60 >"$work/out" 2>&1 &
demo=$!
await grep -q "answered after" "$work/out" || { cat "$work/out"; fail "no call"; }
kill -INT "$demo"
wait "$demo"
[ $? = 130 ] || fail "an interrupted demo ends with another status than 130"
left "$work/demo2"

# A daemon dies: status says so, down still cleans up.
"$lab" up --net "$net" --build "$build" --dir "$work/lab" >"$work/out" || fail "up"
python3 -c 'import json, os, sys; os.kill(json.load(open(sys.argv[1]))["pids"]["icscf"], 9)' "$work/lab/lab.json"
"$lab" status --dir "$work/lab" >"$work/out" && fail "status is content although a daemon is dead"
grep -q "icscf .*NOT READY: the process is gone" "$work/out" || fail "status does not say which: $(cat "$work/out")"
"$lab" down --dir "$work/lab" >"$work/out"
grep -q "icscf  *was gone already" "$work/out" || fail "down does not say what it found: $(cat "$work/out")"
[ ! -e "$work/lab" ] || fail "down leaves files"
left "$work/lab"

# A configuration that the daemon refuses: up fails with the daemon's own words, and nothing runs.
echo 'registrar: {defualt_expires_s: 5}' >"$work/bad.yaml"
"$lab" up --net "$net" --build "$build" --dir "$work/lab" --extra scscf="$work/bad.yaml" >"$work/out" 2>&1 && fail "a bad configuration is taken"
grep -q "scscf did not start, exit status 78" "$work/out" && grep -q "defualt_expires_s" "$work/out" || fail "the mistake is not shown: $(cat "$work/out")"
left "$work/lab"
"$lab" down --dir "$work/lab" >/dev/null || fail "down after a start that failed"

# Not root: no port 53, said in words, and a core all the same.
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
	mkdir -m 777 "$work/user"
	run() { (cd / && HOME=/ setpriv --reuid=65534 --regid=65534 --clear-groups "$@"); }
	if [ "$(cat /proc/sys/net/ipv4/ip_unprivileged_port_start)" -gt 53 ] && run test -x "$build/pcscf/pcscfd" && run test -r "$lab"; then
		run "$lab" demo --net "$net" --build "$build" --dir "$work/user/demo" --hold 0.5 >"$work/out" 2>&1 || { cat "$work/out"; fail "not root"; }
		grep -q "no DNS server: .*Permission denied" "$work/out" || fail "not root: nothing is said about DNS: $(cat "$work/out")"
		left "$work/user"
	fi
fi
exit 0
