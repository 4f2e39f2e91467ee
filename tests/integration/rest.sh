#!/bin/sh
# REST of a daemon: roles, TLS and client certificates, unix socket, limits, audit, configuration, log levels.  Rows O1-O3, U7, U14.
exec python3 -B "$(dirname "$0")/rest.py" "$1" 127.0.153
