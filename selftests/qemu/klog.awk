# SPDX-License-Identifier: GPL-2.0-only
# Reads a guest's kernel log, prints every complaint of the kernel with what follows it, and
# ends with status 1 where there is one.

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

message ~ /^(WARNING|BUG|INFO|KASAN|UBSAN|ODEBUG):? / ||
message ~ /Oops|[Kk]ernel [Pp]anic|kernel BUG|general protection fault|[Uu]nable to handle/ ||
message ~ /possible (recursive|circular|irq)|inconsistent lock state|bad unlock balance/ ||
message ~ /suspicious RCU usage|DEBUG_LOCKS_WARN_ON|detected stalls?|self-detected/ ||
message ~ /soft lockup|hard LOCKUP|blocked for more than|workqueue lockup|flush dependency/ ||
message ~ /scheduling while atomic|sleeping function called|nobody cared/ ||
message ~ /refcount_t:|(list_add|list_del) ?corruption|new suspected memory leaks/ ||
message ~ /[Ss]till has objects|[Oo]bjects remaining|KASAN:|UBSAN:|ODEBUG:/ ||
message ~ /^Out of memory: |page allocation failure|stack-protector|stack guard page/ {
	if (!context) {
		reports++
		print "FAIL kernel log" (during ? " during " during : "") ":"
	}
	context = 60
}
context {
	print "     | " message
	context--
}
END { exit reports > 0 }
