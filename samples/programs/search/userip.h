/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The address of the user a request comes from, as a value of the request's context. Nobody
 * but userip.c knows the key, and nobody gets or sets the value but as a struct userip.
 */
#ifndef USERIP_H
#define USERIP_H

#include <ctxfd.h>
#include <netinet/in.h>

struct userip {
	struct in6_addr addr;	/* IPv4 as ::ffff:192.0.2.1 */
};

/* Returns 0, or -1 with EAFNOSUPPORT where @addr is of no internet family. */
int userip_from_request(const struct sockaddr *addr, struct userip *ip);

/* What to create a context with that carries @ip, which stays until then. */
struct ctxfd_pair userip_value(const struct userip *ip);

/* Returns 0, or -1: ENODATA where the context carries none; EBADMSG for another's value. */
int userip_from_context(int ctx, struct userip *ip);

/* Returns @buf. */
const char *userip_text(const struct userip *ip, char buf[INET6_ADDRSTRLEN]);

#endif /* USERIP_H */
