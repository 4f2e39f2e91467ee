#!/bin/sh
# The same users register and de-register at the same time, while HSS and REST take registrations away (REG-03).
exec python3 -B "$(dirname "$0")/storm.py" "$1" 127.0.93
