/* SPDX-License-Identifier: GPL-2.0-only */
/* What coccinelle has to know to parse the module: else it leaves out whole functions. */
#define guard(x)	guard
#define scoped_guard	YACFE_ITERATOR
