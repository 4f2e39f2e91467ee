#!/bin/sh
# TCP as it should not be: single octets, 64,000 segments, resets, a peer that never reads, thousands of idle connections.
exec python3 -B "$(dirname "$0")/streams.py" "$1" 127.0.95
