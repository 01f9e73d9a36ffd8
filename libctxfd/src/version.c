// SPDX-License-Identifier: LGPL-2.1-or-later
/* Which libctxfd this is. */

#include "internal.h"

unsigned int ctxfd_version(void)
{
	return CTXFD_VERSION;
}
