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

# use DIR: of the cache, which stays until this script and all that it started
# have ended. Fails if it is not there any more, or another one is.
use() {
	local handle

	exec {handle}<"$1" || return
	flock -s "$handle" && [ "$1" -ef "/proc/self/fd/$handle" ]
}

# use_printed COMMAND...: sets used to the directory that it prints, in use
use_printed() {
	used=$("$@")
	until use "$used" 2>/dev/null; do
		used=$("$@")
	done
}

# kernel_named NAME FILE: the line of FILE about it. A kernel is called by what
# it is; a version is one that this has to be.
kernel_named() {
	local name=$1 series='' line

	case $name in
	6.12) name=stable series=6.12 ;;
	7.x | 7.2) name=backports series=7 ;;
	esac
	line=$(grep "^$name " "$2") || die "no such kernel: $1"
	case $line in
	"$name ${series:+$series.}"*) echo "$line" ;;
	*) die "no kernel $1: $line" ;;
	esac
}

# find_kernel NAME [ROOT]: sets base (the directory of ROOT or of base), abi,
# image, kdir (its build directory in the base root) and bind (what that needs
# at /cache there)
# shellcheck disable=SC2034 # for the scripts that ask
find_kernel() {
	local label='' kernel

	use_printed "$vm/root" "${2-base}"
	base=$used
	if [ "$1" = debug ] || [ "$1" = uml ]; then
		use_printed "$vm/$1-kernel"
		bind=$used
		abi=$(cat "$bind/abi")
		image=$bind/vmlinuz
		kdir=/cache/build
		return
	fi
	kernel=$(kernel_named "$1" "$base/kernels")
	read -r label abi _ <<<"$kernel"
	bind=''
	image=$base/vmlinuz-$label
	kdir=/lib/modules/$abi/build
}

# hash: the first digits are enough for a name
short_hash() { sha256sum | cut -c1-12; }

# list DIR: of a directory in the cache, all but the contents of its files
list() {
	(set -o pipefail
	cd "$1" && as_root find . -mindepth 1 -mount ! -path ./manifest \
		-printf '%P %y %s %U %Ts\n' | sort)
}

# intact DIR: was it finished, and is it still what it was? That this could not
# be looked at is no damage.
intact() {
	local sum

	[ -s "$1/manifest" ] || return
	sum=$(set -o pipefail; list "$1" | sha256sum) ||
		die "cannot look through $1"
	[ "$sum" != "$(cat "$1/manifest")" ] || return 0
	say "not what was built (<) any more (>):"
	list "$1" | diff "$1.list" - 2>&1 | grep '^[<>d]' | head -n 10 >&2
	return 1
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
	use "$work"
	chmod 755 "$work"
	trap 'remove "$work"' EXIT
	trap 'exit 143' TERM
	trap 'exit 130' INT
}

# set_aside DIR: take its name from it, and print the new one. Those that use it
# keep it.
set_aside() {
	local old

	old=$(mktemp -d "$cache/old.XXXXXX")
	mv -T "$1" "$old"
	echo "$old"
}

# publish DIR: what is in the cache under its final name is complete
publish() {
	list "$work" >"$1.list"
	sha256sum <"$1.list" >"$work/manifest"
	[ ! -e "$1" ] || set_aside "$1" >/dev/null
	mv -T "$work" "$1"
}

# forget DIR...: remove those that are not in use. One whose removal is cut off
# has lost its name before.
forget() {
	local dir old

	for dir; do
		old=$(exec 8<"$dir" && flock -n 8 && set_aside "$dir") ||
			continue
		rm -f "$dir.list"
		remove "$old"
	done
}

# The manifest's age says when a directory was last asked for; a run that was
# cut off leaves its files.
forget_old() {
	local found

	mapfile -t found < <(
		find "$cache" -mindepth 2 -maxdepth 2 -name manifest \
			-mtime +30 -printf '%h\n'
		find "$cache" -maxdepth 1 -name 'old.*'
		find "$cache" -maxdepth 1 '(' -name 'run.*' -o -name 'tmp.*' \
			')' -mtime +1)
	forget "${found[@]}"
}
