// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The accounts, in a database of SQLite: who has which PIN.
 *
 *	accounts DATABASE add NAME	adds one, or changes its PIN, which is read from the input
 *	accounts DATABASE		is how the gateway starts it
 *
 * It answers "NAME PIN" with the name, or with "?" where that is not its PIN.
 *
 * A query ends with the request's context, also where it waits for whoever has the database locked.
 */
#include <crypt.h>
#include <err.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/service.h"
#include "middleware/trace.h"

#define NAME_MAX_LEN	200
#define TABLE	"CREATE TABLE IF NOT EXISTS accounts (name TEXT PRIMARY KEY, hash TEXT NOT NULL)"

/* Of a user who is not there: the check is to take as long as another */
#define NOBODY	"$6$nobody$"

static int is_cancelled(void *ctx)
{
	return ctxfd_err(*(int *)ctx) != 0;
}

/* Returns whether to try again. */
static int wait_for_lock(void *ctx, int tries)
{
	if (!tries)
		trace_log(*(int *)ctx, "waits for the database");
	return !ctxfd_sleep(*(int *)ctx, &(struct timespec){ .tv_nsec = 10000000 });
}

/* Returns the database, to be closed in any case, with what ends its calls when @ctx does. */
static sqlite3 *open_database(int *ctx, const char *path, int flags)
{
	sqlite3 *db = NULL;

	if (sqlite3_open_v2(path, &db, flags, NULL) == SQLITE_OK) {
		sqlite3_progress_handler(db, 1000, is_cancelled, ctx);
		sqlite3_busy_handler(db, wait_for_lock, ctx);
	}
	return db;
}

/* Copies the hash of a PIN. Returns SQLITE_ROW, SQLITE_DONE where there is none, or an error. */
static int find_hash(sqlite3 *db, const char *name, char hash[CRYPT_OUTPUT_SIZE])
{
	sqlite3_stmt *query = NULL;
	int ret = sqlite3_prepare_v2(db, "SELECT hash FROM accounts WHERE name = ?", -1, &query,
				     NULL);

	if (ret == SQLITE_OK)
		ret = sqlite3_bind_text(query, 1, name, -1, SQLITE_TRANSIENT);
	if (ret == SQLITE_OK)
		ret = sqlite3_step(query);
	if (ret == SQLITE_ROW)
		snprintf(hash, CRYPT_OUTPUT_SIZE, "%s",
			 (const char *)sqlite3_column_text(query, 0) ?: NOBODY);
	sqlite3_finalize(query);
	return ret;
}

static bool is_pin(const char *pin, const char *hash)
{
	struct crypt_data *data = calloc(1, sizeof(*data));
	const char *other = data ? crypt_r(pin, hash, data) : NULL;
	bool is_equal = other && *other != '*' && !strcmp(other, hash);

	free(data);
	return is_equal;
}

/* Without an answer, the gateway sees the connection end. */
static void check(void *path, int ctx, int sock, const char *question)
{
	int name_len = (int)strcspn(question, " ");
	char name[NAME_MAX_LEN], hash[CRYPT_OUTPUT_SIZE] = NOBODY;
	sqlite3 *db;
	int ret;

	if (!question[name_len] || name_len >= NAME_MAX_LEN)
		return;
	snprintf(name, sizeof(name), "%.*s", name_len, question);
	db = open_database(&ctx, path, SQLITE_OPEN_READONLY);
	ret = find_hash(db, name, hash);
	if (ret != SQLITE_ROW && ret != SQLITE_DONE)
		trace_log(ctx, "%s: %s", (char *)path, sqlite3_errmsg(db));
	sqlite3_close(db);
	if (ret != SQLITE_ROW && ret != SQLITE_DONE)
		return;
	if (!is_pin(question + name_len + 1, hash) || ret != SQLITE_ROW)
		strcpy(name, "?");
	trace_log(ctx, "%.*s: %s", name_len, question, *name == '?' ? "wrong PIN" : "right PIN");
	ctxfd_send(ctx, sock, name, strlen(name), MSG_NOSIGNAL);
}

/* To be run by hand, without a context. Returns SQLITE_DONE, or an error. */
static int insert(sqlite3 *db, const char *name, const char *hash)
{
	sqlite3_stmt *insert = NULL;
	int ret = sqlite3_exec(db, TABLE, NULL, NULL, NULL);

	if (ret == SQLITE_OK)
		ret = sqlite3_prepare_v2(db, "INSERT OR REPLACE INTO accounts VALUES (?, ?)", -1,
					 &insert, NULL);
	if (ret == SQLITE_OK)
		ret = sqlite3_bind_text(insert, 1, name, -1, SQLITE_TRANSIENT);
	if (ret == SQLITE_OK)
		ret = sqlite3_bind_text(insert, 2, hash, -1, SQLITE_TRANSIENT);
	if (ret == SQLITE_OK)
		ret = sqlite3_step(insert);
	sqlite3_finalize(insert);
	return ret;
}

static int add(const char *path, const char *name)
{
	static struct crypt_data data;
	char pin[128], *salt, *hash;
	sqlite3 *db = NULL;
	int ret;

	if (!*name || strlen(name) >= NAME_MAX_LEN || strpbrk(name, "?: \t\r\n"))
		errx(1, "\"%s\" is no name for an account", name);
	if (!fgets(pin, sizeof(pin), stdin) || !pin[strcspn(pin, "\n")])
		errx(1, "no PIN of one line on the input");
	pin[strcspn(pin, "\n")] = '\0';
	salt = crypt_gensalt("$6$", 0, NULL, 0);
	hash = salt ? crypt_r(pin, salt, &data) : NULL;
	if (!hash || *hash == '*')
		err(1, "cannot hash the PIN");
	ret = sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL);
	if (ret == SQLITE_OK)
		ret = insert(db, name, hash);
	if (ret != SQLITE_DONE)
		errx(1, "%s: %s", path, sqlite3_errmsg(db));
	sqlite3_close(db);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 4 && !strcmp(argv[2], "add"))
		return add(argv[1], argv[3]);
	if (argc != 2)
		errx(2, "usage: accounts DATABASE add NAME, with the PIN on the input");
	service_run(16, check, argv[1]);
	return 0;
}
