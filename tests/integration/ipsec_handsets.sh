#!/bin/sh
# What handsets do that needs security associations, row by row (README.md: which handset where).
exec "$(dirname "$0")/ipsec.sh" "$1" "handset "
