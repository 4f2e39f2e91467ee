#!/bin/sh
# A kill is a non-event: each daemon, and all of them, killed under calls.
exec python3 -B "$(dirname "$0")/restart.py" "$1" 127.0.119 4
