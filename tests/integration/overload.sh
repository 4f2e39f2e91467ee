#!/bin/sh
# A P-CSCF under five times its load, scanned, and aimed at others (rows C18, X10).
exec python3 -B "$(dirname "$0")/overload.py" "$1" 127.0.97
