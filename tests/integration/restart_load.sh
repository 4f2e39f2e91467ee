#!/bin/sh
# Each daemon, and all of them, killed while a crowd registers and calls.
exec python3 -B "$(dirname "$0")/restart_load.py" "$1" 127.0.121 2 kill
