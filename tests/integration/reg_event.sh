#!/bin/sh
# The reg event package between real daemons: phone and P-CSCF hear what the S-CSCF does to a registration.
exec python3 -B "$(dirname "$0")/reg_event.py" "$1" 127.0.107 4
