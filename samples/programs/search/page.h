/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The pages that the search shows */
#ifndef PAGE_H
#define PAGE_H

#include "search/files.h"

/* Both return the page, to be freed, or NULL where there is no memory. */
char *page_form(void);
char *page_results(const char *query, const char *timeout, double ms,
		   const struct answer *answers, unsigned int nr);

#endif /* PAGE_H */
