/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the parts of the model share.
 */
#ifndef FUZZ_MODEL_STEP_H
#define FUZZ_MODEL_STEP_H

#include "model.h"

/* model.c */
bool cancelled(const struct model *m, int context);
unsigned int list_ups(const struct context *c, int ups[CTX_PARENTS_MAX + 1]);
struct table *table_of(struct model *m, unsigned int process);
int description_of_fd(const struct model *m, int fd);
int description_of_slot(const struct model *m, int slot);
int lowest_free_fd(const struct model *m);
bool is_owner(const struct model *m, int description);
int open_description(struct model *m, int context, bool writable, uint32_t fd_flags);
void put_description(struct model *m, int description);
void flush_fd(struct model *m, int fd);
void drop_fd(struct model *m, int fd);
void close_fd(struct model *m, int fd);
void install(struct model *m, int slot, int description, bool cloexec,
	     struct expect *expect);

/* model_ids.c */
void step_open(struct model *m, const struct op *op, struct expect *expect);
void step_list(const struct model *m, const struct op *op, struct expect *expect);

/* model_ioctl.c */
void step_ioctl(struct model *m, const struct op *op, struct expect *expect);
void step_set_deadline(struct model *m, const struct op *op, struct expect *expect);

/* model_step.c */
void may_fail(struct expect *expect, int error);
bool must_fail(const struct expect *expect);

#endif /* FUZZ_MODEL_STEP_H */
