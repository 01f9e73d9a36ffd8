# SPDX-License-Identifier: GPL-2.0-only
# Draws the curves of one picture. Variables: curves, a file of lines "picture curve size figure";
# picture; kernel

what(picture) = picture eq "flat" ? "children of one context" : \
	picture eq "chain" ? "lines of up to 1,000, each below the one before" : \
	picture eq "tree" ? "two children each" : \
	picture eq "web" ? "ten layers, two further parents each" : \
	picture eq "epoll" ? "children of one context, all in one epoll set" : \
	"one deadline above all in one epoll set, until the last has come"

set terminal svg size 640,420 font "sans-serif,13" background "white" dynamic
set title what(picture) . " (Linux " . kernel . ")"
set xlabel "how many"
set ylabel "instructions for each"
set logscale xy
set xrange [0.8:130000]
set yrange [10:100000]
set format x "10^{%T}"
set format y "10^{%T}"
set grid
set key top right
names = system(sprintf("awk '$1 == \"%s\" && !seen[$2]++ { print $2 }' '%s'", picture, curves))
rows(name) = sprintf("< awk '$1 == \"%s\" && $2 == \"%s\" { print $3, $4 }' '%s'", \
	picture, name, curves)
spaced(name) = system("echo " . name . " | tr - ' '")
plot for [name in names] rows(name) with linespoints linewidth 2 pointtype 7 pointsize 0.5 \
	title spaced(name)
