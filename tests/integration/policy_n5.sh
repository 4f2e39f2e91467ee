#!/bin/sh
# Policy control over N5: the same as policy.sh against a PCF over HTTP/2, and what only N5 has: discovery, binding, SCP, tokens, GOAWAY.
exec python3 -B "$(dirname "$0")/policy.py" "$1" 127.0.113 2 n5
