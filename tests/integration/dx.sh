#!/bin/sh
# A SLF that redirects (Dx): registrations and calls find the HSS behind it, and the way is remembered.
exec python3 -B "$(dirname "$0")/dx.py" "$1" 127.0.113 1
