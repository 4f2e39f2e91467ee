#!/bin/sh
# What real handsets do, as far as it needs no IPsec: the table of README.md.
exec python3 -B "$(dirname "$0")/handsets.py" "$1" 127.0.131 2
