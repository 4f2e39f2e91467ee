#!/bin/sh
# What operators ask of a core that works: connections, pings, DNS, peers, bundles, profiles, routing, bans.  Rows O1, O2, D15, S17; U7.
exec python3 -B "$(dirname "$0")/management.py" "$1" 127.0.166
