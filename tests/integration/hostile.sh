#!/bin/sh
# Messages that are wrong on purpose (tests/corpus), lies in every spelling and very long names, against each running daemon.
LSAN_OPTIONS="suppressions=$(dirname "$0")/freediameter.supp:print_suppressions=0"
export LSAN_OPTIONS
exec python3 -B "$(dirname "$0")/hostile.py" "$1" 127.0.94
