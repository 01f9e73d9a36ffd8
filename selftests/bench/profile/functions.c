// SPDX-License-Identifier: GPL-2.0-only
/*
 * A plugin of QEMU that counts the instructions that a guest runs between the marks of the
 * benchmark. As it ends, each block of code that ran there is a line in the file that "out="
 * names: its address, how often it ran, and the instructions that it has.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "marks.h"

int qemu_plugin_version = 1;

struct block {
	struct block	*next;
	uint64_t	address;
	uint64_t	runs;
	size_t		length;
};

static struct block *blocks;
static bool counting;
static const char *out;

static void run(unsigned int cpu, void *data)
{
	struct block *block = data;

	(void)cpu;
	block->runs += counting;
}

static void mark(unsigned int cpu, void *data)
{
	(void)cpu;
	counting = data;
}

static void translate(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	struct block *block = calloc(1, sizeof(*block));
	size_t n;

	(void)id;
	block->address = qemu_plugin_tb_vaddr(tb);
	block->length = qemu_plugin_tb_n_insns(tb);
	block->next = blocks;
	blocks = block;
	qemu_plugin_register_vcpu_tb_exec_cb(tb, run, NO_REGISTERS, block);
	for (n = 0; n < block->length; n++)
		find_mark(qemu_plugin_tb_get_insn(tb, n), mark);
}

static void finish(qemu_plugin_id_t id, void *data)
{
	FILE *file = fopen(out, "w");

	(void)id;
	(void)data;
	if (!file)
		return;
	for (; blocks; blocks = blocks->next)
		if (blocks->runs)
			fprintf(file, "%016llx %llu %zu\n", (unsigned long long)blocks->address,
				(unsigned long long)blocks->runs, blocks->length);
	fclose(file);
}

int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info *info, int argc, char **argv)
{
	(void)info;
	if (argc != 1 || strncmp(argv[0], "out=", 4))
		return -1;
	out = strdup(argv[0] + 4);
	qemu_plugin_register_vcpu_tb_trans_cb(id, translate);
	qemu_plugin_register_atexit_cb(id, finish, NULL);
	return 0;
}
