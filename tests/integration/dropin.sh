#!/bin/sh
# deploy/: unit files, and the container's entry point in the places of docker_open5gs' three CSCFs, in a network namespace of its own.
unshare -n true 2>/dev/null || { echo "no network namespace can be made here (needs root)"; exit 77; }
command -v ip >/dev/null || { echo "ip is not installed (package iproute2)"; exit 77; }
command -v dnsmasq >/dev/null || { echo "dnsmasq is not installed (package dnsmasq-base)"; exit 77; }
exec unshare -n python3 -B "$(dirname "$0")/dropin.py" "$1"
