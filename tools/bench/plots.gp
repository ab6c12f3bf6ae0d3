# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# From bench/disturb.tsv and bench/costs.tsv. Run from the project's root.

maps = "shelf rwlock sharded swap lfht lmdb redis"

do for [format in "svg png"] {
	if (format eq "svg") {
		set terminal svg size 1000,1120 font "sans,13" background "white"
	} else {
		set terminal pngcairo size 1000,1120 font "sans,11"
	}
	set output "bench/disturb." . format
	set multiplot layout words(maps),2 title "Lookups a second, of their median while nothing changes (left), and the slowest in 100 groups of 16 (right)\nin steps of 10 ms; deltas of 100,000 products from 1 s to 3 s" margins 0.09,0.97,0.05,0.93 spacing 0.08,0.025
	set xrange [0:4]
	set grid y
	unset key
	set object 1 rectangle from graph 0.25,0 to graph 0.75,1 fillcolor "#f0f0f0" fillstyle solid noborder behind
	do for [i = 1:words(maps)] {
		name = word(maps, i)
		data = "< grep -P '^" . name . "\\t' bench/disturb.tsv"
		unset logscale y
		set yrange [*:*]
		stats data using ($2 < 1 ? $3 : 1/0) name "idle" nooutput
		if (i == words(maps)) {
			set xtics 1 format "%g s"
		} else {
			set xtics 1 format ""
		}
		set yrange [0:2]
		set ytics 0.5 format "%g"
		set ylabel name font ",13"
		plot data using 2:($3 / idle_median) with lines linewidth 1.5 linecolor i
		unset ylabel
		set logscale y
		set yrange [1:200000]
		set ytics ("1 µs" 1, "100 µs" 100, "10 ms" 10000)
		plot data using 2:4 with lines linewidth 1.5 linecolor i
	}
	unset object 1
	set xtics format "%g"
	set ytics format "%g"
	unset multiplot
	set key top left

	if (format eq "svg") {
		set terminal svg size 800,520 font "sans,13" background "white"
	} else {
		set terminal pngcairo size 800,520 font "sans,11"
	}
	set output "bench/costs." . format
	set logscale xy
	set xrange [0.8:1.3e6]
	set yrange [1:1e7]
	set xtics ("1" 1, "10" 10, "100" 100, "1 k" 1000, "10 k" 10000, "100 k" 100000, "1 M" 1e6)
	set ytics ("1 µs" 1, "10 µs" 10, "100 µs" 100, "1 ms" 1000, "10 ms" 10000, "100 ms" 100000, "1 s" 1e6, "10 s" 1e7)
	set grid
	set title "Time of a commit against the patches in it"
	set xlabel "patches in the commit"
	plot for [n in "10000 100000 1000000 10000000"] \
		"< grep -P '^" . n . "\\t' bench/costs.tsv" using 2:3 with linespoints pointtype 7 title n . " products"
	unset title
	unset xlabel
	unset logscale
	set output
}
