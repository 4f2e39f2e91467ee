#!/bin/sh
# RFC 4475 and RFC 5118: every message, octet by octet, to each running daemon over UDP and over TCP.
exec python3 -B "$(dirname "$0")/torture.py" "$1" 127.0.92 127.0.93
