/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Searches files, with a back end for each tree of them. */
#ifndef FILES_H
#define FILES_H

#include "common/service.h"
#include "search/protocol.h"

struct result {
	char *place;	/* path and line */
	char *text;
};

/* What one back end has found */
struct answer {
	struct result result[RESULTS_MAX];
	unsigned int nr;
	int error;
};

/*
 * Asks the @nr back ends at once for @query. Returns 0, or -1 with errno set: the error of
 * @ctx where that is cancelled, or that of the first back end to fail, which ends the others'
 * search. In both cases @answers, one for each, are to be freed.
 */
int files_search(int ctx, const struct service *backends, unsigned int nr, const char *query,
		 struct answer *answers);

void answers_free(struct answer *answers, unsigned int nr);

#endif /* FILES_H */
