#!/bin/sh
# The web console in headless Chromium: sign in, a live call's ladder, de-registration, by keyboard, on a phone.  Row O9.
top=$(cd "$(dirname "$0")/../.." && pwd)
export CSCF_NPM="${CSCF_NPM:-$top/build-npm}" CSCF_CHROMIUM="${CSCF_CHROMIUM:-$(command -v chromium)}"
[ -x "$CSCF_CHROMIUM" ] || { echo "chromium is not installed (package chromium)"; exit 77; }
command -v node >/dev/null || { echo "node is not installed (package nodejs)"; exit 77; }
[ -d "$CSCF_NPM/node_modules/playwright-core" ] || { echo "playwright-core is not in $CSCF_NPM (tests/npm/install $CSCF_NPM)"; exit 77; }
exec python3 -B "$(dirname "$0")/console.py" "$1" 127.0.157
