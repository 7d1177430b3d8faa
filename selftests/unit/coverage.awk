# SPDX-License-Identifier: GPL-2.0
# gcov -b's summary in, one line a pure file out; fails below 100 %.
# -v dir=DIRECTORY/ of the files that count

/^File / {
	name = $0
	gsub(/^File '|'$/, "", name)
	counts = index(name, dir) == 1 && name ~ /\.c$/
	sub(/.*\//, "", name)
}
/^Lines executed:/ && counts {
	lines = $0
	sub(/^Lines executed:/, "", lines)
	short += lines !~ /^100\.00%/
}
/^Taken at least once:/ && counts {
	taken = $0
	sub(/^Taken at least once:/, "", taken)
	short += taken !~ /^100\.00%/
	printf "%-12s lines %s, branches taken %s\n", name, lines, taken
	seen++
}
END { exit short || !seen }
