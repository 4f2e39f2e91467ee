#!/bin/sh
# Memory that is not there: the unit tests with the n-th allocation failing, then the daemons with every n-th one failing (REG-06, F11).
# The preloaded allocator and a sanitizer's exclude each other, so the plain build alone runs it.
case $(basename "$(realpath "$1")") in *san) echo "not with a sanitizer's allocator"; exit 77 ;; esac
# tests/transaction/test_layer does not end within its time when its 4th allocation fails.  Not understood yet.
[ -n "$CSCF_OOM" ] || { echo "one unit test does not end without memory yet: set CSCF_OOM=1"; exit 77; }
here=$(dirname "$0")
python3 -B "$here/../oom/sweep.py" "$1" --seconds "${OOM_SECONDS:-45}" || exit
exec python3 -B "$here/oom.py" "$1" 127.0.92
