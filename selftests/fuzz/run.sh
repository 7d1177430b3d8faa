#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# run.sh OBJ SECONDS TARGET...: each fuzz target in turn for its share of
# SECONDS, from its seeds and from what earlier runs have found; TAP on stdout.
# What a target finds wrong is kept in OBJ/found. FUZZ_OPTIONS are more options
# of libFuzzer, FUZZ_SUITE is the name of the suite.
set -eu

obj=$1 seconds=$2
shift 2
share=$((seconds / $#))
[ "$share" -gt 0 ] || share=1

n=0 failed=0
mkdir -p "$obj/found" "$obj/log"
echo "TAP version 13"
echo "1..$#"
for target; do
	n=$((n + 1))
	mkdir -p "$obj/corpus/$target"
	log=$obj/log/$target
	verdict=ok
	# shellcheck disable=SC2086 # words
	"$obj/fuzz_$target" -max_total_time="$share" -timeout=10 \
		-max_len=600 -len_control=20 -print_final_stats=1 \
		${FUZZ_OPTIONS-} \
		-artifact_prefix="$obj/found/$target-" \
		"$obj/corpus/$target" "$obj/seeds/$target" >"$log" 2>&1 ||
		verdict="not ok"
	runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
	[ "${runs:-0}" -gt 0 ] || verdict="not ok"
	if [ "$verdict" != ok ]; then
		failed=1
		sed -n -e '/^INFO/d' -e '/^#[0-9]/d' -e 's/^/# /p' "$log"
	fi
	echo "$verdict $n - ${FUZZ_SUITE-fuzz}.$target" \
		"(${runs:-0} runs in $share s)"
done
exit "$failed"
