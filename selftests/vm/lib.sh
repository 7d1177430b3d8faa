# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# What the scripts of the test machine share. Sourced, never run.

export LC_ALL=C
vm=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=$(cd "$vm/../.." && pwd)
cache=${WS_ULP_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/ws_ulp}

say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }
die() { say "$@"; exit 1; }

# The roots belong to root, whoever builds them.
sudo=(sudo --)
[ "$(id -u)" != 0 ] || sudo=()
as_root() { "${sudo[@]}" "$@"; }

# A half-built root has no mounts left in it, but a mistake here would be dear.
remove() { as_root rm -rf --one-file-system -- "$@"; }

# find_kernel NAME [ROOT]: sets base (the directory of ROOT or of base), abi,
# image, kdir (its build directory in the base root) and bind (what that needs
# at /cache there)
# shellcheck disable=SC2034 # for the scripts that ask
find_kernel() {
	base=$("$vm/root" "${2-base}")
	if [ "$1" = debug ]; then
		bind=$("$vm/debug-kernel")
		abi=$(cat "$bind/abi")
		image=$bind/vmlinuz
		kdir=/cache/build
		return
	fi
	abi=$(awk -v name="$1" '$1 == name { print $2 }' "$base/kernels")
	[ -n "$abi" ] || die "no such kernel: $1"
	bind=''
	image=$base/vmlinuz-$1
	kdir=/lib/modules/$abi/build
}

# hash: the first digits are enough for a name
short_hash() { sha256sum | cut -c1-12; }

# manifest DIR: of a directory in the cache, all but the contents of its files
manifest() {
	(cd "$1" && as_root find . -mindepth 1 -mount ! -path ./manifest \
		-printf '%P %y %s %U %Ts\n' | sort | sha256sum)
}

# intact DIR: was it finished, and is it still what it was?
intact() {
	[ -s "$1/manifest" ] && [ "$(manifest "$1")" = "$(cat "$1/manifest")" ]
}

# lock NAME: what is in the cache is built by one at a time
lock() {
	mkdir -p "$cache"
	exec 9>"$cache/$1.lock"
	flock -w 2 9 || { say "$1: waiting for another build"; flock 9; }
}

# A directory of its own for each attempt: one that was cut off may still be
# written to.
begin() {
	work=$(mktemp -d "$cache/tmp.XXXXXX")
	chmod 755 "$work"
	trap 'remove "$work"' EXIT
	trap 'exit 143' TERM
	trap 'exit 130' INT
}

# publish DIR: what is in the cache under its final name is complete
publish() {
	local sum

	sum=$(manifest "$work")
	echo "$sum" >"$work/manifest"
	remove "$1"
	mv "$work" "$1"
}

# The manifest's age says when a directory was last asked for; a run that was
# cut off leaves its files.
forget_old() {
	local old

	find "$cache" -mindepth 2 -maxdepth 2 -name manifest -mtime +30 |
	while read -r old; do
		remove "${old%/manifest}"
	done
	find "$cache" -maxdepth 1 '(' -name 'run.*' -o -name 'tmp.*' ')' \
		-mtime +1 |
	while read -r old; do
		remove "$old"
	done
}
