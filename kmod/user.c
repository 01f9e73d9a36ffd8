// SPDX-License-Identifier: GPL-2.0-only
/*
 * Users: what each may have, and whose turn it is.
 *
 * What a user (a real uid) has is counted in contexts. One with more than fits
 * in CTX_COST counts as several: so a limit of contexts is one of memory.
 */
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/init.h>
#include <linux/mm.h>
#include <linux/moduleparam.h>
#include <linux/slab.h>
#include <linux/xarray.h>

#include "ctx.h"

/* Users that are kept when they have nothing: to make one anew takes time. */
#define CTX_USERS_KEPT		256
/* The part of low memory that the contexts of one user may take, by default. */
#define CTX_MEMORY_PART		25

static unsigned int max_user_contexts;
module_param(max_user_contexts, uint, 0644);
MODULE_PARM_DESC(max_user_contexts,
		 "Contexts that a user may have (default: 640 bytes each, 4 percent of low memory)");

/* By uid. Whoever looks takes a reference, or finds one that is going. */
static DEFINE_XARRAY(ctx_users);
static atomic_t ctx_nr_users = ATOMIC_INIT(0);

void __init ctx_user_init(void)
{
	struct sysinfo si;

	ctx_count_setup();
	if (max_user_contexts)
		return;
	si_meminfo(&si);
	max_user_contexts = min_t(u64, UINT_MAX, div_u64((u64)(si.totalram - si.totalhigh) *
							 si.mem_unit,
							 CTX_MEMORY_PART * CTX_COST));
}

static void ctx_user_free(struct ctx_user *user)
{
	/* Model: user_stop. A timer looks at the user as long as it runs. */
	ctx_clocks_free(user);
	ctx_count_free(&user->count);
	atomic_dec(&ctx_nr_users);
	/* Model: user_rcu. Somebody may have found it just before. */
	kfree_rcu(user, rcu);
}

/**
 * ctx_user_put - let go of a user
 * @user: a reference to it
 *
 * Context: process, may sleep
 */
void ctx_user_put(struct ctx_user *user)
{
	if (!refcount_dec_and_test(&user->refs))
		return;
	/* Model: user_remove. Another may stand there already. */
	xa_cmpxchg(&ctx_users, __kuid_val(user->uid), user, NULL, 0);
	ctx_user_free(user);
}

/**
 * ctx_user_exit - free those that were kept
 *
 * Context: process; there is no context any more
 */
void ctx_user_exit(void)
{
	struct ctx_user *user;
	unsigned long uid;

	xa_for_each(&ctx_users, uid, user)
		ctx_user_put(user);
	xa_destroy(&ctx_users);
}

/* The first user from @uid on, with a reference; @uid becomes the one after. */
static struct ctx_user *ctx_user_next(unsigned long *uid)
{
	struct ctx_user *user;

	guard(rcu)();
	do
		user = xa_find(&ctx_users, uid, ULONG_MAX, XA_PRESENT);
	while (user && (++*uid, !refcount_inc_not_zero(&user->refs)));
	return user;
}

/**
 * ctx_user_each - call a function for each user
 * @func: may sleep
 *
 * Context: process. Of users that come or go meanwhile, some may be left out.
 */
void ctx_user_each(void (*func)(struct ctx_user *user))
{
	struct ctx_user *user;
	unsigned long uid = 0;

	while ((user = ctx_user_next(&uid))) {
		func(user);
		ctx_user_put(user);
	}
}

static struct ctx_user *ctx_user_alloc(kuid_t uid)
{
	struct ctx_user *user = kzalloc(sizeof(*user), GFP_KERNEL_ACCOUNT);

	if (!user)
		return NULL;
	if (ctx_count_init(&user->count)) {
		kfree(user);
		return NULL;
	}
	user->uid = uid;
	INIT_LIST_HEAD(&user->turn);
	INIT_LIST_HEAD(&user->late);
	INIT_LIST_HEAD(&user->signals);
	user->last = &user->first;
	ctx_wake_init(&user->wake);
	refcount_set(&user->refs, atomic_inc_return(&ctx_nr_users) <= CTX_USERS_KEPT ? 2 : 1);
	return user;
}

/* Puts @new where @uid has no user, or one that is going; or takes the one that is there. */
static struct ctx_user *ctx_user_insert(struct ctx_user *new)
{
	unsigned long uid = __kuid_val(new->uid);
	struct ctx_user *old, *found;

	do {
		xa_lock(&ctx_users);
		old = xa_load(&ctx_users, uid);
		if (old && refcount_inc_not_zero(&old->refs)) {
			xa_unlock(&ctx_users);
			return old;
		}
		/* Model: user_insert. Lets go of the lock to allocate; not where @old stands. */
		found = __xa_cmpxchg(&ctx_users, uid, old, new, GFP_KERNEL_ACCOUNT);
		xa_unlock(&ctx_users);
	} while (!xa_is_err(found) && found != old);
	return xa_is_err(found) ? NULL : new;
}

/* As ctx_user_get(), where he is not known to be there. */
struct ctx_user *ctx_user_find(void)
{
	kuid_t uid = current_uid();
	struct ctx_user *user, *new;

	scoped_guard(rcu) {
		user = xa_load(&ctx_users, __kuid_val(uid));
		/* Model: user_look. */
		if (user && refcount_inc_not_zero(&user->refs))
			return user;
	}
	new = ctx_user_alloc(uid);
	if (!new)
		return NULL;
	user = ctx_user_insert(new);
	if (user != new)
		ctx_user_free(new);
	return user;
}

/**
 * ctx_user_charge - count what a user is about to have
 * @user: who
 * @n: contexts, at most CTX_COUNT_MAX
 *
 * Context: process
 * Return: 0, or -ENOSPC where that were more than the user may have
 */
int ctx_user_charge(struct ctx_user *user, unsigned int n)
{
	if (!n || likely(ctx_count_try(&user->count, n, READ_ONCE(max_user_contexts))))
		return 0;
	if (!capable(CAP_SYS_RESOURCE))
		return -ENOSPC;
	ctx_count_add(&user->count, n);
	return 0;
}
