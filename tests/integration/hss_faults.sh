#!/bin/sh
# The HSS is down, silent, slow or talks nonsense; the daemons start without it and recover by themselves.
exec python3 -B "$(dirname "$0")/hss_faults.py" "$1" 127.0.85 1
