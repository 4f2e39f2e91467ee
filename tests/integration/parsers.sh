#!/bin/sh
# What other SIP parsers (libosip2, Sofia-SIP) read from the messages of tests/corpus, and what we do: REG-15.
here=$(dirname "$0")
exec python3 -B "$here/../corpus/differ.py" "$1" "$here/../corpus/differences"
