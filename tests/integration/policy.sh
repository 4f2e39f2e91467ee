#!/bin/sh
# Policy control over Rx: the order of SDP, AAR, AAA and alerting, changes, forks, every end, and a PCRF that misbehaves.
exec python3 -B "$(dirname "$0")/policy.py" "$1" 127.0.112 2 rx
