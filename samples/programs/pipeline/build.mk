# SPDX-License-Identifier: LGPL-2.1-or-later
PROGRAMS += pipeline/pipeline

pipeline/pipeline.sources := $(addprefix pipeline/,pipeline.c orders.c stream.c)
pipeline/pipeline.sources += common/duration.c
