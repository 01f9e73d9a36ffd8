// SPDX-License-Identifier: LGPL-2.1-or-later
/* The other programs of a folder */
#include <err.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/beside.h"

char *path_beside(const char *name)
{
	char self[PATH_MAX], *path, *last;
	ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (len < 0)
		err(1, "/proc/self/exe");
	self[len] = '\0';
	last = strrchr(self, '/');
	if (!last || asprintf(&path, "%.*s/%s", (int)(last - self), self, name) < 0)
		errx(1, "no path to %s", name);
	return path;
}
