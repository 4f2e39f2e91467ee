#!/bin/sh
# A rolling restart: each daemon drains, stops and comes back while a crowd registers and calls.
exec python3 -B "$(dirname "$0")/restart_load.py" "$1" 127.0.122 2 drain
