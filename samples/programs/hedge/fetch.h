/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FETCH_H
#define FETCH_H

#include <stddef.h>

#define FETCH_MAX	1048576	/* bytes of an answer */

struct fetched {
	char *body;		/* to be freed */
	size_t size;
	const char *problem;	/* NULL where there is an answer */
	long status;
};

/*
 * Gets @url, or gives it up when @ctx is cancelled: then the connection is closed, by which the
 * server can know. The problem is "cancelled" then.
 */
void fetch(int ctx, const char *url, struct fetched *fetched);

#endif /* FETCH_H */
