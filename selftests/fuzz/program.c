// SPDX-License-Identifier: GPL-2.0-only
/*
 * Random operations; see program.h. Most would succeed; in one of eight something is wrong.
 */
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "program.h"
#include "random.h"

#define KEY_SPACE	512
#define KEYS_SIZE	(KEYS * KEY_SPACE)

static unsigned char *const pool = (void *)PROGRAM_ADDRESS;
/* A page that cannot be read stands between the two. */
static char *const keys = (void *)(PROGRAM_ADDRESS + POOL_SIZE + 4096);

static int map(void *at, size_t size)
{
	return mmap(at, size, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == at ? 0 : -1;
}

int program_init(void)
{
	static const char * const text[] = { "a", "bb", "key", "user id" };
	struct rnd rnd = rnd_part(0, 0);
	unsigned int i;

	if (map(pool, POOL_SIZE) || map(keys, KEYS_SIZE))
		return -1;
	for (i = 0; i < POOL_SIZE; i++)
		pool[i] = 1 + rnd_below(&rnd, 255);
	for (i = 0; i < 4; i++)
		strcpy(keys + i * KEY_SPACE, text[i]);
	memset(keys + 4 * KEY_SPACE, 'x', CTX_KEY_MAX);
	memset(keys + 5 * KEY_SPACE, 'x', CTX_KEY_MAX + 1);
	memset(keys + 6 * KEY_SPACE, 'y', KEY_SPACE - 1);
	/* The last one is empty. */
	return mprotect(pool, POOL_SIZE, PROT_READ) || mprotect(keys, KEYS_SIZE, PROT_READ);
}

const unsigned char *program_pool(void)
{
	return pool;
}

const char *program_key(unsigned int i)
{
	return keys + i * KEY_SPACE;
}

static size_t bytes_left(uint64_t address, const void *start, size_t size)
{
	uint64_t at = address - (uintptr_t)start;

	return at < size ? size - at : 0;
}

/* How many bytes from @address on a call can write */
size_t program_writable(const struct op *op, uint64_t address)
{
	return bytes_left(address, op->memory, sizeof(*op->memory));
}

/* How many it can read */
size_t program_readable(const struct op *op, uint64_t address)
{
	return bytes_left(address, pool, POOL_SIZE) + bytes_left(address, keys, KEYS_SIZE) +
	       program_writable(op, address);
}

static uint64_t bad_address(struct rnd *rnd)
{
	switch (rnd_below(rnd, 5)) {
	case 0:
		return 0;
	case 1:
		return 8;
	case 2:
		return (uintptr_t)pool + POOL_SIZE - rnd_below(rnd, 4);
	case 3:
		return UINT64_MAX - rnd_below(rnd, 4096);
	default:
		return (uint64_t)1 << 63 | rnd_below(rnd, 4096);
	}
}

static int any_slot(struct rnd *rnd)
{
	return rnd_below(rnd, SLOTS);
}

static int any_out(struct rnd *rnd)
{
	return 1 + rnd_below(rnd, SLOTS - 1);
}

static uint32_t any_of(struct rnd *rnd, const uint32_t *values, unsigned int nr)
{
	return values[rnd_below(rnd, nr)];
}

#define ANY_OF(rnd, ...) ({						\
	static const uint32_t values_[] = { __VA_ARGS__ };		\
	any_of(rnd, values_, sizeof(values_) / sizeof(*values_));	\
})

/* Long past or far away: whether it has come must not depend on how fast this runs. */
static uint64_t any_instant(struct rnd *rnd)
{
	return rnd_below(rnd, 3) ? ((uint64_t)1 << 61) + (rnd_next(rnd) >> 4) : 1 + rnd_below(rnd, 1000);
}

static uint64_t any_timeout(struct rnd *rnd)
{
	switch (rnd_below(rnd, 6)) {
	case 0:
		return 0;
	case 1:
		return INT64_MAX;
	case 2:
		return UINT64_MAX;
	default:
		return 1000000000000 + (rnd_next(rnd) >> 12);
	}
}

