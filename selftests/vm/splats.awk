# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# Of a kernel log, with time stamps or without: what the kernel complained of, each
# with what follows it. Of data races those that the module takes part in, and not just
# when an interrupt came; the kernel has many of its own. Allocations that a test makes
# fail may be told by who asked for them; leaks are not told of here, but by kmemleak's
# own list.

{
	line = $0
	sub(/^\[ *[0-9]+\.[0-9]+\] /, "", line)
}

function complains()
{
	return line ~ /^(WARNING|BUG|UBSAN|ODEBUG|Oops)[: ]/ ||
	       line ~ /^INFO: (task|trying|rcu)/ ||
	       line ~ /^(watchdog|kernel|rcu|page_table_check): *(BUG|INFO)/ ||
	       line ~ /BUG[: ]|KASAN|KFENCE:|Oops:|Call Trace:|general protection/ ||
	       line ~ /unable to handle|detected( expedited)? stalls|self-detected stall/ ||
	       line ~ /blocked for more than|^refcount_t:|DEBUG_LOCKS_WARN_ON/ ||
	       line ~ /[Bb]ad page|(list|slab) corruption/
}

# A report ends with a rule. What else the kernel says in its midst is told with it.
/BUG: KCSAN:/ { race = ""; racing = 1; ours = 0; interrupted = 0 }
racing && / by (task|interrupt)/ { interrupted = 0 }
racing {
	race = race line "\n"
	interrupted = interrupted || line ~ /^ asm_/	# below is where it came
	ours = ours || (!interrupted && line ~ /\[shelf\]/) || (line !~ /BUG: KCSAN:/ && complains())
	if (line ~ /^====/) {
		racing = 0
		if (ours)
			printf "%s", race
	}
	next
}

line == "# allocations fail" { injected = 1 }
injected && line ~ /: (page allocation failure|vmalloc error):/ { meant++ }
meant && line ~ /<\/TASK>/ { meant-- }
meant && line ~ /Call Trace:/ { next }	# of several at once, on several CPUs

complains() { rest = 60 }
rest > 0 { print line; rest-- }

END { if (racing) printf "%s", race }
