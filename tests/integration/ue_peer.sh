#!/usr/bin/env bash
# tests/integration/ue_peer.sh BUILD_DIR - the simulated phone against a scripted far end that loses, repeats and forges.
set -u
build=$(realpath "${1:?build folder}")
[ -x "$build/tests/ue/imsue" ] || { echo "imsue is not built"; exit 77; }
exec python3 -B "$(dirname "$0")/ue_peer.py" "$build/tests/ue/imsue"
