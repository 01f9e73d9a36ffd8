/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What server and back end say to each other. The question is the query. The answer is a message
 * for each result, and one to say that there are no more: a connection that ends without that has
 * failed.
 */
#ifndef PROTOCOL_H
#define PROTOCOL_H

#include <limits.h>

#define QUERY_MAX	200	/* bytes */
#define RESULTS_MAX	10	/* of a back end */
#define TEXT_MAX	200

#define RESULT		'R'	/* PLACE, a NUL and TEXT follow */
#define NO_MORE		'.'

#define MESSAGE_MAX	(1 + PATH_MAX + 16 + TEXT_MAX)

#endif /* PROTOCOL_H */
