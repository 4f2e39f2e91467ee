#!/bin/sh
# F4: the state file cut at every octet of its last 64 KiB.  The store starts, gives back nothing that was not put, and takes changes.
# With sanitizers at every 16th octet: a crash costs them a report each.
build=$1
test=$build/tests/store/test_damaged
[ -x "$test" ] || { echo "tests/store/test_damaged is not built (make check)"; exit 77; }
lanes=$(nproc) every=1
grep -q '^SAN_CFLAGS = *-fsanitize' "$build/Makefile" && every=16
TMPDIR=$(mktemp -d /dev/shm/cscf-cut-XXXXXX 2>/dev/null || mktemp -d) || exit 1
export TMPDIR
trap 'rm -rf "$TMPDIR"' EXIT
k=0 pids=
while [ $k -lt "$lanes" ]; do
	# A multiplier, since Check stops a test after a minute; what tests/run gives a script is the limit.
	CK_TIMEOUT_MULTIPLIER=15 CSCF_TEST_EVERY_BYTE=$((k * every))/$((lanes * every)) "$test" >"$TMPDIR/$k.log" 2>/dev/null &
	pids="$pids $!" k=$((k + 1))
done
bad=0
for p in $pids; do wait "$p" || bad=1; done
grep -h -E 'cuts in the last|:[FE]:' "$TMPDIR"/*.log
if [ $bad = 0 ]; then echo "ok - F4 a cut at every octet"; else echo "not ok - F4 a cut at every octet: see above"; fi
exit $bad
