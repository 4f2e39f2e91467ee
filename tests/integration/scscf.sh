#!/bin/sh
# The real scscfd and a real HSS process: registrations, what the HSS pushes, its faults, everything at once.
exec python3 -B "$(dirname "$0")/scscf.py" "$1"
