# SPDX-License-Identifier: LGPL-2.1-or-later
PROGRAMS += search/server search/backend

search/server.sources := $(addprefix search/,server.c files.c page.c userip.c)
search/server.sources += $(addprefix common/,duration.c http.c beside.c service_ask.c template.c)
search/server.libs := libmicrohttpd

search/backend.sources := $(addprefix search/,backend.c userip.c)
search/backend.sources += $(addprefix common/,duration.c service_run.c)
