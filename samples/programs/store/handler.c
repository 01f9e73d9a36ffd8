// SPDX-License-Identifier: LGPL-2.1-or-later
/* The handler that the tests of samples/tests/store.c have brought about, one after the other */
#include <ctxfd.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "store/handler.h"

static void write_failure(struct response *response, int error)
{
	if (error == ENODATA)
		response->write(response, 404, "the store has no such key");
	else
		response->write(response, 502, strerror(error));
}

/* The context is asked after the store: a client may go while a value is on its way. */
void handle_request(int ctx, struct store *store, const char *key, struct response *response)
{
	char *value = store->fetch(store, ctx, key);
	int error = errno;

	switch (ctxfd_err(ctx)) {
	case 0:
		if (value)
			response->write(response, 200, value);
		else
			write_failure(response, error);
		break;
	case ETIMEDOUT:
		response->write(response, 504, "the store took too long");
		break;
	default:
		break;	/* nobody would read it */
	}
	free(value);
}
