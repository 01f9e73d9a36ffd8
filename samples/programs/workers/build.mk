# SPDX-License-Identifier: LGPL-2.1-or-later
PROGRAMS += workers/count workers/worker

workers/count.sources := $(addprefix workers/,count.c pool.c)
workers/count.sources += common/beside.c common/duration.c

workers/worker.sources := workers/worker.c
