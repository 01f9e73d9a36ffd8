/* SPDX-License-Identifier: GPL-2.0-only */
/* The marks of the benchmark, as bench_begin() and bench_end() have them */
#ifndef MARKS_H
#define MARKS_H

#include <stdbool.h>
#include <string.h>

#include "qemu_plugin.h"

static inline bool is_mark(const struct qemu_plugin_insn *insn, const char *text)
{
	const char *data = qemu_plugin_insn_data(insn);

	return qemu_plugin_insn_size(insn) == 7 && !memcmp(data, "\x0f\x1f\x80", 3) &&
		!memcmp(data + 3, text, 4);
}

/* Has @mark called where @insn is one: with data where something begins, without where it ends */
static inline void find_mark(struct qemu_plugin_insn *insn, insn_fn *mark)
{
	if (is_mark(insn, "begn"))
		qemu_plugin_register_vcpu_insn_exec_cb(insn, mark, NO_REGISTERS, insn);
	else if (is_mark(insn, "end "))
		qemu_plugin_register_vcpu_insn_exec_cb(insn, mark, NO_REGISTERS, NULL);
}

#endif /* MARKS_H */