static int32_t any_clock(struct rnd *rnd)
{
	return ANY_OF(rnd, CLOCK_MONOTONIC, CLOCK_REALTIME, CLOCK_BOOTTIME);
}

static void make_values(struct op *op, struct rnd *rnd, struct ctx_create_args *args)
{
	struct ctx_value *value = op->memory->values;
	unsigned int i, first = rnd_below(rnd, KEYS);

	args->values = (uintptr_t)value;
	args->nr_values = 1 + rnd_below(rnd, 3);
	for (i = 0; i < args->nr_values; i++, value++) {
		value->key = (uintptr_t)program_key((first + i) % 5);
		value->size = ANY_OF(rnd, 0, 1, 7, 16, 100, 4096);
		value->data = (uintptr_t)pool + rnd_below(rnd, POOL_SIZE - value->size);
	}
}

static void make_parents(struct op *op, struct rnd *rnd, struct ctx_create_args *args)
{
	unsigned int i;

	args->parents = (uintptr_t)op->memory->parents;
	args->nr_parents = 1 + rnd_below(rnd, rnd_one_in(rnd, 8) ? CTX_PARENTS_MAX : 3);
	for (i = 0; i < args->nr_parents; i++)
		op->parents[i] = any_slot(rnd);
}

static void spoil_value(struct rnd *rnd, struct ctx_value *value)
{
	switch (rnd_below(rnd, 6)) {
	case 0:
		value->key = bad_address(rnd);
		break;
	case 1:
		value->key = (uintptr_t)program_key(5 + rnd_below(rnd, 3));
		break;
	case 2:
		value->size = ANY_OF(rnd, CTX_VALUE_MAX + 1, UINT32_MAX);
		break;
	case 3:
		value->reserved = 1;
		break;
	default:
		value->data = bad_address(rnd);
		value->size |= 1;
		break;
	}
}

static void spoil_create(struct op *op, struct rnd *rnd, struct ctx_create_args *args)
{
	switch (rnd_below(rnd, 12)) {
	case 0:
		args->flags |= 1u << rnd_below(rnd, 32);
		break;
	case 1:
		args->fd_flags |= 1u << rnd_below(rnd, 32);
		break;
	case 2:
		args->reserved = 1u << rnd_below(rnd, 32);
		break;
	case 3:
		memset(args->name, 'n', sizeof(args->name));
		break;
	case 4:
		args->clockid = (int32_t)rnd_below(rnd, 14) - 2;
		break;
	case 5:
		args->deadline |= (uint64_t)1 << 63;
		break;
	case 6:
		args->nr_values = ANY_OF(rnd, CTX_VALUES_MAX + 1, UINT32_MAX, 1 << 28);
		break;
	case 7:
		args->values = bad_address(rnd);
		break;
	case 8:
		args->nr_parents = ANY_OF(rnd, CTX_PARENTS_MAX + 1, UINT32_MAX, 1 << 30);
		break;
	case 9:
		args->parents = bad_address(rnd);
		break;
	case 10:
		op->parents[rnd_below(rnd, 2)] = -1 - (int)rnd_below(rnd, 3);
		break;
	default:
		if (args->nr_values > 1 && rnd_one_in(rnd, 2))
			op->memory->values[1].key = op->memory->values[0].key;
		else
			spoil_value(rnd, &op->memory->values[0]);
		break;
	}
}

