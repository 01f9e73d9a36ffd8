# SPDX-License-Identifier: GPL-2.0-only
# Tells from limits and figures, in this order, what each row comes to on each kernel. The raw
# figures go to the file that the variable "json" names. The variable "rows" has the rows that
# are to be there, the variable "kernels" likewise. Ends with 1 where a row is missing, or over by
# more than the variable "slack" says, in percent. Needs median.awk.

function list(text) {
	gsub(/^ /, "", text)
	gsub(/ /, ", ", text)
	return "[" text "]"
}

function judge(kernel, row,    key, ctx, peer, plain, ratio, most, word) {
	key = kernel " " row
	if (!(key " ctx" in taken) || !(key " peer" in taken)) {
		lines = lines "bench: " row " - " limit[row] " over\n"
		failed++
		return
	}
	ctx = median(taken[key " ctx"])
	peer = median(taken[key " peer"])
	plain = median(taken[key " plain"])
	ratio = beyond[row] ? ctx - plain : ctx / peer
	word = ratio > limit[row] + 0 ? "over" : "ok"
	if (ratio > limit[row] * (1 + slack / 100))
		failed++
	else
		passed++
	ratio = sprintf(limit[row] + 0 < 0.1 ? "%.4f" : "%.3f", ratio)
	printf "%-7s %-15s %12.1f %12.1f %8s %8s %s  %s\n", kernel, row, ctx, peer, ratio,
		limit[row], word == "over" ? "OVER" : "    ", about[row]
	lines = lines "bench: " row " " ratio " " limit[row] " " word "\n"
	printf "%s{\"kernel\": \"%s\", \"row\": \"%s\", \"limit\": %s, \"ratio\": %s, " \
		"\"ctx\": %s, \"peer\": %s, \"plain\": %s}", nr_json++ ? ",\n" : "[\n", kernel, row,
		limit[row], ratio, list(taken[key " ctx"]), list(taken[key " peer"]),
		list(taken[key " plain"]) >json
}

/^#/ || !NF { next }
FILENAME == limits {
	row = $1
	beyond[row] = $3 ~ /^\+/
	limit[row] = substr($3, 1 + beyond[row])
	for (n = 1; n <= 3; n++)
		sub(/^[^ \t]+[ \t]+/, "")
	about[row] = $0
	next
}
{ taken[$1 " " $2 " " $4] = taken[$1 " " $2 " " $4] " " $5 }

END {
	printf "%-7s %-15s %12s %12s %8s %8s\n", "kernel", "row", "ctx", "peer", "ratio", "limit"
	nr_kernels = split(kernels, kernel, " ")
	nr_rows = split(rows, name, " ")
	for (k = 1; k <= nr_kernels; k++) {
		lines = lines "\non " kernel[k] ":\n"
		for (r = 1; r <= nr_rows; r++)
			judge(kernel[k], name[r])
	}
	print nr_json ? "\n]" : "[]" >json
	printf "%d passed, %d failed, 0 skipped\n%s", passed, failed, lines
	exit failed > 0
}
