#!/bin/sh
# The API document of each daemon: two linters, every operation, every role, every error shape.  Row U7.
top=$(cd "$(dirname "$0")/../.." && pwd)
export CSCF_NPM="${CSCF_NPM:-$top/build-npm}"
exec python3 -B "$(dirname "$0")/openapi.py" "$1" 127.0.158
