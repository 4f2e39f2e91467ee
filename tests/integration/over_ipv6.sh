#!/bin/sh
# What runs over IPv4 in other scripts once more over IPv6, as it stands: calls between SIPp phones and what bare ones try.
unshare -n true 2>/dev/null || { echo "no network namespace can be made here (needs root)"; exit 77; }
[ "$(cat /proc/sys/net/ipv6/conf/all/disable_ipv6 2>/dev/null)" = 0 ] || { echo "this kernel has no IPv6"; exit 77; }
command -v ip >/dev/null || { echo "ip is not installed (package iproute2)"; exit 77; }
grep -q '^SAN_CFLAGS = *-fsanitize=thread' "$1/Makefile" && { echo "no thread does anything else than over IPv4"; exit 77; }
here=$(dirname "$0") build=$1
[ "${CSCF_IP6:-}" ] || exec unshare -n env CSCF_IP6=fd00:79:: "$0" "$@"

# freeDiameter does not start on a host that has nothing but a loopback.
ip link set lo up && ip link add br0 type bridge && ip addr add 192.0.2.1/24 dev br0 && ip link set br0 up || exit 1
for host in $(seq 1 254); do
	echo "addr add $CSCF_IP6$host/128 dev lo nodad"
done | ip -6 -batch - || exit 1

# over_ipv6.sh BUILD [SCRIPT WORKERS]: all of them, or that one.
failed=0
run() {
	echo "# $1"
	python3 -B "$here/$1.py" "$build" "$2" "$3" || failed=1
}
if [ "${2:-}" ]; then
	run "$2" 127.0.161 "${3:-1}"
	exit $failed
fi
run flows 127.0.161 1
run sessions 127.0.162 2
run refusals 127.0.163 2
run access 127.0.164 3
run clients 127.0.165 4
exit $failed
