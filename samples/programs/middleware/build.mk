# SPDX-License-Identifier: LGPL-2.1-or-later
PROGRAMS += middleware/gateway middleware/accounts middleware/greeter

middleware/gateway.sources := $(addprefix middleware/,gateway.c requests.c trace.c)
middleware/gateway.sources += $(addprefix common/,duration.c http.c beside.c service_ask.c template.c)
middleware/gateway.libs := libmicrohttpd

middleware/accounts.sources := $(addprefix middleware/,accounts.c trace.c) common/service_run.c
middleware/accounts.libs := sqlite3 libcrypt

middleware/greeter.sources := $(addprefix middleware/,greeter.c trace.c)
middleware/greeter.sources += $(addprefix common/,duration.c service_run.c)
