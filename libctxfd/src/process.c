// SPDX-License-Identifier: LGPL-2.1-or-later
/* Which process this is, whatever way it was forked. */

#include <stdatomic.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "internal.h"

/*
 * A pid does not tell: it comes back, and in a new pid namespace at once. So does no
 * handler of pthread_atfork(), which _Fork() and clone() leave out. The kernel wipes this
 * page in a child, which then takes the next number: more than any of its ancestors had.
 */
static struct number {
	atomic_ulong of;
} *_Atomic page;
static atomic_ulong last;

static struct number *get_page(void)
{
	struct number *seen = atomic_load_explicit(&page, memory_order_acquire), *new;
	size_t size = (size_t)sysconf(_SC_PAGESIZE);

	if (seen)
		return seen;
	new = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (new == MAP_FAILED)
		return NULL;
	if (!madvise(new, size, MADV_WIPEONFORK) &&
	    atomic_compare_exchange_strong_explicit(&page, &seen, new, memory_order_acq_rel,
						    memory_order_acquire))
		return new;
	munmap(new, size);
	return seen;
}

unsigned long ctxfd_process(void)
{
	struct number *mine = get_page();
	unsigned long seen = 0, next;

	if (!mine)
		return 0;
	seen = atomic_load_explicit(&mine->of, memory_order_relaxed);
	if (seen)
		return seen;
	next = atomic_fetch_add_explicit(&last, 1, memory_order_relaxed) + 1;
	if (atomic_compare_exchange_strong_explicit(&mine->of, &seen, next, memory_order_relaxed,
						    memory_order_relaxed))
		return next;
	return seen;
}
