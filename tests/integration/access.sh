#!/bin/sh
# What the P-CSCF does for and against its phones: emergency calls, release by the network, what phones see of the core.
exec python3 -B "$(dirname "$0")/access.py" "$1" 127.0.117 3
