#!/bin/sh
# What an operator does with each daemon: check a configuration, start without a HSS, reload, stop; systemd's notifications.
exec python3 -B "$(dirname "$0")/daemons.py" "$1" 127.0.83