static void make_create(struct op *op, struct rnd *rnd)
{
	struct ctx_create_args *args = (void *)op->memory->args;

	op->cmd = CTX_IOC_CREATE;
	op->out = any_out(rnd);
	/* Without roots there is nothing to be a child of. */
	if (rnd_one_in(rnd, 4))
		op->slot = BACKGROUND;
	args->fd_flags = rnd_below(rnd, 4);
	args->clockid = any_clock(rnd);
	if (rnd_one_in(rnd, 4))
		args->flags |= CTX_CREATE_DETACHED;
	else if (rnd_one_in(rnd, 4))
		args->flags |= CTX_CREATE_OWNED;
	if (rnd_one_in(rnd, 6))
		args->flags |= CTX_CREATE_WITHOUT_CANCEL;
	if (rnd_one_in(rnd, 6)) {
		args->flags |= CTX_CREATE_TIMEOUT;
		args->deadline = any_timeout(rnd);
	} else if (rnd_one_in(rnd, 5)) {
		args->deadline = any_instant(rnd);
	}
	if (rnd_one_in(rnd, 3))
		memcpy(args->name, pool + rnd_below(rnd, 99), rnd_below(rnd, CTX_NAME_LEN));
	if (rnd_one_in(rnd, 4))
		make_values(op, rnd, args);
	if (rnd_one_in(rnd, 4))
		make_parents(op, rnd, args);
	if (rnd_one_in(rnd, 8))
		spoil_create(op, rnd, args);
}

static void make_cancel(struct op *op, struct rnd *rnd)
{
	struct ctx_cancel_args *args = (void *)op->memory->args;

	op->cmd = CTX_IOC_CANCEL;
	args->cause = ANY_OF(rnd, 0, 1, EPIPE, 125, INT_MAX);
	if (rnd_one_in(rnd, 2))
		args->message_len = ANY_OF(rnd, 1, 5, 127, CTX_MESSAGE_MAX);
	args->message = (uintptr_t)pool + rnd_below(rnd, POOL_SIZE - CTX_MESSAGE_MAX);
	if (!rnd_one_in(rnd, 8))
		return;
	switch (rnd_below(rnd, 3)) {
	case 0:
		args->cause = INT_MIN + rnd_below(rnd, INT_MAX);
		break;
	case 1:
		args->message_len = ANY_OF(rnd, CTX_MESSAGE_MAX + 1, UINT32_MAX);
		break;
	default:
		args->message = bad_address(rnd);
		break;
	}
}

static void make_watch(struct op *op, struct rnd *rnd)
{
	uint32_t *fd_flags = (void *)op->memory->args;

	op->cmd = CTX_IOC_WATCH;
	op->out = any_out(rnd);
	*fd_flags = rnd_below(rnd, 4) | (rnd_one_in(rnd, 8) ? 1u << rnd_below(rnd, 32) : 0);
	if (rnd_one_in(rnd, 3))
		*fd_flags |= CTX_WATCH_ONLY;
}

static void make_set_deadline(struct op *op, struct rnd *rnd)
{
	struct ctx_deadline_args *args = (void *)op->memory->args;

	op->cmd = CTX_IOC_SET_DEADLINE;
	args->clockid = any_clock(rnd);
	if (rnd_one_in(rnd, 2)) {
		args->flags = CTX_CREATE_TIMEOUT;
		args->deadline = any_timeout(rnd);
	} else if (!rnd_one_in(rnd, 4)) {
		args->deadline = any_instant(rnd);
	}
	if (!rnd_one_in(rnd, 8))
		return;
	switch (rnd_below(rnd, 3)) {
	case 0:
		args->flags |= 1u << rnd_below(rnd, 32);
		break;
	case 1:
		args->clockid = (int32_t)rnd_below(rnd, 14) - 2;
		break;
	default:
		args->deadline |= (uint64_t)1 << 63;
		break;
	}
}

static void make_get_value(struct op *op, struct rnd *rnd)
{
	struct ctx_value *value = (void *)op->memory->args;

	op->cmd = CTX_IOC_GET_VALUE;
	value->key = (uintptr_t)program_key(rnd_below(rnd, rnd_one_in(rnd, 8) ? KEYS : 5));
	value->size = ANY_OF(rnd, 0, 1, 6, 7, 8, 15, 16, 99, 100, 4095, 4096, 4096);
	value->data = (uintptr_t)op->memory->out;
	memset(op->memory->out, UNTOUCHED, OUT_SIZE);
	if (!rnd_one_in(rnd, 8))
		return;
	switch (rnd_below(rnd, 4)) {
	case 0:
		value->key = bad_address(rnd);
		break;
	case 1:
		value->data = bad_address(rnd);
		break;
	case 2:
		value->size = ANY_OF(rnd, CTX_VALUE_MAX + 1, UINT32_MAX);
		break;
	default:
		value->reserved = 1;
		break;
	}
}

