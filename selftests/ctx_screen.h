/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a command shows on a terminal: a pseudo-terminal of a size, what a VT100 makes of the
 * output, and the screens of selftests/screens/ to compare that with.
 */
#ifndef CTX_SCREEN_H
#define CTX_SCREEN_H

#include "ctx_tool.h"
#include <stdbool.h>
#include <sys/mount.h>

#define SCREEN_ROWS	50
#define SCREEN_COLUMNS	200

struct screen {
	unsigned int rows;
	unsigned int columns;
	unsigned int y;
	unsigned int x;		/* @columns once the last one is written */
	unsigned int top;	/* the rows that are scrolled: from there */
	unsigned int below;	/* to before there; 0 for the end of the screen */
	/* UTF-8; "" where nothing was written, and behind what is two columns wide */
	char cells[SCREEN_ROWS][SCREEN_COLUMNS][8];
	char sequence[32];	/* what has come of one that begins with ESC */
	size_t len;
};

/* A pseudo-terminal, or -1 where there are none. */
static inline int screen_terminal(unsigned int rows, unsigned int columns)
{
	struct winsize size = { .ws_row = rows, .ws_col = columns };
	int fd, off = 0;

	if (access("/dev/pts/ptmx", F_OK)) {
		mkdir("/dev/pts", 0755);
		if (mount("devpts", "/dev/pts", "devpts", 0, "ptmxmode=666"))
			return -1;
	}
	fd = open("/dev/pts/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (fd >= 0 && (ioctl(fd, TIOCSPTLCK, &off) || ioctl(fd, TIOCSWINSZ, &size)))
		return -1;
	return fd;
}

/* Runs ctx with the terminal as all of its input and output. */
static inline pid_t screen_run(int terminal, char *const argv[])
{
	pid_t pid = ctx_fork();
	int fd, i;

	if (pid)
		return pid;
	setsid();
	fd = ioctl(terminal, TIOCGPTPEER, O_RDWR);
	if (fd < 0 || ioctl(fd, TIOCSCTTY, 0))
		_exit(127);
	for (i = 0; i < 3; i++)
		dup2(fd, i);
	syscall(SYS_close_range, 3, ~0U, 0);
	execv(tool_path(), argv);
	_exit(127);
}

static inline void screen_erase(struct screen *screen, unsigned int from, unsigned int to)
{
	unsigned int at;

	for (at = from; at < to; at++)
		screen->cells[at / screen->columns][at % screen->columns][0] = '\0';
}

static inline unsigned int screen_bottom(const struct screen *screen)
{
	return (screen->below ? screen->below : screen->rows) - 1;
}

static inline void screen_line_feed(struct screen *screen)
{
	unsigned int y, bottom = screen_bottom(screen);

	if (screen->y != bottom) {
		screen->y += screen->y + 1 < screen->rows;
		return;
	}
	for (y = screen->top; y < bottom; y++)
		memcpy(screen->cells[y], screen->cells[y + 1], sizeof(screen->cells[y]));
	screen_erase(screen, bottom * screen->columns, (bottom + 1) * screen->columns);
}

static inline void screen_reverse_feed(struct screen *screen)
{
	unsigned int y;

	if (screen->y != screen->top) {
		screen->y -= screen->y > 0;
		return;
	}
	for (y = screen_bottom(screen); y > screen->top; y--)
		memcpy(screen->cells[y], screen->cells[y - 1], sizeof(screen->cells[y]));
	screen_erase(screen, screen->top * screen->columns, (screen->top + 1) * screen->columns);
}

static inline void screen_put(struct screen *screen, const char *text, size_t len)
{
	/* East Asian characters are all that the tests have of what is wide. */
	unsigned int width = (unsigned char)text[0] >= 0xe3 && (unsigned char)text[0] < 0xee ? 2 : 1;
	char (*line)[8];

	if (screen->x + width > screen->columns) {
		screen->x = 0;
		screen_line_feed(screen);
	}
	line = screen->cells[screen->y];
	memcpy(line[screen->x], text, len);
	line[screen->x][len] = '\0';
	if (width == 2)
		line[screen->x + 1][0] = '\0';
	screen->x += width;
}

/* ESC [ ... @end, with a number or two */
static inline void screen_control(struct screen *screen, char end)
{
	unsigned int n = 0, m = 0, at, width = screen->columns;

	sscanf(screen->sequence, "\033[%u;%u", &n, &m);
	if (screen->x >= width)
		screen->x = width - 1;
	at = screen->y * width + screen->x;
	switch (end) {
	case 'A':
		screen->y -= n ? n : 1;
		break;
	case 'B':
		screen->y += n ? n : 1;
		break;
	case 'C':
		screen->x += n ? n : 1;
		break;
	case 'D':
		screen->x -= n ? n : 1;
		break;
	case 'H':
		screen->y = n ? n - 1 : 0;
		screen->x = m ? m - 1 : 0;
		break;
	case 'J':
		screen_erase(screen, n ? 0 : at, n == 1 ? at + 1 : screen->rows * width);
		break;
	case 'K':
		screen_erase(screen, n ? screen->y * width : at,
			     n == 1 ? at + 1 : (screen->y + 1) * width);
		break;
	case 'r':
		screen->top = n && n <= screen->rows ? n - 1 : 0;
		screen->below = m && m <= screen->rows ? m : 0;
		screen->y = 0;
		screen->x = 0;
		break;
	}
	if (screen->y >= screen->rows)
		screen->y = screen->rows - 1;
	if (screen->x >= width)
		screen->x = width - 1;
}

static inline void screen_sequence(struct screen *screen, char c)
{
	screen->sequence[screen->len++] = c;
	screen->sequence[screen->len] = '\0';
	if (screen->len < sizeof(screen->sequence) - 1 &&
	    (screen->len == 1 || (screen->len == 2 && strchr("[()", c)) ||
	     (screen->sequence[1] == '[' && (c < '@' || c > '~'))))
		return;
	/* All else is about colours, keys and sets of characters. */
	if (screen->sequence[1] == '[')
		screen_control(screen, c);
	else if (screen->sequence[1] == 'M')
		screen_reverse_feed(screen);
	screen->len = 0;
}

static inline void screen_feed(struct screen *screen, const char *text, size_t len)
{
	size_t i, n;

	for (i = 0; i < len; i++) {
		if (screen->len || text[i] == '\033') {
			screen_sequence(screen, text[i]);
		} else if (text[i] == '\r') {
			screen->x = 0;
		} else if (text[i] == '\n') {
			screen_line_feed(screen);
		} else if (text[i] == '\b') {
			screen->x -= screen->x > 0;
		} else if (text[i] == '\t') {
			screen->x = (screen->x / 8 + 1) * 8;
			if (screen->x >= screen->columns)
				screen->x = screen->columns - 1;
		} else if ((unsigned char)text[i] >= ' ') {
			for (n = 1; i + n < len && (text[i + n] & 0xc0) == 0x80 && n < 4; n++)
				;
			screen_put(screen, text + i, n);
			i += n - 1;
		}
	}
}

/* As lines, without what is blank at the end of each and of all. */
static inline char *screen_text(const struct screen *screen)
{
	char *text = calloc(screen->rows, screen->columns * 8 + 1), *end = text, *filled = text, *last = text;
	unsigned int y, x;

	for (y = 0; y < screen->rows; y++) {
		for (x = 0; x < screen->columns; x++) {
			const char *cell = screen->cells[y][x];
			bool behind = x && (unsigned char)screen->cells[y][x - 1][0] >= 0xe3;

			end = stpcpy(end, *cell || behind ? cell : " ");
			if (*cell && *cell != ' ')
				last = filled = end;
		}
		end = filled;
		*end++ = '\n';
		filled = end;
	}
	last[0] = last > text ? '\n' : '\0';
	last[1] = '\0';
	return text;
}

/* What selftests/screens/@name has, which is beside this program; "" where it is not there. */
static inline char *screen_expected(const char *name)
{
	char path[PATH_MAX] = "";
	char *text;
	ssize_t len = readlink("/proc/self/exe", path, sizeof(path) - 64);
	int fd;

	if (len < 0)
		return strdup("");
	path[len] = '\0';
	sprintf(strrchr(path, '/'), "/screens/%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	text = tool_text(fd);
	close(fd);
	return text ?: strdup("");
}

/* The whole screen is as the file has it. */
#define check_screen(name, text) ({					\
	char *__text = (text), *__file = screen_expected(name);		\
									\
	EXPECT_STREQ(__file, __text);					\
	free(__file);							\
	free(__text);							\
})

#endif /* CTX_SCREEN_H */
