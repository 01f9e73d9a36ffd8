/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The requests that are alive and those that ended last, as net/trace shows them for Go */
#ifndef REQUESTS_H
#define REQUESTS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "middleware/trace.h"

#define REQUESTS_KEPT	100

struct requests {
	pthread_mutex_t lock;
	uint64_t nr;		/* that have begun; the last REQUESTS_KEPT are here */
	struct entry {
		uint64_t number;
		struct trace trace;
		char path[64];
		struct timespec start;
		double ms;	/* once it has ended */
		bool has_ended;
		char why[128];
	} entry[REQUESTS_KEPT];
};

/* Returns its number. */
uint64_t requests_begin(struct requests *requests, const struct trace *trace, const char *path);

/* Returns how many milliseconds it took. */
double requests_end(struct requests *requests, uint64_t number, const char *why);

/* The page, to be freed; NULL where there is no memory. */
char *requests_page(struct requests *requests);

#endif /* REQUESTS_H */