static void make_info(struct op *op, __attribute__((unused)) struct rnd *rnd)
{
	op->cmd = CTX_IOC_INFO;
	op->arg = (uintptr_t)op->memory->out;
	memset(op->memory->out, UNTOUCHED, OUT_SIZE);
}

/* Another size: shorter, longer with zeroes after it, or with something else. */
static void change_size(struct op *op, struct rnd *rnd)
{
	unsigned int known = _IOC_SIZE(op->cmd), size = rnd_below(rnd, ARGS_SIZE + 1);

	if (rnd_one_in(rnd, 2))
		size = known + rnd_below(rnd, 64);
	if (size > known && rnd_one_in(rnd, 2))
		op->memory->args[known + rnd_below(rnd, size - known)] = 1 + rnd_below(rnd, 255);
	op->cmd = ANY_SIZE(op->cmd) | size << _IOC_SIZESHIFT;
}

/* The program's own code may stand at any address of user space: so none but those above. */
static void make_address_known(uint64_t *address)
{
	if (*address > 4096)
		*address |= (uint64_t)1 << 63;
}

static void make_addresses_known(struct op *op)
{
	struct ctx_create_args *create = (void *)op->memory->args;
	struct ctx_cancel_args *cancel = (void *)op->memory->args;
	struct ctx_value *value = (void *)op->memory->args;

	switch (_IOC_NR(op->cmd)) {
	case _IOC_NR(CTX_IOC_CREATE):
		make_address_known((uint64_t *)&create->values);
		make_address_known((uint64_t *)&create->parents);
		break;
	case _IOC_NR(CTX_IOC_CANCEL):
		make_address_known((uint64_t *)&cancel->message);
		break;
	case _IOC_NR(CTX_IOC_GET_VALUE):
		make_address_known((uint64_t *)&value->key);
		make_address_known((uint64_t *)&value->data);
		break;
	}
}

/* Any number, any bytes: most of them zero, since few other bytes pass the first check. */
static void make_raw(struct op *op, struct rnd *rnd)
{
	unsigned int i, n = rnd_below(rnd, 6);
	uint32_t direction = ANY_OF(rnd, _IOC_WRITE, _IOC_WRITE, _IOC_READ, _IOC_NONE,
				    _IOC_READ | _IOC_WRITE);

	op->cmd = _IOC(direction, rnd_one_in(rnd, 8) ? rnd_below(rnd, 256) : CTX_IOC_MAGIC,
		       rnd_below(rnd, 9), rnd_below(rnd, ARGS_SIZE + 1));
	memset(op->memory->out, UNTOUCHED, OUT_SIZE);
	for (i = 0; i < n; i++)
		op->memory->args[rnd_below(rnd, 128)] = rnd_next(rnd);
	make_addresses_known(op);
	if (ANY_SIZE(op->cmd) == ANY_SIZE(CTX_IOC_CREATE) ||
	    ANY_SIZE(op->cmd) == ANY_SIZE(CTX_IOC_WATCH))
		op->out = any_out(rnd);
	if (ANY_SIZE(op->cmd) == ANY_SIZE(CTX_IOC_INFO))
		op->arg = (uintptr_t)op->memory->out;
}

