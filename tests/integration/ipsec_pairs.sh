#!/bin/sh
# Every algorithm pair from end to end.
exec "$(dirname "$0")/ipsec.sh" "$1" "pair "
