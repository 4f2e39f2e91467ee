#!/bin/sh
# Calls between SIPp phones, UDP and TCP, with 1 worker in each daemon.
exec python3 -B "$(dirname "$0")/flows.py" "$1" 127.0.81 1
