#!/bin/sh
# Who is a subscriber and who is registered cannot be learned from outside, neither by status nor by time (SEC-06).
exec python3 -B "$(dirname "$0")/enumeration.py" "$1" 127.0.132 2
