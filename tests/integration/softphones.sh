#!/bin/sh
# Twinkle, baresip and linphone register and call through the core, headless and without special settings.
exec python3 -B "$(dirname "$0")/softphones.py" "$1" 127.0.88 2
