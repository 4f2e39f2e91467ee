#!/bin/sh
# What only N5 has: streams that break, GOAWAY, redirects, and the ways to a PCF: NRF with tokens, BSF, SCP.
exec python3 -B "$(dirname "$0")/n5_core.py" "$1" 127.0.114 2
