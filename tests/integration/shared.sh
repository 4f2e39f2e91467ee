#!/bin/sh
# Two S-CSCFs that share registrations by Redis.
exec python3 -B "$(dirname "$0")/shared.py" "$1" 127.0.123 2
