# SPDX-License-Identifier: GPL-2.0-only
# The median of figures with blanks between

function median(text,    figures, nr, i, j, figure) {
	nr = split(text, figures, " ")
	for (i = 2; i <= nr; i++) {
		figure = figures[i] + 0
		for (j = i - 1; j > 0 && figures[j] + 0 > figure; j--)
			figures[j + 1] = figures[j]
		figures[j + 1] = figure
	}
	return figures[int((nr + 1) / 2)] + 0
}
