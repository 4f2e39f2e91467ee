#!/bin/sh
# 10,000 subscribers registered, listed, de-registered, and the memory back; fewer under a sanitizer, whose memory says nothing.
exec python3 -B "$(dirname "$0")/many.py" "$1" 127.0.87 2
