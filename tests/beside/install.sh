#!/bin/sh
# Installs the Debian packages that it is given for suites and benches, which run them themselves: none of their services is started now, or at the next boot.
set -eu

missing=""
for package in "$@"; do
	[ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" != 0 ]; then
	echo "the bench needs the Debian packages$missing; as root it installs them" >&2
	exit 1
fi

enabled() { systemctl list-unit-files --state=enabled --no-legend 2>/dev/null | awk '{print $1}' | sort; }

work=$(mktemp -d)
policy=/usr/sbin/policy-rc.d
made=""
trap '[ -z "$made" ] || rm -f "$policy"; rm -rf "$work"' EXIT
if [ ! -e "$policy" ]; then # Debian's own switch for "start nothing while packages are installed"
	printf '#!/bin/sh\nexit 101\n' >"$policy"
	chmod 755 "$policy"
	made=yes
fi

enabled >"$work/before"
apt-get update -qq
# shellcheck disable=SC2086
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing
enabled >"$work/after"
for unit in $(comm -13 "$work/before" "$work/after"); do
	systemctl disable "$unit"
done
