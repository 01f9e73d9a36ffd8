// SPDX-License-Identifier: LGPL-2.1-or-later
/* Orders and prices */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/orders.h"

int order_parse(struct order *order, const char *line)
{
	size_t len = strcspn(line, " \t");
	const char *number = line + len + strspn(line + len, " \t");
	char *end;

	if (!len || len > ITEM_MAX || *number < '0' || *number > '9')
		return -1;
	memcpy(order->item, line, len);
	order->item[len] = '\0';
	order->quantity = strtoul(number, &end, 10);
	return *end || !order->quantity || order->quantity > NUMBER_MAX ? -1 : 0;
}

static void add_price(struct prices *prices, const struct order *price)
{
	prices->price = reallocarray(prices->price, prices->nr + 1, sizeof(*price));
	if (!prices->price)
		err(1, "prices");
	prices->price[prices->nr++] = *price;
}

void prices_read(struct prices *prices, const char *path)
{
	FILE *file = fopen(path, "re");
	struct order price;
	char *line = NULL;
	size_t size = 0;

	if (!file)
		err(1, "%s", path);
	while (getline(&line, &size, file) > 0) {
		line[strcspn(line, "\n")] = '\0';
		if (order_parse(&price, line))
			errx(1, "%s: line %zu is no price \"ITEM CENTS\"", path, prices->nr + 1);
		add_price(prices, &price);
	}
	if (ferror(file))
		err(1, "%s", path);
	free(line);
	(void)fclose(file);
}

unsigned long prices_find(const struct prices *prices, const char *item)
{
	for (size_t i = 0; i < prices->nr; i++)
		if (!strcmp(prices->price[i].item, item))
			return prices->price[i].quantity;
	return 0;
}

void prices_free(struct prices *prices)
{
	free(prices->price);
}
