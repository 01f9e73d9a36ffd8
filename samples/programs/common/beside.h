/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef BESIDE_H
#define BESIDE_H

#include <limits.h>

/* Tells where the program @name lies that is beside this one, or ends this one. */
void path_beside(char path[PATH_MAX], const char *name);

#endif /* BESIDE_H */
