# SPDX-License-Identifier: GPL-2.0-only
# Adds up, by function, blocks that ran (address, runs, instructions), which come sorted by address
# among symbols (address, name, and the module's where it is one's).

$2 ~ /^[0-9]+$/ {
	sum[$1 < "8" ? "user space" : function_name] += $2 * $3
	total += $2 * $3
	next
}
{ function_name = $2 " " $3 }

END {
	printf "%14d %6.2f%% %s\n", total, 100, "all"
	for (name in sum)
		printf "%14d %6.2f%% %s\n", sum[name], 100 * sum[name] / total, name
}