static void make_ioctl(struct op *op, struct rnd *rnd)
{
	static void (*const make[])(struct op *op, struct rnd *rnd) = {
		make_create, make_create, make_create, make_create, make_create, make_create,
		make_cancel, make_cancel, make_watch, make_watch, make_set_deadline,
		make_set_deadline, make_get_value, make_get_value, make_info, make_raw,
	};

	op->arg = (uintptr_t)op->memory->args;
	make[rnd_below(rnd, sizeof(make) / sizeof(*make))](op, rnd);
	if (rnd_one_in(rnd, 16))
		change_size(op, rnd);
	if (rnd_one_in(rnd, 64))
		op->arg = bad_address(rnd);
}

#define ASKED_PARENT	(offsetof(struct ctx_info, parent_id) << 8)

/* The id is put at the beginning of the structure when it is known. */
static void make_open(struct op *op, struct rnd *rnd)
{
	struct ctx_open_args *args = (void *)op->memory->args;

	op->slot = BACKGROUND;
	op->index = any_slot(rnd) | (rnd_one_in(rnd, 3) ? ASKED_PARENT : 0);
	op->out = any_out(rnd);
	op->cmd = CTX_IOC_OPEN;
	op->arg = (uintptr_t)args;
	args->flags = rnd_below(rnd, 2) ? CTX_OPEN_CONTROL : 0;
	args->fd_flags = rnd_below(rnd, 4);
	if (rnd_one_in(rnd, 16))
		args->flags |= 1u << rnd_below(rnd, 32);
	if (rnd_one_in(rnd, 16))
		args->fd_flags |= 1u << rnd_below(rnd, 32);
}

static void make_list(struct op *op, struct rnd *rnd)
{
	struct ctx_list_args *args = (void *)op->memory->args;

	op->slot = BACKGROUND;
	op->index = any_slot(rnd);
	op->cmd = CTX_IOC_LIST;
	op->arg = (uintptr_t)args;
	memset(op->memory->out, UNTOUCHED, OUT_SIZE);
	args->ids = (uintptr_t)op->memory->out;
	args->nr = 1;
}

static void make_near_deadline(struct op *op, struct rnd *rnd)
{
	struct ctx_deadline_args *args = (void *)op->memory->args;

	op->cmd = CTX_IOC_SET_DEADLINE;
	op->arg = (uintptr_t)args;
	args->clockid = any_clock(rnd);
	args->flags = CTX_CREATE_TIMEOUT;
	args->deadline = 1 + rnd_below(rnd, op->kind == OP_EXPIRE ? 50000 : 400000);
}

static enum op_kind kind_by_percent(struct rnd *rnd, const unsigned char *percent)
{
	unsigned int n = rnd_below(rnd, 100);
	enum op_kind kind;

	for (kind = 0; n >= percent[kind]; kind++)
		n -= percent[kind];
	return kind;
}

static enum op_kind any_kind(struct rnd *rnd, bool apart)
{
	static const unsigned char percent[OP_KINDS] = {
		[OP_IOCTL] = 72, [OP_CLOSE] = 7, [OP_DUP] = 3, [OP_POLL] = 1, [OP_READ] = 5,
		[OP_MMAP] = 3, [OP_MUNMAP] = 1, [OP_WAIT] = 5, [OP_UNWAIT] = 2,
		[OP_OPEN] = 1,
	};
	static const unsigned char percent_apart[OP_KINDS] = {
		[OP_IOCTL] = 51, [OP_CLOSE] = 5, [OP_DUP] = 2, [OP_POLL] = 1, [OP_READ] = 2,
		[OP_EXPIRE] = 1, [OP_FORK] = 9, [OP_EXEC] = 2, [OP_KILL] = 4, [OP_SEND] = 4,
		[OP_RECEIVE] = 4, [OP_PURGE] = 2, [OP_BLOCK] = 9, [OP_ASYNC] = 1,
		[OP_OPEN] = 2, [OP_LIST] = 1,
	};

