#!/bin/sh
# The first-hour failures, provoked with real processes: the first sentence of cscfctl explain names the cause.  Goal U4.
exec python3 -B "$(dirname "$0")/explain.py" "$1" 127.0.152
