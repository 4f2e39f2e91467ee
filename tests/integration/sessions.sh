#!/bin/sh
# The S-CSCF's call path with real daemons: dialled numbers, ways out of the IMS, who may come in, a S-CSCF that was killed.
exec python3 -B "$(dirname "$0")/sessions.py" "$1" 127.0.32 2
