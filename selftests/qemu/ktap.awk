# SPDX-License-Identifier: GPL-2.0-only
# Reads what the guest prints (see init): the KTAP of test programs between our marks. Prints a
# line for each program as it ends, the output of what failed, then the skipped with their
# reasons, and lines that begin with "# total: " as they come; writes the sums to the file that the variable "sums" names.

function fail(what) {
	failed++
	bad++
	print "FAIL " program ": " what
}

# The text since the last result belongs to the result that follows it.
function show() {
	for (i = shown; i < lines; i++)
		print "     | " text[i]
}

function result(line, what) {
	results++
	what = line
	sub(/^(not )?ok *[0-9]* *-? */, "", what)
	if (toupper(what) ~ /# *SKIP/) {
		reason = what
		sub(/^.*# *[Ss][Kk][Ii][Pp][: ]*/, "", reason)
		sub(/ *# *[Ss][Kk][Ii][Pp].*/, "", what)
		if (what == "")
			what = run
		skips[skipped++] = program ": " what ": " (reason == "" ? "no reason given" : reason)
		mine++
	} else if (line ~ /^not/ || nested) {
		show()
		fail(what == "" ? run : what)
	} else {
		passed++
		good++
	}
	shown = lines
	nested = 0
}

function finish(status, ms) {
	if (plan == "skip") {
		skips[skipped++] = program ": " reason
		mine++
	} else if (status == 137 && ms >= bound * 1000) {
		show()
		fail("timed out after " bound " s, " results " results of " plan)
	} else if (plan == "") {
		show()
		fail("printed no plan, exit status " status)
	} else if (results != plan) {
		show()
		fail(results " results of " plan ", exit status " status)
	} else if (status != 0 && !bad && !(status == 4 && mine)) {
		show()
		fail("exit status " status " without a failed test")
	}
	printf "%s %-16s %3d passed %s%s %7.1f s\n", bad ? "FAIL" : "ok  ", program, good,
		bad ? bad " failed " : "", mine ? mine " skipped " : "", ms / 1000
	fflush()
	program = ""
}

{ sub(/\r$/, "") }

$1 == "#ctx" && $2 == "begin" {
	program = $3
	bound = $4
	plan = run = ""
	results = bad = good = mine = lines = shown = nested = 0
	next
}
$1 == "#ctx" && $2 == "fail" {
	sub(/^#ctx fail /, "")
	fail($0)
	next
}
$1 == "#ctx" && $2 == "end" {
	if (program == "kmemleak") {
		plan = results
		if (bad)
			show()
	}
	finish($4, $5)
	next
}
$1 == "#ctx" && $2 == "exit" { done = 1; next }

/^# total: / { print substr($0, 3) }

{ text[lines++] = $0 }
program == "" { next }
/^1\.\.0 *#/ && toupper($0) ~ /SKIP/ { plan = "skip"; reason = $0; sub(/^.*[Ss][Kk][Ii][Pp] */, "", reason); next }
/^1\.\.[0-9]+/ { plan = substr($1, 4) + 0; next }
/^(not )?ok([ \t]|$)/ { result($0); next }
/^[ \t]+not ok/ { nested = 1; next }
/^Bail out!/ { show(); fail($0); next }
/^# +RUN / { run = $3; next }

END {
	if (program != "") {
		show()
		fail("the guest ended in the middle of it")
	}
	if (!done) {
		program = "guest"
		fail("ended early or ran out of time")
	}
	for (i = 0; i < skipped; i++)
		print "skip " skips[i]
	print passed + 0, failed + 0, skipped + 0 >sums
}
