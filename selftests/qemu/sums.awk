# SPDX-License-Identifier: GPL-2.0-only
# Adds up the last lines of the runs of tests in the input, of which there must be as many as
# the variable "runs" says: one that broke off before its last line has failed, too.
# The variable "failed" counts what else went wrong.

/^[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped$/ {
	passed += $1
	failed += $3
	skipped += $5
	ended++
}
END {
	failed += runs - ended
	printf "%d passed, %d failed, %d skipped\n", passed, failed, skipped
	exit failed > 0 || passed == 0
}
