#!/bin/sh
# Calls between SIPp phones, UDP and TCP, with 4 workers in each daemon.
exec python3 -B "$(dirname "$0")/flows.py" "$1" 127.0.82 4
