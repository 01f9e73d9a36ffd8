/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What answers a request: written against a store and a response of which it knows no more than
 * this, so that a test can put spies in their places. See samples/tests/store.c.
 */
#ifndef HANDLER_H
#define HANDLER_H

struct store {
	/*
	 * Returns the value of @key, which is to be freed; or NULL with errno set: ENODATA where
	 * there is none, the error of @ctx where that ended. That is how it is told to stop.
	 */
	char *(*fetch)(struct store *store, int ctx, const char *key);
};

struct response {
	/* Called once, or never: then the client gets no answer. */
	void (*write)(struct response *response, unsigned int status, const char *text);
};

/* Answers who asked for @key under @ctx. Writes nothing to who is gone. */
void handle_request(int ctx, struct store *store, const char *key, struct response *response);

#endif /* HANDLER_H */
