/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef TEMPLATE_H
#define TEMPLATE_H

#include <stdio.h>

/* What stands for {NAME} in a template */
struct template_value {
	const char *name;
	const char *text;	/* from anybody: escaped on its way out */
	const char *html;	/* or from here: as it is */
};

/* Writes @template with its values, which end with one of no name. */
void template_write(FILE *out, const char *template, const struct template_value *values);

#endif /* TEMPLATE_H */