	if (apart)
		return kind_by_percent(rnd, percent_apart);
	/* These wait for clocks, which costs as much as a thousand others. */
	if (rnd_one_in(rnd, 2000))
		return rnd_one_in(rnd, 2) ? OP_EXPIRE : OP_LAPSE;
	/* It looks through the table of all contexts. */
	if (rnd_one_in(rnd, 500))
		return OP_LIST;
	return kind_by_percent(rnd, percent);
}

/* What a program has beside its operations: a part after theirs */
static struct rnd rnd_program(uint64_t seed)
{
	return rnd_part(seed, OPS_MAX);
}

/* Whether it runs as a user who may have USER_CONTEXTS. */
bool program_is_limited(uint64_t seed)
{
	struct rnd rnd = rnd_program(seed);

	return rnd_one_in(&rnd, 4);
}

/* How often each storey of its tower has the one below as a further parent; 0 for no tower */
static unsigned int tower_width(uint64_t seed)
{
	struct rnd rnd = rnd_program(seed);

	rnd_next(&rnd);
	return rnd_one_in(&rnd, 4) ? ANY_OF(&rnd, 1, 1, 2, 8) : 0;
}

/*
 * In some programs much is built on the context that was built last: so there are many ways up,
 * and many edges to further parents in a row. Nothing else fills its slot.
 */
static void make_storey(struct op *op, struct rnd *rnd, unsigned int width, bool first)
{
	struct ctx_create_args *args = (void *)op->memory->args;
	unsigned int i;

	op->kind = OP_IOCTL;
	op->cmd = CTX_IOC_CREATE;
	op->arg = (uintptr_t)args;
	op->slot = first || !rnd_one_in(rnd, 4) ? BACKGROUND : TOWER;
	op->out = TOWER;
	op->look = rnd_one_in(rnd, 3) ? any_slot(rnd) : TOWER;
	/* Else it goes with the descriptor whose place the next one takes. */
	args->flags = rnd_one_in(rnd, 16) ? 0 : CTX_CREATE_DETACHED;
	if (rnd_one_in(rnd, 16))
		args->flags |= CTX_CREATE_WITHOUT_CANCEL;
	if (first || (op->slot == TOWER && rnd_one_in(rnd, 2)))
		return;
	args->parents = (uintptr_t)op->memory->parents;
	args->nr_parents = width;
	for (i = 0; i < width; i++)
		op->parents[i] = rnd_one_in(rnd, 32) ? any_slot(rnd) : TOWER;
}

static bool has_family(uint64_t seed)
{
	struct rnd rnd = rnd_program(seed);

	return rnd_below(&rnd, 3) == 1;
}

#define FAMILY_OPS	7

/*
 * In some programs of several processes the second owns a few contexts, and the third waits on the
 * lowest of them: else hardly anybody who is killed would leave anybody waiting.
 */
static void make_family(struct op *op, struct rnd *rnd, unsigned int i)
{
	struct ctx_create_args *args = (void *)op->memory->args;

	op->process = i > 0;
	op->slot = i + 1;
	op->out = i + 2;
	switch (i) {
	case 0:
	case 5:
		op->kind = OP_FORK;
		op->index = i ? 2 : 1;
		op->cmd = i ? WATCHES : COPIES;
		op->out = -1;
		break;
	case 4:
		op->kind = OP_IOCTL;
		op->cmd = CTX_IOC_WATCH;
		op->arg = (uintptr_t)args;
		break;
	case 6:
		op->kind = OP_BLOCK;
		op->process = 2;
		op->slot = 6;
		op->out = -1;
		op->cmd = rnd_below(rnd, MANNERS);
		op->arg = (uintptr_t)op->memory->out;
		break;
	default:
		op->kind = OP_IOCTL;
		op->cmd = CTX_IOC_CREATE;
		op->arg = (uintptr_t)args;
		if (i == 1)
			op->slot = BACKGROUND;
		else
			args->flags = CTX_CREATE_DETACHED;
		if (i == 3 && rnd_one_in(rnd, 2)) {
			op->slot = BACKGROUND;
			args->parents = (uintptr_t)op->memory->parents;
			args->nr_parents = 1;
			op->parents[0] = 4;
		}
		break;
	}
}

