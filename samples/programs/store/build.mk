# SPDX-License-Identifier: LGPL-2.1-or-later
PROGRAMS += store/server store/slow

store/server.sources := store/server.c store/handler.c
store/server.sources += $(addprefix common/,beside.c duration.c http.c service_ask.c)
store/server.libs := libmicrohttpd

store/slow.sources := store/slow.c $(addprefix common/,duration.c service_run.c)
