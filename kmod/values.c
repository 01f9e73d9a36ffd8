// SPDX-License-Identifier: GPL-2.0-only
/*
 * Values: set at creation, never changed, and so looked up without a lock.
 */
#include <linux/err.h>
#include <linux/jhash.h>
#include <linux/mm.h>
#include <linux/overflow.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "ctx.h"

/* A caller's structures that are copied to the stack, which the kernel may be one to clear */
#define CTX_FEW_VALUES	2

/**
 * struct ctx_values_entry - a key and its value
 * @key: NUL-terminated; the value follows it
 * @hash: of the key
 * @key_size: bytes at @key, its NUL among them
 * @size: bytes of the value
 */
struct ctx_values_entry {
	char	*key;
	u32	hash;
	u16	key_size;
	u16	size;
};

/**
 * struct ctx_values - the values of a context
 * @nr: how many
 * @entries: followed by the keys and the values
 */
struct ctx_values {
	unsigned int		nr;
	struct ctx_values_entry	entries[];
};

static const struct ctx_values_entry *ctx_values_find(const struct ctx_values *values,
						      const char *key, size_t key_size, u32 hash)
{
	const struct ctx_values_entry *entry;

	for (entry = values->entries; entry < values->entries + values->nr; entry++)
		if (entry->hash == hash && entry->key_size == key_size &&
		    !memcmp(entry->key, key, key_size))
			return entry;
	return NULL;
}

/*
 * Return: the bytes of the key with its NUL; -EFAULT, or -EINVAL where it is
 *	empty or too long
 */
static int ctx_key_size(u64 key)
{
	long size = strnlen_user(u64_to_user_ptr(key), CTX_KEY_MAX + 1);

	/* 0 for a bad address; but -EFAULT under User Mode Linux */
	if (size <= 0)
		return -EFAULT;
	return size < 2 || size > CTX_KEY_MAX + 1 ? -EINVAL : size;
}

/* Copies @value to the end of @values, at @buf, where there are @key_size + size bytes. */
static int ctx_values_add(struct ctx_values *values, char *buf, int key_size,
			  const struct ctx_value *value)
{
	struct ctx_values_entry *entry = &values->entries[values->nr];
	long len;

	len = strncpy_from_user(buf, u64_to_user_ptr(value->key), key_size);
	if (len < 0)
		return len;
	/* The caller may have changed it meanwhile. */
	if (len != key_size - 1)
		return -EINVAL;
	if (copy_from_user(buf + key_size, u64_to_user_ptr(value->data), value->size))
		return -EFAULT;

	entry->key = buf;
	entry->hash = jhash(buf, key_size, 0);
	entry->key_size = key_size;
	entry->size = value->size;
	if (ctx_values_find(values, buf, key_size, entry->hash))
		return -EINVAL;
	values->nr++;
	return 0;
}

/* What a caller gives for each of @nr values, which @few has room for CTX_FEW_VALUES of. */
static struct ctx_value *ctx_values_copy(struct ctx_value *few, const struct ctx_value __user *from,
					 unsigned int nr)
{
	unsigned int i;

	if (nr > CTX_FEW_VALUES)
		return memdup_user(from, nr * sizeof(*from));
	for (i = 0; i < nr; i++)
		if (copy_from_user(&few[i], &from[i], sizeof(*from)))
			return ERR_PTR(-EFAULT);
	return few;
}

/* As ctx_values_read(), where the caller's structures are at @value. Changes them. */
static int ctx_values_make(struct ctx *ctx, struct ctx_value *value, unsigned int nr)
{
	size_t size = struct_size(ctx->values, entries, nr);
	unsigned int i;
	char *buf;
	int ret;

	for (i = 0; i < nr; i++) {
		if (value[i].size > CTX_VALUE_MAX || value[i].reserved)
			return -EINVAL;
		ret = ctx_key_size(value[i].key);
		if (ret < 0)
			return ret;
		value[i].reserved = ret;
		size += ret + value[i].size;
	}
	ret = ctx_charge_bytes(ctx, size);
	if (ret)
		return ret;
	ctx->values = kvmalloc(size, GFP_KERNEL_ACCOUNT);
	if (!ctx->values)
		return -ENOMEM;

	ctx->values->nr = 0;
	buf = (char *)&ctx->values->entries[nr];
	for (i = 0; i < nr; i++) {
		ret = ctx_values_add(ctx->values, buf, value[i].reserved, &value[i]);
		if (ret)
			return ret;
		buf += value[i].reserved + value[i].size;
	}
	return 0;
}

/**
 * ctx_values_read - read the values that a caller gives
 * @ctx: fresh from ctx_alloc(); gets @values
 * @args: the caller's
 *
 * Return: 0, -EFAULT, -EINVAL, -ENOMEM or -ENOSPC; ctx_put() undoes it
 */
int ctx_values_read(struct ctx *ctx, const struct ctx_create_args *args)
{
	struct ctx_value few[CTX_FEW_VALUES], *value;
	int ret;

	if (args->nr_values > CTX_VALUES_MAX)
		return -EINVAL;
	value = ctx_values_copy(few, u64_to_user_ptr(args->values), args->nr_values);
	if (IS_ERR(value))
		return PTR_ERR(value);
	ret = ctx_values_make(ctx, value, args->nr_values);
	if (value != few)
		kfree(value);
	return ret;
}

/**
 * ctx_values_get - give a caller the value that it asks for
 * @ctx: where to begin; up from there, the nearest that has the key
 * @value: the caller's
 *
 * Return: the value's length, -EFAULT, -EINVAL, -ENODATA or -ERANGE
 */
int ctx_values_get(struct ctx *ctx, const struct ctx_value *value)
{
	const struct ctx_values_entry *entry = NULL;
	char key[CTX_KEY_MAX + 1];
	long len;
	u32 hash;

	if (value->size > CTX_VALUE_MAX || value->reserved)
		return -EINVAL;
	len = strncpy_from_user(key, u64_to_user_ptr(value->key), sizeof(key));
	if (len < 0)
		return len;
	if (!len || len == sizeof(key))
		return -EINVAL;

	hash = jhash(key, len + 1, 0);
	for (; ctx && !entry; ctx = ctx->parent)
		if (ctx->values)
			entry = ctx_values_find(ctx->values, key, len + 1, hash);
	if (!entry)
		return -ENODATA;
	if (!value->size)
		return entry->size;
	if (value->size < entry->size)
		return -ERANGE;
	if (copy_to_user(u64_to_user_ptr(value->data), entry->key + entry->key_size, entry->size))
		return -EFAULT;
	return entry->size;
}
