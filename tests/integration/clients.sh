#!/bin/sh
# What real user agents do that breaks other cores, eleven points, by phones that do just that.
exec python3 -B "$(dirname "$0")/clients.py" "$1" 127.0.86 4
