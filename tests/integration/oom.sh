#!/bin/sh
# Memory that is not there: the unit tests with the n-th allocation failing, then the daemons with every n-th one failing (REG-06, F11).
# The preloaded allocator and a sanitizer's exclude each other, so the plain build alone runs it.
case $(basename "$(realpath "$1")") in *san) echo "not with a sanitizer's allocator"; exit 77 ;; esac
here=$(dirname "$0")
python3 -B "$here/../oom/sweep.py" "$1" --seconds "${OOM_SECONDS:-30}" || exit
exec timeout -k 10 600 python3 -B "$here/oom.py" "$1" 127.0.92
