# SPDX-License-Identifier: GPL-2.0-only
# Reads the file "uncovered" and after it what gcov --stdout --branch-probabilities
# --branch-counts tells of each object. Prints the table, and compares the lines that nothing
# came by with those that "uncovered" lists. The variable "least" is the percentage to reach.

function percent(part, whole) {
	return whole ? sprintf("%.1f", 100 * part / whole) : "-"
}

function row(file, lines, hit, branches, taken) {
	printf "%-14s %6d %7s %9d %7s\n", file, lines, percent(hit, lines), branches,
		percent(taken, branches)
}

function trim(text) {
	gsub(/^[ \t]+|[ \t]+$/, "", text)
	return text
}

function complain(what, key, part) {
	split(key, part, SUBSEP)
	printf "FAIL %s: %s: %s: %s\n", what, part[1], part[2], part[3]
	bad = 1
}

# uncovered: "FILE FUNCTION: REASON", and below it the lines, indented. Whether a run comes by
# them is a matter of chance where REASON begins so.
NR == FNR && /^(#|$)/ { next }
NR == FNR && /^[^ \t]/ {
	if (!match($0, /^[^ ]+ [^ ]+: +[^ ]/)) {
		print "FAIL uncovered gives no reason: " $0
		bad = 1
	}
	file = $1
	of = $2
	sub(/:$/, "", of)
	luck = $3 == "chance:"
	next
}
NR == FNR {
	listed[file, of, trim($0)]++
	if (luck)
		chance[file, of, trim($0)]
	next
}

# The counts. What gcov says of functions leaves out those that were inlined, and a header's
# lines may come with several objects.
/^branch / && file != "" {
	key = file SUBSEP line SUBSEP $2
	if (!(key in branch))
		branch_of[key] = file
	branch[key] += $3 == "taken" ? $4 : 0
	next
}
/^ *[^ :]+: *[0-9]+:/ {
	count = trim(substr($0, 1, index($0, ":") - 1))
	text = substr($0, index($0, ":") + 1)
	line = substr(text, 1, index(text, ":") - 1) + 0
	text = substr(text, index(text, ":") + 1)
	if (!line && text ~ /^Source:/) {
		file = text ~ /[:\/]kmod\// ? text : ""
		sub(/^.*[:\/]kmod\//, "", file)
	}
	if (text ~ /^[A-Za-z][^=]*\(/) {
		of = text
		sub(/\(.*/, "", of)
		sub(/^.*[ \t*]/, "", of)
	}
	if (!line || count == "-" || file == "")
		next
	key = file SUBSEP line
	if (!(key in seen)) {
		order[++n] = key
		file_of[key] = file
		name[key] = file SUBSEP of SUBSEP trim(text)
	}
	seen[key] += count + 0
}

END {
	for (i = 1; i <= n; i++) {
		key = order[i]
		file = file_of[key]
		if (!(file in lines))
			files[++nr_files] = file
		lines[file]++
		if (seen[key])
			hit[file]++
		else
			left[name[key]]++
		there[name[key]]
	}
	for (key in branch) {
		branches[branch_of[key]]++
		taken[branch_of[key]] += branch[key] > 0
	}
	printf "%-14s %6s %7s %9s %7s\n", "kmod/", "lines", "%", "branches", "%"
	for (i = 1; i <= nr_files; i++) {
		file = files[i]
		row(file, lines[file], hit[file], branches[file], taken[file])
		all += lines[file]
		all_hit += hit[file]
		all_branches += branches[file]
		all_taken += taken[file]
	}
	row("total", all, all_hit, all_branches, all_taken)

	for (key in left)
		if (left[key] > listed[key])
			complain("uncovered and not listed", key)
	for (key in listed)
		if (!(key in there) || listed[key] > left[key] && !(key in chance))
			complain("listed, but covered or gone", key)
	if (!all || 100 * all_hit < least * all) {
		print "FAIL under " least " % of the lines"
		bad = 1
	}
	exit bad
}
