# SPDX-License-Identifier: GPL-2.0
# gcov -b's summary in, one line a file of the module out, and their sum.
# -v dir=DIRECTORY/ of the files that count

# "Word:95.00% of 40": adds to what[0] executed, what[1] there are
function count(what, parts) {
	split($0, parts, /[:%]| of /)
	what[0] += parts[2] * parts[4] / 100
	what[1] += parts[4]
	return sprintf("%6.2f %% of %4d", parts[2], parts[4])
}

/^File / {
	name = $0
	gsub(/^File '|'$/, "", name)
	counts = ("/" name) ~ dir && name ~ /\.c$/
	sub(/.*\//, "", name)
}
/^$/ {
	counts = 0	# the sum of all files stands behind them
}
/^Lines executed:/ && counts {
	printf "%-12s lines %s", name, count(lines)
}
/^Taken at least once:/ && counts {
	printf ", branches %s\n", count(branches)
}
END {
	if (!lines[1])
		exit 1
	printf "%-12s lines %6.2f %% of %4d, branches %6.2f %% of %4d\n", "all",
		100 * lines[0] / lines[1], lines[1],
		100 * branches[0] / branches[1], branches[1]
}
