#!/bin/sh
# Phones and core nodes that speak TLS: registration and calls, certificates that change, and what has no business on these ports.
command -v openssl >/dev/null || { echo "openssl is not installed (package openssl)"; exit 77; }
exec python3 -B "$(dirname "$0")/tls.py" "$1" 127.0.108
