#!/bin/sh
# The HSS is paused or killed under a crowd that registers and calls, with and without another one to take over.
exec python3 -B "$(dirname "$0")/hss_storm.py" "$1" 127.0.109 1
