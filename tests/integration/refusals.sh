#!/bin/sh
# What must be refused, stripped or survived: identities, keys, forged headers, broken messages, REST misuse.
exec python3 -B "$(dirname "$0")/refusals.py" "$1" 127.0.84 2
