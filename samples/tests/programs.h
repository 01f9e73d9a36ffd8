/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the tests of the programs share: to start one, to talk HTTP with it, and to see what it
 * has left. The programs are in /programs, or where PROGRAMS says.
 */
#ifndef PROGRAMS_H
#define PROGRAMS_H

#include "ctx_tool.h"
#include <arpa/inet.h>
#include <ctxfd.h>
#include <netinet/in.h>

/* Time for programs that load many libraries, on a slow machine */
#define SECONDS		120
#define PROGRAM_WAIT_MS	60000

/* Where the errors of a program go */
#ifndef PROGRAM_LOG
#define PROGRAM_LOG	memfd_create("log", MFD_CLOEXEC)
#endif

struct program {
	pid_t pid;
	int out;	/* a pipe */
	int log;	/* of its errors */
};

static inline const char *program_path(const char *name)
{
	static char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", getenv("PROGRAMS") ?: "/programs", name);
	return path;
}

/* Starts the program FOLDER/NAME. Returns 0, or -1. */
static inline int program_start(struct program *program, const char *name, char *const argv[])
{
	int out[2];

	program->log = PROGRAM_LOG;
	/* Processes that write at one moment would else overwrite each other's. */
	if (program->log < 0 || fcntl(program->log, F_SETFL, O_APPEND) || pipe2(out, O_CLOEXEC))
		return -1;
	program->out = out[0];
	program->pid = ctx_fork();
	if (!program->pid) {
		dup2(out[1], STDOUT_FILENO);
		dup2(program->log, STDERR_FILENO);
		execv(program_path(name), argv);
		perror(name);
		_exit(127);
	}
	close(out[1]);
	return program->pid < 0 ? -1 : 0;
}

/* Its exit status, 128 + a signal, or -1 where it does not end. */
static inline int program_wait(const struct program *program)
{
	int status;

	for (int ms = 0; ms < PROGRAM_WAIT_MS; ms++) {
		if (waitpid(program->pid, &status, WNOHANG) == program->pid)
			return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
		usleep(1000);
	}
	return -1;
}

/* Copies what it has said to stderr so far to @text, which holds @size bytes. */
static inline void program_log(const struct program *program, char *text, size_t size)
{
	ssize_t len = pread(program->log, text, size - 1, 0);

	text[len > 0 ? len : 0] = '\0';
}

/* Returns true once it has said @text. */
static inline bool program_says(const struct program *program, const char *text)
{
	static char log[1 << 20];

	for (int ms = 0; ms < PROGRAM_WAIT_MS; ms += 5) {
		program_log(program, log, sizeof(log));
		if (strstr(log, text))
			return true;
		usleep(5000);
	}
	return false;
}

/* What it said last, for whoever looks why a test failed */
static inline void program_show(const struct program *program)
{
	off_t size = lseek(program->log, 0, SEEK_END);
	char text[4096];
	ssize_t n = pread(program->log, text, sizeof(text),
			  size > (off_t)sizeof(text) ? size - (off_t)sizeof(text) : 0);

	if (n > 0)
		fprintf(stderr, "# the end of what it said:\n%.*s\n", (int)n, text);
}

/* The port that it listens at, which it says in the first line; or 0. */
static inline unsigned int program_port(const struct program *program)
{
	struct pollfd pfd = { .fd = program->out, .events = POLLIN };
	unsigned int port = 0;
	char line[256];
	size_t got = 0;

	while (got < sizeof(line) - 1 && poll(&pfd, 1, PROGRAM_WAIT_MS) == 1 &&
	       read(program->out, line + got, 1) == 1 && line[got] != '\n')
		got++;
	line[got] = '\0';
	return sscanf(line, "listening at http://127.0.0.1:%u/", &port) == 1 ? port : 0;
}

/* The processes below it, at most @nr. Returns how many there are. */
static inline int program_children(const struct program *program, pid_t *pids, int nr)
{
	char path[64];
	int n = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", program->pid, program->pid);
	file = fopen(path, "r");
	while (file && n < nr && fscanf(file, "%d", &pids[n]) == 1)
		n++;
	if (file)
		fclose(file);
	return n;
}

/* The state of a process, a letter as ps shows it, and its parent; 0 and 0 where it is no more */
static inline char process_state(pid_t pid, pid_t *parent)
{
	char path[64], line[512] = "", state = 0, *end;
	FILE *file;

	*parent = 0;
	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	file = fopen(path, "re");
	if (!file)
		return 0;
	/* The name, in parentheses, may have any in it. */
	if (fgets(line, sizeof(line), file)) {
		end = strrchr(line, ')');
		if (!end || sscanf(end + 1, " %c %d", &state, parent) != 2)
			state = 0;
	}
	fclose(file);
	return state;
}

