#!/bin/sh
# Phones with IPsec against a whole core, in a kernel that has ESP (tests/kernel/run): a namespace per phone, one for the core.
dir=$(cd "$(dirname "$0")" && pwd)
case $1 in
*/asan | */tsan)
	echo "user-mode-linux has no room for a sanitizer's address space"
	exit 77
	;;
esac
if [ -z "$IN_TEST_KERNEL" ]; then
	"$dir/../kernel/run" -t 20 true || {
		echo "no kernel with ESP: user-mode-linux does not start here"
		exit 77
	}
	exec "$dir/../kernel/run" -t 540 -n ue1,ue2,core "$0" "$@"
fi
exec python3 -B "$dir/ipsec.py" "$@"
