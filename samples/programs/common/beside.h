/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef BESIDE_H
#define BESIDE_H

/* Where the program @name lies that is beside this one, to be freed; or ends this one. */
char *path_beside(const char *name);

#endif /* BESIDE_H */
