# SPDX-License-Identifier: LGPL-2.1-or-later
PROGRAMS += supervise/supervise supervise/worker

supervise/supervise.sources := $(addprefix supervise/,supervise.c supervised.c)
supervise/supervise.sources += common/beside.c common/duration.c

supervise/worker.sources := $(addprefix supervise/,worker.c supervised.c)
