/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What server and store say to each other. The question is "DURATION KEY", with what a letter
 * takes. The answer is one message: an errno in a byte, or 0, after which the value follows.
 */
#ifndef PROTOCOL_H
#define PROTOCOL_H

#define KEY_MAX		200	/* bytes */
#define VALUE_MAX	8192

#endif /* PROTOCOL_H */
