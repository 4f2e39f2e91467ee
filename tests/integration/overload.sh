#!/bin/sh
# A P-CSCF under five times its load, scanned, and aimed at others (rows C18, X10).
[ -n "$CSCF_LOAD_TESTS" ] || { echo "a load test, for an idle machine: set CSCF_LOAD_TESTS=1"; exit 77; }
exec python3 -B "$(dirname "$0")/overload.py" "$1" 127.0.97
