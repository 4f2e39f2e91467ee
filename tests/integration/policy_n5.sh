#!/bin/sh
# Policy control over N5: the same as policy.sh against a PCF over HTTP/2.
exec python3 -B "$(dirname "$0")/policy.py" "$1" 127.0.113 2 n5