static void leave_tower(struct op *op)
{
	if (op->out == TOWER)
		op->out++;
	if (op->slot == TOWER && (op->kind == OP_CLOSE || op->kind == OP_PURGE))
		op->slot++;
}

/*
 * Makes @op, whose @memory is there, the operation @i of the program that @seed stands for, which
 * runs in one process, or @apart in several.
 */
void op_make(struct op *op, uint64_t seed, unsigned int i, bool apart)
{
	struct rnd rnd = rnd_part(seed, i);
	unsigned int p, width = tower_width(seed);

	memset(op->memory, 0, offsetof(struct op_memory, out));
	op->kind = any_kind(&rnd, apart);
	op->process = apart ? rnd_below(&rnd, PROCESSES) : 0;
	op->viewer = apart ? rnd_below(&rnd, PROCESSES) : 0;
	op->slot = any_slot(&rnd);
	op->out = -1;
	op->index = 0;
	op->cmd = 0;
	op->arg = 0;
	op->look = any_slot(&rnd);
	for (p = 0; p <= CTX_PARENTS_MAX; p++)
		op->parents[p] = PARENT_NONE;
	if (apart && has_family(seed) && i < FAMILY_OPS) {
		make_family(op, &rnd, i);
		return;
	}
	if (width && (!i || rnd_one_in(&rnd, 3))) {
		make_storey(op, &rnd, width, !i);
		return;
	}

	switch (op->kind) {
	case OP_IOCTL:
		make_ioctl(op, &rnd);
		break;
	case OP_CLOSE:
		op->slot = any_out(&rnd);
		break;
	case OP_DUP:
		op->out = any_out(&rnd);
		break;
	case OP_READ:
		memset(op->memory->out, UNTOUCHED, OUT_SIZE);
		op->cmd = ANY_OF(&rnd, 16, 16, 16, 16, 0, 15, 64);
		op->arg = rnd_one_in(&rnd, 8) ? bad_address(&rnd) : (uintptr_t)op->memory->out;
		break;
	case OP_MMAP:
		op->cmd = ANY_OF(&rnd, PROT_READ, PROT_READ, PROT_READ, PROT_READ | PROT_WRITE,
				 PROT_WRITE, PROT_READ | PROT_EXEC);
		op->index = rnd_below(&rnd, MAPS);
		break;
	case OP_MUNMAP:
		op->index = rnd_below(&rnd, MAPS);
		break;
	case OP_WAIT:
	case OP_UNWAIT:
		op->index = rnd_below(&rnd, WAITERS);
		break;
	case OP_OPEN:
		make_open(op, &rnd);
		break;
	case OP_LIST:
		make_list(op, &rnd);
		break;
	case OP_FORK:
	case OP_KILL:
		op->index = 1 + rnd_below(&rnd, PROCESSES - 1);
		op->cmd = rnd_below(&rnd, KINS);
		break;
	case OP_RECEIVE:
		op->out = any_out(&rnd);
		op->index = rnd_below(&rnd, QUEUES);
		break;
	case OP_SEND:
		op->index = rnd_below(&rnd, QUEUES);
		break;
	case OP_PURGE:
		op->slot = any_out(&rnd);
		op->cmd = rnd_below(&rnd, 2);
		break;
	case OP_BLOCK:
		op->cmd = rnd_below(&rnd, MANNERS);
		op->arg = (uintptr_t)op->memory->out;
		break;
	case OP_EXPIRE:
	case OP_LAPSE:
		make_near_deadline(op, &rnd);
		break;
	default:
		break;
	}
	if (width)
		leave_tower(op);
	/* What it has to do with is looked at more often than anything else. */
	if (!rnd_one_in(&rnd, 3))
		op->look = op->out >= 0 ? op->out : op->slot;
}

