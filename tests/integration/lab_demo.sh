#!/usr/bin/env bash
# tests/integration/lab_demo.sh BUILD_DIR - `lab demo` with a build: UDP and TCP phones, one worker and four, a core without DNS.
# The demo judges itself from what the phones and REST saw; here its exit status, its JSON and its silence afterwards count.
set -u
build=$(realpath "${1:?build folder}")
top=$(cd "$(dirname "$0")/../.." && pwd)
[ -x "$build/pcscf/pcscfd" ] && [ -x "$build/tests/ue/imsue" ] || { echo "the daemons are not built"; exit 77; }
net=127.$((RANDOM % 100 + 100)).$((RANDOM % 250 + 1))
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
rc=0

# demo NAME OPTIONS...
demo() {
	local name=$1
	shift
	if ! "$top/deploy/lab/lab" demo --net "$net" --build "$build" --dir "$dir/$name" --hold 1 --json "$@" >"$dir/$name.json"; then
		echo "FAILED: $name"
		rc=1
	fi
	python3 -c 'import json, sys; d = json.load(open(sys.argv[1])); assert d["ok"] and len(d["checks"]) > 30' "$dir/$name.json" ||
		{ echo "FAILED: $name: the verdict as JSON"; rc=1; }
	for p in $(grep -l -s -a -F "$dir/$name/" /proc/[0-9]*/cmdline); do
		[ -e "$p" ] || continue			# the grep itself
		echo "FAILED: $name: a process is left: $(tr '\0' ' ' <"$p")"
		rc=1
	done
}

demo udp
demo tcp --proto tcp --workers 4
demo nodns --no-dns
exit $rc
