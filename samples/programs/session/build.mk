# SPDX-License-Identifier: LGPL-2.1-or-later
PROGRAMS += session/session

session/session.sources := $(addprefix session/,session.c store.c sync.c)
session/session.sources += common/duration.c