static void print_create(FILE *to, const struct op *op)
{
	const struct ctx_create_args *args = (const void *)op->memory->args;
	unsigned int i;

	fprintf(to, " flags=0x%x fd_flags=0x%x clock=%d deadline=%llu name=%zu", args->flags,
		args->fd_flags, args->clockid, (unsigned long long)args->deadline,
		strnlen(args->name, sizeof(args->name)));
	if (args->nr_values)
		fprintf(to, " values=%u", args->nr_values);
	for (i = 0; args->values && i < args->nr_values && i <= CTX_VALUES_MAX; i++)
		fprintf(to, " [key %d, %u bytes]",
			(int)(op->memory->values[i].key - (uintptr_t)keys) / KEY_SPACE,
			op->memory->values[i].size);
	if (args->nr_parents)
		fprintf(to, " parents=%u", args->nr_parents);
	for (i = 0; args->parents && i < args->nr_parents && i <= CTX_PARENTS_MAX; i++)
		fprintf(to, " slot %d", op->parents[i]);
}

static void print_ioctl(FILE *to, const struct op *op)
{
	const struct ctx_cancel_args *cancel = (const void *)op->memory->args;
	const struct ctx_deadline_args *deadline = (const void *)op->memory->args;
	const struct ctx_value *value = (const void *)op->memory->args;
	const char *names[] = { "create", "cancel", "watch", "set_deadline", "info", "get_value" };
	unsigned int i, nr = _IOC_NR(op->cmd);

	fprintf(to, "%s slot %d", nr < 6 ? names[nr] : "ioctl", op->slot);
	if (op->out >= 0)
		fprintf(to, " -> slot %d", op->out);
	fprintf(to, " (0x%x, %u bytes%s)", op->cmd, _IOC_SIZE(op->cmd),
		program_readable(op, op->arg) ? "" : ", bad address");
	switch (ANY_SIZE(op->cmd)) {
	case ANY_SIZE(CTX_IOC_CREATE):
		print_create(to, op);
		break;
	case ANY_SIZE(CTX_IOC_CANCEL):
		fprintf(to, " cause=%d message_len=%u", cancel->cause, cancel->message_len);
		break;
	case ANY_SIZE(CTX_IOC_SET_DEADLINE):
		fprintf(to, " flags=0x%x clock=%d deadline=%llu", deadline->flags,
			deadline->clockid, (unsigned long long)deadline->deadline);
		break;
	case ANY_SIZE(CTX_IOC_GET_VALUE):
		fprintf(to, " key %d size=%u", (int)(value->key - (uintptr_t)keys) / KEY_SPACE,
			value->size);
		break;
	}
	fputs(" bytes", to);
	for (i = 0; i < 24; i++)
		fprintf(to, " %02x", op->memory->args[i]);
	putc('\n', to);
}

void op_print(FILE *to, const struct op *op)
{
	static const char * const names[OP_KINDS] = {
		[OP_CLOSE] = "close", [OP_DUP] = "dup", [OP_POLL] = "poll", [OP_READ] = "read",
		[OP_MMAP] = "mmap", [OP_MUNMAP] = "munmap", [OP_WAIT] = "wait",
		[OP_UNWAIT] = "unwait", [OP_OPEN] = "open", [OP_LIST] = "list",
		[OP_EXPIRE] = "expire", [OP_LAPSE] = "lapse",
		[OP_FORK] = "fork", [OP_EXEC] = "exec", [OP_KILL] = "kill", [OP_SEND] = "send",
		[OP_RECEIVE] = "receive", [OP_PURGE] = "purge", [OP_BLOCK] = "block",
		[OP_ASYNC] = "async",
	};

	fprintf(to, "process %u: ", op->process);
	if (op->kind == OP_IOCTL) {
		print_ioctl(to, op);
		return;
	}
	fprintf(to, "%s slot %d", names[op->kind], op->slot);
	if (op->out >= 0)
		fprintf(to, " -> slot %d", op->out);
	fprintf(to, " index %u %u\n", op->index, op->cmd);
}
