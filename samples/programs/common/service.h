/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Services: processes that a program starts below a context and asks over Unix sockets. Each
 * question has a SOCK_SEQPACKET connection, on which its context comes first and then its text.
 */
#ifndef SERVICE_H
#define SERVICE_H

#include <ctxfd.h>
#include <sys/un.h>

#define SERVICE_QUESTION_MAX	1000	/* bytes */

/* Who asks. */

struct service {
	int pidfd;
	struct sockaddr_un addr;
	socklen_t addr_len;
};

/* Starts the program @argv, which lies beside this one; it ends with @ctx. Or ends this one. */
void service_start(struct service *service, int ctx, char *const argv[]);

/* Waits until it has ended. */
void service_wait(struct service *service);

/*
 * Asks it something that it is to do under @ctx, of which it gets a descriptor that can wait and
 * not cancel. Returns the connection, or -1: ECONNREFUSED where it is gone; the error of @ctx.
 */
int service_ask(int ctx, const struct service *service, const char *question);

/* The next message on it. Returns its length, 0 where the service has closed it, or -1. */
ssize_t service_receive(int ctx, int sock, void *message, size_t size);

/* Who is asked. */

/* Works under @ctx, the question's. What it has to say it sends on @sock, and closes neither. */
typedef void service_handler(void *arg, int ctx, int sock, const char *question);

/*
 * Answers the questions that come on the input, each on a thread of its own, @at_once at most.
 * Returns when the context of this process ends.
 */
void service_run(unsigned int at_once, service_handler *handler, void *arg);

#endif /* SERVICE_H */
