#!/bin/sh
# Application servers behind the S-CSCF with real daemons: chains, default handling, third-party registration, SMS over IP.
exec python3 -B "$(dirname "$0")/services.py" "$1" 127.0.106 2