/* A process and all below it, whatever thread forked them, at most @nr. Returns how many. */
static inline int process_tree(pid_t pid, pid_t *pids, int nr)
{
	struct dirent *entry;
	int n = 1, i;
	pid_t parent;
	DIR *dir;

	pids[0] = pid;
	for (i = 0; i < n; i++) {
		dir = opendir("/proc");
		while (dir && n < nr && (entry = readdir(dir))) {
			pid = atoi(entry->d_name);
			if (pid > 0 && process_state(pid, &parent) && parent == pids[i])
				pids[n++] = pid;
		}
		if (dir)
			closedir(dir);
	}
	return n;
}

/*
 * Kills a process and waits until nothing of it is left, its sockets neither: they are closed one
 * after the other, of which each may already tell others. Returns 0, or -1.
 */
static inline int process_kill(pid_t pid)
{
	struct pollfd pfd = { .fd = (int)syscall(SYS_pidfd_open, pid, 0), .events = POLLIN };
	int ret = -1;

	if (!kill(pid, SIGKILL) && poll(&pfd, 1, PROGRAM_WAIT_MS) == 1)
		ret = 0;
	close(pfd.fd);
	return ret;
}

/* How many entries a folder of /proc/PID has, as fd or task */
static inline int process_count(pid_t pid, const char *folder)
{
	struct dirent *entry;
	char path[64];
	int n = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, folder);
	dir = opendir(path);
	while (dir && (entry = readdir(dir)))
		n += entry->d_name[0] != '.';
	if (dir)
		closedir(dir);
	return n;
}

/* How many descriptors of it are of a file of that name */
static inline int process_has_open(pid_t pid, const char *name)
{
	char folder[64], target[PATH_MAX], *last;
	struct dirent *entry;
	int n = 0;
	ssize_t len;
	DIR *dir;

	snprintf(folder, sizeof(folder), "/proc/%d/fd", pid);
	dir = opendir(folder);
	while (dir && (entry = readdir(dir))) {
		len = readlinkat(dirfd(dir), entry->d_name, target, sizeof(target) - 1);
		target[len > 0 ? len : 0] = '\0';
		last = strrchr(target, '/');
		n += last && !strcmp(last + 1, name);
	}
	if (dir)
		closedir(dir);
	return n;
}

/* How many contexts there are that are alive and have that name; all where it is NULL, dead or not */
static inline int nr_contexts(const char *name)
{
	uint64_t ids[1024];
	ssize_t n = ctxfd_list(0, ids, 1024);
	struct ctx_info info;
	int found = 0, fd;

	if (!name)
		return (int)n;
	for (ssize_t i = 0; i < n; i++) {
		fd = ctxfd_open(ids[i], 0);
		if (fd < 0)
			continue;
		found += !ctxfd_info(fd, &info) && !info.err && !strcmp(info.name, name);
		close(fd);
	}
	return found;
}

/* Returns true as soon as @condition is. */
#define comes_true(condition) ({					\
	bool __true;							\
									\
	for (int __ms = 0; !(__true = (condition)) && __ms < PROGRAM_WAIT_MS; __ms++) \
		usleep(1000);						\
	__true;								\
})

/* HTTP. A client is a socket. */

static inline int http_connect(unsigned int port)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int sock = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (sock >= 0 && connect(sock, (struct sockaddr *)&addr, sizeof(addr))) {
		close(sock);
		return -1;
	}
	return sock;
}

/* Sends "@method @path" with more headers, each of which ends its line. Returns the client, or -1. */
static inline int http_request_with(unsigned int port, const char *method, const char *path,
				    const char *headers)
{
	int sock = http_connect(port);

	if (sock >= 0)
		dprintf(sock, "%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n%s\r\n",
			method, path, headers);
	return sock;
}

static inline int http_request(unsigned int port, const char *method, const char *path)
{
	return http_request_with(port, method, path, "");
}

/*
 * Reads all that comes until the server closes, and closes, too. Returns the status, 0 where
 * nothing came, or -1 where it does not end.
 */
static inline int http_read(int sock, char *text, size_t size)
{
	struct pollfd pfd = { .fd = sock, .events = POLLIN };
	int status = -1;
	size_t got = 0;
	ssize_t n = -1;

	while (got < size - 1 && poll(&pfd, 1, PROGRAM_WAIT_MS) == 1) {
		n = read(sock, text + got, size - 1 - got);
		if (n <= 0)
			break;
		got += n;
	}
	text[got] = '\0';
	close(sock);
	if (!n && !got)
		return 0;
	return sscanf(text, "HTTP/1.1 %d", &status) == 1 && !n ? status : -1;
}

/* GET @path gives @status and a text with @part in it. */
#define check_get(port, path, status, part) \
	check_get_with((port), (path), "", (status), (part))

#define check_get_with(port, path, headers, status, part) ({		\
	static char __text[1 << 16];					\
	int __status = http_read(http_request_with((port), "GET", (path), (headers)), \
				 __text, sizeof(__text));		\
									\
	EXPECT_EQ((status), __status);					\
	EXPECT_NE(NULL, strstr(__text, (part)))				\
		TH_LOG("%s: no %s in: %s", (path), (part), __text);	\
})

#endif /* PROGRAMS_H */
