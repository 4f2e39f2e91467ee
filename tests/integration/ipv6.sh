#!/bin/sh
# A whole core over IPv6, with phones of both families, in a network namespace of its own.
unshare -n true 2>/dev/null || { echo "no network namespace can be made here (needs root)"; exit 77; }
[ "$(cat /proc/sys/net/ipv6/conf/all/disable_ipv6 2>/dev/null)" = 0 ] || { echo "this kernel has no IPv6"; exit 77; }
command -v ip >/dev/null || { echo "ip is not installed (package iproute2)"; exit 77; }
exec unshare -n python3 -B "$(dirname "$0")/ipv6.py" "$1" 127.0.97 fd00:77::
