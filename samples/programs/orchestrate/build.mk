# SPDX-License-Identifier: LGPL-2.1-or-later
PROGRAMS += orchestrate/orchestrate

orchestrate/orchestrate.sources := $(addprefix orchestrate/,orchestrate.c command.c failure.c)
orchestrate/orchestrate.sources += common/duration.c
