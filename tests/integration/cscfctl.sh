#!/bin/sh
# cscfctl against real daemons: every verb, JSON and tables, exit status, ladder of a call.  Rows U6, U12, O1, O7.
exec python3 -B "$(dirname "$0")/cscfctl.py" "$1" 127.0.151
