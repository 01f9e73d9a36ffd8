# SPDX-License-Identifier: GPL-2.0-only
# Writes the figures into performance.rst. Its input: limits, bench.json, profiles of rows as
# KERNEL-ROW-ctx, and last the page, which it prints, each part that stands between ".. begin NAME"
# and ".. end NAME" written anew. Needs median.awk.

function field(name) {
	return match($0, "\"" name "\": [^,}]*") ? \
		substr($0, RSTART + length(name) + 4, RLENGTH - length(name) - 4) : ""
}

function figure(name,    text) {
	if (!match($0, "\"" name "\": \\[[^]]+"))
		return ""
	text = substr($0, RSTART + length(name) + 5, RLENGTH - length(name) - 5)
	gsub(/,/, "", text)
	return median(text)
}

function unquoted(text) {
	gsub(/"/, "", text)
	return text
}

# 12345.6: 12,346; what is small keeps one place.
function pretty(number,    text) {
	if (number < 100)
		return sprintf("%.1f", number)
	text = sprintf("%.0f", number)
	while (match(text, /[0-9][0-9][0-9][0-9]($|,)/))
		text = substr(text, 1, RSTART) "," substr(text, RSTART + 1)
	return text
}

# A line of a table, whose columns are given with | between; the first is the head.
function line(text,    columns, nr, i) {
	lines[++nr_lines] = text
	nr = split(text, columns, "|")
	for (i = 1; i <= nr; i++)
		if (length(columns[i]) > width[i])
			width[i] = length(columns[i])
}

function row_of_table(text, nr,    columns, i, out) {
	split(text, columns, "|")
	for (i = 1; i <= nr; i++)
		out = out sprintf("%-" width[i] "s  ", columns[i])
	sub(/ +$/, "", out)
	print out
}

function write_table(    columns, nr, n, i, rule) {
	nr = split(lines[1], columns, "|")
	for (i = 1; i <= nr; i++)
		rule = rule sprintf("%" width[i] "s|", "")
	gsub(/ /, "=", rule)
	print ""
	for (n = 1; n <= nr_lines; n++) {
		if (n <= 2)
			row_of_table(rule, nr)
		row_of_table(lines[n], nr)
	}
	row_of_table(rule, nr)
	nr_lines = 0
	split("", width)
}

function ratio_of(key, row) {
	if (!(key in ratio))
		return "-"
	return ratio[key] + 0 > limit[row] + 0 ? "**" ratio[key] "**" : ratio[key]
}

function write_rows(    r, k, row, text, sides) {
	text = "row|limit"
	for (k = 1; k <= nr_kernels; k++)
		text = text "|" kernels[k]
	line(text "|contexts; peer")
	for (r = 1; r <= nr_rows; r++) {
		row = rows[r]
		text = row "|" shown[row]
		for (k = 1; k <= nr_kernels; k++)
			text = text "|" ratio_of(kernels[k] " " row, row)
		split(about[row], sides, "; ")
		line(text "|" sides[1] ";")
		line("||||" sides[2])
	}
}

function write_plain(    r, k, key) {
	line("row|kernel|contexts|peer|plain|contexts beyond plain")
	for (r = 1; r <= nr_rows; r++) {
		for (k = 1; k <= nr_kernels; k++) {
			key = kernels[k] " " rows[r]
			if (plain[key] != "")
				line(rows[r] "|" kernels[k] "|" pretty(ctx[key]) "|" pretty(peer[key]) \
				     "|" pretty(plain[key]) "|" pretty(ctx[key] - plain[key]))
		}
	}
}

function write_profile(    f) {
	line("row|part|for one|function")
	for (f = 1; f <= nr_functions; f++)
		line(functions[f])
}

function ten_million(what, row,    k, text) {
	text = what
	for (k = 1; k <= nr_kernels; k++)
		text = text "|" sprintf("%.2g", ctx[kernels[k] " " row] / 100)
	line(text)
}

function write_million(    k, text) {
	text = "ten million contexts take"
	for (k = 1; k <= nr_kernels; k++)
		text = text "|" kernels[k]
	line(text)
	ten_million("GB, with their descriptors", "memory")
	ten_million("10^9 instructions to create and close", "create")
	ten_million("10^9 to cancel their parent, where nobody waits", "million")
	ten_million("10^9 to cancel it, where all are in epoll", "fan-out-epoll")
}

FNR == 1 { nr_files++ }

# limits
nr_files == 1 {
	if (/^#/ || !NF)
		next
	row = rows[++nr_rows] = $1
	shown[row] = $3
	limit[row] = substr($3, 1 + ($3 ~ /^\+/))
	for (n = 1; n <= 3; n++)
		sub(/^[^ \t]+[ \t]+/, "")
	about[row] = $0
	next
}

# bench.json
nr_files == 2 {
	if (field("row") == "")
		next
	kernel = unquoted(field("kernel"))
	if (kernel != kernels[nr_kernels])
		kernels[++nr_kernels] = kernel
	key = kernel " " unquoted(field("row"))
	ratio[key] = field("ratio")
	ctx[key] = figure("ctx")
	peer[key] = figure("peer")
	plain[key] = figure("plain")
	next
}

# profiles: instructions, part, function and module; the first line has their sum
FILENAME !~ /\.rst$/ {
	if (FNR == 1) {
		row = FILENAME
		sub(/.*\//, "", row)
		kernel = row
		sub(/-.*/, "", kernel)
		sub(/^[^-]*-/, "", row)
		sub(/-ctx$/, "", row)
	} else if (FNR <= (row == "two-cpus" ? 12 : 8)) {
		functions[++nr_functions] = row "|" $2 "|" pretty(ctx[kernel " " row] * $2 / 100) "|" \
			($3 == "user" ? "user space" : "``" $3 "``" ($4 ? " of ctx" : ""))
	}
	next
}

# the page
/^\.\. end / { inside = 0; print "" }
!inside
/^\.\. begin / {
	inside = 1
	if ($3 == "rows")
		write_rows()
	else if ($3 == "plain")
		write_plain()
	else if ($3 == "profile")
		write_profile()
	else if ($3 == "million")
		write_million()
	write_table()
}
