#!/bin/sh
# Media through a real rtpengine: phones of both families and behind a NAT, changes, forks, every end, a relay that dies.
unshare -n true 2>/dev/null || { echo "no network namespace can be made here (needs root)"; exit 77; }
[ "$(cat /proc/sys/net/ipv6/conf/all/disable_ipv6 2>/dev/null)" = 0 ] || { echo "this kernel has no IPv6"; exit 77; }
command -v ip >/dev/null || { echo "ip is not installed (package iproute2)"; exit 77; }
command -v rtpengine >/dev/null || { echo "rtpengine is not installed (package rtpengine-daemon)"; exit 77; }
exec unshare -n python3 -B "$(dirname "$0")/media.py" "$1" 127.0.95 fd00:78::
