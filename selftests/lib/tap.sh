# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Results in TAP, and waiting for events. Sourced.

number=0 failed=0
exec 3>&1

result() {
	number=$((number + 1))
	if [ "$1" = 0 ]; then
		echo "ok $number $2"
	else
		failed=$((failed + 1))
		echo "not ok $number $2"
	fi
}

# check NAME COMMAND...: its output is shown if it fails. Under set -e a function
# ends at the first command that fails.
check() {
	local name=$1 status log options=${-//[!e]/}

	shift
	set +e
	log=$([ -z "$options" ] || set -e; "$@" 2>&1)
	status=$?
	[ -z "$options" ] || set -e
	[ $status = 0 ] || printf '%s\n' "$log" | sed 's/^/#   /'
	result $status "$name"
}

# watch NAME COMMAND...: its output is shown as it comes, as it takes minutes
watch() {
	local name=$1 status=0 start=$SECONDS

	shift
	"$@" 2>&1 | sed -u 's/^/#   /' || status=$?
	echo "#   $((SECONDS - start)) s"
	result $status "$name"
}

finish() {
	echo "1..$number"
	[ $failed = 0 ]
}

# eventually COMMAND...: look for as long as ten times what it should take
eventually() {
	local i

	for i in $(seq 600); do
		"$@" && return
		sleep 0.1
	done
	echo "not in $((i / 10)) s: $*"
	return 1
}

# Findings on stdin; none is good.
none() { ! grep .; }
