#!/bin/sh
# RFC 3263 with real sockets: dead, refusing and unavailable next hops, thin DNS, DNS down, TCP for large requests.
exec python3 -B "$(dirname "$0")/nexthop.py" "$1" 127.0.99
