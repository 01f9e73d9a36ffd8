// SPDX-License-Identifier: LGPL-2.1-or-later
/* Services, for who asks them */
#include <err.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/beside.h"
#include "common/service.h"

/*
 * Its input is a socket that listens at an address of the kernel's choice. This process keeps
 * none of it, so that connect() tells when the service is gone.
 */
void service_start(struct service *service, int ctx, char *const argv[])
{
	char *path = path_beside(argv[0]);
	int sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	struct sockaddr *addr = (struct sockaddr *)&service->addr;

	service->addr.sun_family = AF_UNIX;
	service->addr_len = sizeof(service->addr);
	if (sock < 0 || bind(sock, addr, sizeof(sa_family_t)) ||
	    getsockname(sock, addr, &service->addr_len) || listen(sock, SOMAXCONN))
		err(1, "socket of %s", argv[0]);
	service->pidfd = ctxfd_spawn(ctx, (char *[]){ path, argv[1], NULL },
				     &(struct ctxfd_spawn_opts){
		.fds = (int []){ sock, STDERR_FILENO, STDERR_FILENO },
	});
	if (service->pidfd < 0)
		err(1, "%s", path);
	free(path);
	close(sock);
}

void service_wait(struct service *service)
{
	siginfo_t info;

	while (waitid(P_PIDFD, (id_t)service->pidfd, &info, WEXITED) && errno == EINTR)
		;
	close(service->pidfd);
}

static int ask(int ctx, const struct service *service, const char *question, int sock)
{
	int watch = ctxfd_watch(ctx), ret = -1, error;

	if (watch < 0)
		return -1;
	if (!ctxfd_connect(ctx, sock, (const struct sockaddr *)&service->addr,
			   service->addr_len) &&
	    !ctxfd_send_fd(sock, watch) &&
	    ctxfd_send(ctx, sock, question, strlen(question) + 1, MSG_NOSIGNAL) >= 0)
		ret = 0;
	error = errno;
	close(watch);
	errno = error;
	return ret;
}

int service_ask(int ctx, const struct service *service, const char *question)
{
	int sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), error;

	if (sock < 0 || !ask(ctx, service, question, sock))
		return sock;
	error = errno;
	close(sock);
	errno = error;
	return -1;
}

ssize_t service_receive(int ctx, int sock, void *message, size_t size)
{
	return ctxfd_recv(ctx, sock, message, size, 0);
}
