# SPDX-License-Identifier: LGPL-2.1-or-later
PROGRAMS += hedge/hedge hedge/replica

hedge/hedge.sources := hedge/hedge.c hedge/fetch.c common/duration.c
hedge/hedge.libs := libcurl

hedge/replica.sources := hedge/replica.c common/duration.c common/http.c
hedge/replica.libs := libmicrohttpd
