#!/bin/sh
# The real icscfd between real sockets and a real HSS process: answers, silence, loss and return of the HSS, S-CSCFs that fail.
exec python3 -B "$(dirname "$0")/icscf.py" "$1"
