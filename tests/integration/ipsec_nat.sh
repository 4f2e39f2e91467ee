#!/bin/sh
# Phones behind a NAT: ESP within UDP, with the kernel's own NAT between them and the P-CSCF (row P23; TS 33.203 annex M).
exec "$(dirname "$0")/ipsec.sh" "$1" "P23 "
