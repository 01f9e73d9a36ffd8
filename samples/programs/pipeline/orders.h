/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the stages do to an order, a line "ITEM QUANTITY", and the prices that they know */
#ifndef ORDERS_H
#define ORDERS_H

#include <stddef.h>

#define ITEM_MAX	31	/* bytes */
#define NUMBER_MAX	1000000000

struct order {
	char item[ITEM_MAX + 1];
	unsigned long quantity;
};

/* Also of a line of prices, "ITEM CENTS". Returns 0, or -1 where @line is none. */
int order_parse(struct order *order, const char *line);

struct prices {
	size_t nr;
	struct order *price;	/* the cents are the quantity */
};

/* Reads the file, or ends the program. */
void prices_read(struct prices *prices, const char *path);

/* The price of @item in cents; 0 where it has none. */
unsigned long prices_find(const struct prices *prices, const char *item);

void prices_free(struct prices *prices);

#endif /* ORDERS_H */
