// SPDX-License-Identifier: LGPL-2.1-or-later
/* The other programs of a folder */
#include <err.h>
#include <string.h>
#include <unistd.h>

#include "common/beside.h"

void path_beside(char path[PATH_MAX], const char *name)
{
	ssize_t len = readlink("/proc/self/exe", path, PATH_MAX - 1);
	char *last;

	if (len < 0)
		err(1, "/proc/self/exe");
	path[len] = '\0';
	last = strrchr(path, '/');
	if (!last || (size_t)(last + 1 - path) + strlen(name) >= PATH_MAX)
		errx(1, "no path to %s", name);
	memcpy(last + 1, name, strlen(name) + 1);
}
