# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# From lines "ROUND PHASE COMMITS RATE P50 P99 P999 MAX ERRORS": medians and quartiles of
# each phase, and of ratios within a round.

function sort(a, n,	i, j, x)
{
	for (i = 2; i <= n; i++) {
		x = a[i]
		for (j = i - 1; j && a[j] > x; j--)
			a[j + 1] = a[j]
		a[j + 1] = x
	}
}

# "median (quartile to quartile)"
function spread(a, n, format)
{
	sort(a, n)
	return sprintf(format " (" format " to " format ")",
		a[int((n + 1) / 2)], a[int((n + 3) / 4)], a[int((3 * n + 1) / 4)])
}

function column(phase, i, format,	a, r)
{
	for (r = 1; r <= rounds; r++)
		a[r] = figure[r, phase, i]
	return spread(a, rounds, format)
}

function ratios(phase, to, i,	a, r)
{
	for (r = 1; r <= rounds; r++)
		a[r] = figure[r, to, i] ? figure[r, phase, i] / figure[r, to, i] : 0
	return spread(a, rounds, "%.2f")
}

function line(name, phase, to,	i, text)
{
	text = sprintf("%-18s", name)
	for (i = 4; i <= 8; i++)
		text = text sprintf(" %-24s", to ? ratios(phase, to, i) : column(phase, i, "%d"))
	print text
}

{
	if ($1 > rounds)
		rounds = $1
	commits[$2] += $3
	errors += $9
	for (i = 4; i <= 8; i++)
		figure[$1, $2, i] = $i
}

END {
	printf "%-18s %-24s %-24s %-24s %-24s %-24s\n", "", "requests a second", "p50, us", "p99, us", \
		"p99.9, us", "max, us"
	line("idle", "idle")
	line("elsewhere", "elsewhere")
	line("here", "here")
	line("here / elsewhere", "here", "elsewhere")
	line("here / idle", "here", "idle")
	printf "%d rounds; commits elsewhere %d, here %d; failed requests %d\n", rounds,
		commits["elsewhere"], commits["here"], errors
	exit errors != 0 || rounds == 0
}
