# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# From bench/disturb.tsv and bench/costs.tsv. Run from the project's root.

maps = "shelf rwlock sharded swap lmdb redis"

do for [format in "svg png"] {
	if (format eq "svg") {
		set terminal svg size 900,1080 font "sans,13" background "white"
	} else {
		set terminal pngcairo size 900,1080 font "sans,11"
	}
	set output "bench/disturb." . format
	set multiplot layout 6,1 title "Slowest 16 lookups of each millisecond; deltas of 100,000 products from 1 s to 3 s"
	set logscale y
	set yrange [0.5:200000]
	set xrange [0:4]
	set ytics ("1 µs" 1, "100 µs" 100, "10 ms" 10000)
	set grid y
	set key top left
	set lmargin 10
	set xtics 1
	do for [i = 1:6] {
		if (i == 6) { set xlabel "seconds" }
		plot "< grep -P '^" . word(maps, i) . "\\t' bench/disturb.tsv" using 2:3 with points pointtype 7 pointsize 0.25 linecolor i title word(maps, i)
	}
	unset multiplot
	unset xlabel
	unset lmargin

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
