#!/bin/sh
# What the SIP stack owes to its RFCs, on a whole core: own errors, dialogs, forks, session timers, hops, loops.
exec python3 -B "$(dirname "$0")/stack.py" "$1" 127.0.98 2
