// SPDX-License-Identifier: GPL-2.0-only
/*
 * A plugin of QEMU that counts the atomic operations that the two processors of a guest do in its
 * kernel, each between the marks of the benchmark, on cache lines that both use likewise. When the
 * n-th time is over for both, each instruction that did such is a line in the file that "out="
 * names, with ".n" added: its address, how often, and 1.
 *
 * Atomic is what has a lock prefix, and what exchanges a register with memory. Processors use a
 * line likewise where each uses it for a tenth at least of what the busiest line is used for: that
 * leaves out what is done for many at once, and what comes now and then, as a tick does. It takes
 * one thread of QEMU for all processors.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "marks.h"

#define KERNEL	(1ULL << 63)
#define LINE	6	/* bits of addresses within a line */
#define SLOTS	(1 << 18)

int qemu_plugin_version = 1;

/* What an instruction did to a line. */
struct use {
	uint64_t	line;
	uint64_t	insn;
	uint64_t	nr;
};

/* What the processors did to a line, or what an instruction did to shared lines. */
struct sum {
	uint64_t	key;
	uint64_t	nr[2];
};

static struct use uses[SLOTS];
static struct sum lines[SLOTS], insns[SLOTS];
static bool counting[2];
static bool begun[2];	/* an atomic operation that has not come to its memory yet */
static unsigned int windows;
static const char *out;

static size_t slot_of(uint64_t key)
{
	return key * 0x9e3779b97f4a7c15ULL >> 46;
}

static struct sum *find(struct sum *sums, uint64_t key)
{
	size_t n = slot_of(key);

	while (sums[n].key && sums[n].key != key)
		n = (n + 1) % SLOTS;
	sums[n].key = key;
	return &sums[n];
}

static void begin(unsigned int cpu, void *data)
{
	(void)data;
	begun[cpu] = counting[cpu];
}

/* Loads and stores: of one operation there may be several. */
static void access(unsigned int cpu, uint32_t info, uint64_t address, void *insn)
{
	uint64_t line = address >> LINE;
	size_t n = slot_of(line ^ (uint64_t)insn << 32);

	(void)info;
	if (!begun[cpu] || address < KERNEL)
		return;
	begun[cpu] = false;
	while (uses[n].nr && (uses[n].line != line || uses[n].insn != (uint64_t)insn))
		n = (n + 1) % SLOTS;
	uses[n].line = line;
	uses[n].insn = (uint64_t)insn;
	uses[n].nr++;
	find(lines, line)->nr[cpu]++;
}

static uint64_t least(const struct sum *line)
{
	return line->nr[0] < line->nr[1] ? line->nr[0] : line->nr[1];
}

static void write_down(void)
{
	uint64_t busiest = 0;
	char name[4096];
	FILE *file;
	size_t n;

	snprintf(name, sizeof(name), "%s.%u", out, ++windows);
	file = fopen(name, "w");
	if (!file)
		abort();
	for (n = 0; n < SLOTS; n++)
		if (least(&lines[n]) > busiest)
			busiest = least(&lines[n]);
	for (n = 0; n < SLOTS; n++)
		if (uses[n].nr && 10 * least(find(lines, uses[n].line)) >= busiest)
			find(insns, uses[n].insn)->nr[0] += uses[n].nr;
	for (n = 0; n < SLOTS; n++)
		if (insns[n].nr[0])
			fprintf(file, "%016llx %llu 1\n", (unsigned long long)insns[n].key,
				(unsigned long long)insns[n].nr[0]);
	fclose(file);
	memset(uses, 0, sizeof(uses));
	memset(lines, 0, sizeof(lines));
	memset(insns, 0, sizeof(insns));
}

static void mark(unsigned int cpu, void *data)
{
	counting[cpu] = data;
	if (!counting[0] && !counting[1])
		write_down();
}

static bool is_atomic(const struct qemu_plugin_insn *insn)
{
	const unsigned char *data = qemu_plugin_insn_data(insn);
	size_t size = qemu_plugin_insn_size(insn), n = 0;

	while (n < size && memchr("\x26\x2e\x36\x3e\x64\x65\x66\x67\xf2\xf3", data[n], 10))
		n++;
	if (n < size && data[n] == 0xf0)
		return true;
	n += n < size && (data[n] & 0xf0) == 0x40;	/* REX */
	return n + 1 < size && (data[n] == 0x86 || data[n] == 0x87) && data[n + 1] < 0xc0;
}

static void translate(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	struct qemu_plugin_insn *insn;
	size_t n;

	(void)id;
	for (n = 0; n < qemu_plugin_tb_n_insns(tb); n++) {
		insn = qemu_plugin_tb_get_insn(tb, n);
		find_mark(insn, mark);
		if (!is_atomic(insn))
			continue;
		qemu_plugin_register_vcpu_insn_exec_cb(insn, begin, NO_REGISTERS, NULL);
		qemu_plugin_register_vcpu_mem_cb(insn, access, NO_REGISTERS, LOADS_AND_STORES,
						 (void *)qemu_plugin_insn_vaddr(insn));
	}
}

int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info *info, int argc, char **argv)
{
	(void)info;
	if (argc != 1 || strncmp(argv[0], "out=", 4))
		return -1;
	out = strdup(argv[0] + 4);
	qemu_plugin_register_vcpu_tb_trans_cb(id, translate);
	return 0;
}
