#!/bin/sh
# A rough network, and a thousand reloads, under a crowd.
exec python3 -B "$(dirname "$0")/faults.py" "$1" 127.0.124 2
