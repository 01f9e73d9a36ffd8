// SPDX-License-Identifier: LGPL-2.1-or-later
/* The lines that a stage reads and writes */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "pipeline/stream.h"

#define END	"."	/* no order */

static int wait_for_reason(const struct stream *stream)
{
	ctxfd_wait(stream->ctx, NULL);
	errno = ctxfd_err(stream->ctx);
	return -1;
}

/* 1 with a whole line of what is there, or 0 */
static int take_line(struct stream *stream, const char **line)
{
	char *start = stream->input + stream->start;
	char *newline = memchr(start, '\n', stream->end - stream->start);

	if (!newline)
		return 0;
	*newline = '\0';
	stream->start = (size_t)(newline + 1 - stream->input);
	*line = start;
	if (strlen(start) == (size_t)(newline - start))
		return 1;
	errno = EBADMSG;	/* It has a NUL. */
	return -1;
}

static ssize_t refill(struct stream *stream)
{
	size_t left = stream->end - stream->start;
	ssize_t n;

	if (left == STREAM_LINE) {
		errno = EMSGSIZE;
		return -1;
	}
	if (stream_flush(stream))
		return -1;
	memmove(stream->input, stream->input + stream->start, left);
	stream->start = 0;
	stream->end = left;
	n = ctxfd_read(stream->ctx, stream->in, stream->input + left, STREAM_LINE - left);
	if (n > 0)
		stream->end += (size_t)n;
	return n;
}

/* Of a file, the last line may lack its newline. */
static int at_end(struct stream *stream, const char **line)
{
	if (!stream->is_first)
		return wait_for_reason(stream);
	if (stream->start == stream->end)
		return 0;
	stream->input[stream->end++] = '\n';
	return take_line(stream, line);
}

/* A source that never runs dry would never wait: so each line asks, which costs one load. */
int stream_read(struct stream *stream, const char **line)
{
	ssize_t n;
	int taken;

	while (!ctxfd_cancelled(stream->status)) {
		taken = take_line(stream, line);
		if (taken > 0 && !stream->is_first && !strcmp(*line, END))
			return 0;
		if (taken)
			return taken;
		n = refill(stream);
		if (n < 0)
			return -1;
		if (!n)
			return at_end(stream, line);
	}
	errno = (int)stream->status->err;
	return -1;
}

int stream_flush(struct stream *stream)
{
	size_t done = 0;
	ssize_t n;

	while (done < stream->used) {
		n = ctxfd_write(stream->ctx, stream->out, stream->output + done,
				stream->used - done);
		if (n < 0)
			return errno == EPIPE ? wait_for_reason(stream) : -1;
		done += (size_t)n;
	}
	stream->used = 0;
	return 0;
}

int stream_write(struct stream *stream, const char *format, ...)
{
	char line[STREAM_LINE];
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	if (len < 0 || len >= STREAM_LINE) {
		errno = EMSGSIZE;
		return -1;
	}
	line[len++] = '\n';
	if (stream->used + (size_t)len > STREAM_LINE && stream_flush(stream))
		return -1;
	memcpy(stream->output + stream->used, line, (size_t)len);
	stream->used += (size_t)len;
	return 0;
}

int stream_end(struct stream *stream)
{
	if (!stream->is_last && stream_write(stream, END))
		return -1;
	return stream_flush(stream);
}
