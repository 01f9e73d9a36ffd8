// SPDX-License-Identifier: LGPL-2.1-or-later
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "search/userip.h"

#define KEY	"search.userip"

int userip_from_request(const struct sockaddr *addr, struct userip *ip)
{
	struct sockaddr_in in;
	struct sockaddr_in6 in6;

	*ip = (struct userip){ };
	switch (addr->sa_family) {
	case AF_INET:
		memcpy(&in, addr, sizeof(in));
		ip->addr.s6_addr[10] = 0xff;
		ip->addr.s6_addr[11] = 0xff;
		memcpy(&ip->addr.s6_addr[12], &in.sin_addr, sizeof(in.sin_addr));
		return 0;
	case AF_INET6:
		memcpy(&in6, addr, sizeof(in6));
		ip->addr = in6.sin6_addr;
		return 0;
	default:
		errno = EAFNOSUPPORT;
		return -1;
	}
}

struct ctxfd_pair userip_value(const struct userip *ip)
{
	return (struct ctxfd_pair){ .key = KEY, .data = ip, .size = sizeof(*ip) };
}

int userip_from_context(int ctx, struct userip *ip)
{
	ssize_t len;

	*ip = (struct userip){ };
	len = ctxfd_value(ctx, KEY, ip, sizeof(*ip));
	if (len == sizeof(*ip))
		return 0;
	if (len >= 0 || errno == ERANGE)
		errno = EBADMSG;
	return -1;
}

const char *userip_text(const struct userip *ip, char buf[INET6_ADDRSTRLEN])
{
	if (IN6_IS_ADDR_V4MAPPED(&ip->addr))
		return inet_ntop(AF_INET, &ip->addr.s6_addr[12], buf, INET6_ADDRSTRLEN);
	return inet_ntop(AF_INET6, &ip->addr, buf, INET6_ADDRSTRLEN);
}
