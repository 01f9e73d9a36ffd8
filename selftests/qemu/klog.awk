# SPDX-License-Identifier: GPL-2.0-only
# Reads a guest's kernel log, prints every complaint of the kernel with what follows it, and
# ends with status 1 where there is one. A data race that KCSAN finds between functions of the
# kernel alone is the kernel's own: such are counted.

function complaint(line) {
	return line ~ /^(WARNING|BUG|INFO|KASAN|UBSAN|ODEBUG):? / ||
		line ~ /Oops|[Kk]ernel [Pp]anic|kernel BUG|general protection fault/ ||
		line ~ /[Uu]nable to handle|Kernel mode fault|Segfault with no mm/ ||
		line ~ /possible (recursive|circular|irq)|inconsistent lock state/ ||
		line ~ /bad unlock balance|suspicious RCU usage|DEBUG_LOCKS_WARN_ON/ ||
		line ~ /detected stalls?|self-detected|soft lockup|hard LOCKUP/ ||
		line ~ /blocked for more than|workqueue lockup|flush dependency/ ||
		line ~ /scheduling while atomic|sleeping function called|nobody cared/ ||
		line ~ /refcount_t:|(list_add|list_del) ?corruption|new suspected memory leaks/ ||
		line ~ /[Ss]till has objects|[Oo]bjects remaining|KASAN:|UBSAN:|ODEBUG:/ ||
		line ~ /^Out of memory: |page allocation failure|stack-protector/ ||
		line ~ /stack guard page/
}

function head(where) {
	reports++
	print "FAIL kernel log" (where ? " during " where : "") ":"
}

# The report of a race is complete, or the log is. Functions of a module that is gone are bare
# addresses, and nobody else's are.
function judge(complete,   i, ours) {
	ours = !complete
	for (i = 0; i < lines; i++)
		if (race[i] ~ /\[ctx[a-z_]*\]|^0x[0-9a-f]+$/)
			ours = 1
	# Whoever opens a file gets its credentials, and get_cred() then writes a plain 0.
	if (race[0] ~ / in init_file \/ init_file$/)
		ours = !complete
	if (ours) {
		head(raced_during)
		for (i = 0; i < lines; i++)
			print "     | " race[i]
	} else {
		kernels_own++
	}
	lines = 0
}

{
	sub(/\r$/, "")
	message = $0
	sub(/^\[ *[0-9.]+\] */, "", message)
}
message ~ /^ctx-check: / {
	during = substr(message, 12)
	context = 0
	next
}
message ~ /^BUG: KCSAN: / {
	if (lines)
		judge(0)
	raced_during = during
	race[lines++] = message
	next
}
lines && !complaint(message) {
	if (message ~ /^=====/)
		judge(1)
	else
		race[lines++] = message
	next
}
complaint(message) {
	if (!context)
		head(during)
	context = 60
}
context {
	print "     | " message
	context--
}
END {
	if (lines)
		judge(0)
	if (kernels_own)
		print kernels_own " data races of the kernel's own"
	exit reports > 0
}
