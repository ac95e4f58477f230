/* SPDX-License-Identifier: PostgreSQL */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "loader/catalog/catalog_db.h"

enum {
    APPLICATION_ID = 0x70676861, /* "pgha", in the header of the file */
    VERSION = 3,
    /* The run's lock leaves one writer, but a look at a catalogue left by a
       crash repairs its log first and holds us up meanwhile. */
    WAIT_MS = 1000,
};

static const char NAME[] = "run.db";

/* ---- the file ---- */

static int
refuse_link(const struct run_dir *dir, const char *path, struct err *err)
{
    struct stat st;

    /* Not by open(): closing a second descriptor of a file would drop the
       locks that SQLite has on it (fcntl(2)). */
    if (fstatat(run_dir_fd(dir), NAME, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return err_sys(err, errno, "could not open \"%s\"", path);
    if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() || st.st_nlink != 1) {
        err_set(err, ERR_REFUSED, "could not trust \"%s\"", path);
        return err_detail(err, "It is not a regular file of one name that "
                               "belongs to the user of this process.");
    }
    return 0;
}

/* SQLite gives its -wal and -shm the mode of the file, so that decides. */
static int
create_file(const struct run_dir *dir, const char *path, struct err *err)
{
    int fd;

    fd = openat(run_dir_fd(dir), NAME,
                O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return errno == EEXIST
                   ? 0
                   : err_sys(err, errno, "could not create \"%s\"", path);
    close(fd);
    if (fsync(run_dir_fd(dir)) < 0)
        return err_sys(err, errno, "could not sync \"%s\"", run_dir_path(dir));
    return 0;
}

static int
set_up(struct catalog *c, struct err *err)
{
    /* What the file says is data: no code of its own, no wild pages. */
    sqlite3_db_config(c->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_busy_timeout(c->db, WAIT_MS);
    return catalog_db_script(c, err,
                             "PRAGMA trusted_schema = OFF;"
                             "PRAGMA cell_size_check = ON;"
                             "PRAGMA foreign_keys = ON;"
                             "PRAGMA temp_store = MEMORY;"
                             "PRAGMA synchronous = FULL");
}

/* Through the descriptor where /proc is there: the name may have moved. */
static int
open_db(struct catalog *c, const struct run_dir *dir, struct err *err)
{
    int flags = run_dir_mode(dir) == RUN_DIR_LOOK ? SQLITE_OPEN_READONLY
                                                  : SQLITE_OPEN_READWRITE;
    char path[64];

    snprintf(path, sizeof path, "/proc/self/fd/%d/%s", run_dir_fd(dir), NAME);
    if (sqlite3_open_v2(access(path, F_OK) == 0 ? path : c->path, &c->db,
                        flags | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK)
        return c->db ? catalog_db_fail(c, err) : err_nomem(err);
    return set_up(c, err);
}

/* ---- whose it is ---- */

static int
ask_number(struct catalog *c, const char *sql, int64_t *ret, struct err *err)
{
    cleanup_(catalog_db_endp) sqlite3_stmt *q = NULL;
    int r;

    r = catalog_db_query(c, err, &q, SQL(sql));
    if (r == 0)
        *ret = sqlite3_column_int64(q, 0);
    return r;
}

static int
make_schema(struct catalog *c, struct err *err)
{
    char mark[96];
    int r;

    snprintf(mark, sizeof mark,
             "PRAGMA application_id = %d; PRAGMA user_version = %d",
             APPLICATION_ID, VERSION);
    r = catalog_db_group_begin(c, err);
    if (r)
        return r;
    r = catalog_db_script(c, err, catalog_schema);
    if (r == 0)
        r = catalog_db_script(c, err, catalog_schema_rest);
    if (r == 0)
        r = catalog_db_script(c, err, catalog_capture_schema);
    if (r == 0)
        r = catalog_db_script(c, err, mark);
    return catalog_db_group_end(c, err, r);
}

static int
check_schema(struct catalog *c, int create, struct err *err)
{
    int64_t id, version, n_objects;
    int r;

    if ((r = ask_number(c, "PRAGMA application_id", &id, err)) ||
        (r = ask_number(c, "PRAGMA user_version", &version, err)) ||
        (r = ask_number(c, "SELECT count(*) FROM sqlite_schema", &n_objects,
                        err)))
        return r;

    if (create && id == 0 && version == 0 && n_objects == 0)
        return make_schema(c, err);
    if (id != APPLICATION_ID)
        return err_set(err, ERR_REFUSED, "\"%s\" is not a run catalogue",
                       c->path);
    if (version != VERSION) {
        err_set(err, ERR_REFUSED,
                "run catalogue \"%s\" is of version %" PRId64
                ", this program reads version %d",
                c->path, version, VERSION);
        return err_hint(err, "Use the version of pghaul that began the run.");
    }
    return 0;
}

static int
prepare_to_write(struct catalog *c, struct err *err)
{
    cleanup_(catalog_db_endp) sqlite3_stmt *q = NULL;
    const char *mode;
    int r;

    r = catalog_db_query(c, err, &q, SQL("PRAGMA journal_mode = WAL"));
    if (r)
        return r;
    mode = (const char *)sqlite3_column_text(q, 0);
    if (!mode || strcmp(mode, "wal") != 0) {
        err_set(err, ERR_REFUSED,
                "the file system of run catalogue \"%s\" does not allow "
                "write-ahead logging",
                c->path);
        return err_hint(err, "Put the run directory on a local file system.");
    }
    return catalog_db_script(c, err, catalog_temp_schema);
}

int
catalog_open(struct catalog **ret, const struct run_dir *dir, int create,
             struct err *err)
{
    cleanup_(catalog_freep) struct catalog *c = NULL;
    int r;

    c = calloc(1, sizeof *c);
    if (!c)
        return err_nomem(err);
    if (asprintf(&c->path, "%s/%s", run_dir_path(dir), NAME) < 0) {
        c->path = NULL;
        return err_nomem(err);
    }
    if ((create && (r = create_file(dir, c->path, err))) ||
        (r = refuse_link(dir, c->path, err)) || (r = open_db(c, dir, err)) ||
        (r = check_schema(c, create, err)))
        return r;
    if (run_dir_mode(dir) != RUN_DIR_LOOK && (r = prepare_to_write(c, err)))
        return r;
    *ret = take(c);
    return 0;
}

int
catalog_open_scratch(struct catalog **ret, struct err *err)
{
    cleanup_(catalog_freep) struct catalog *c = NULL;
    int r;

    c = calloc(1, sizeof *c);
    if (!c)
        return err_nomem(err);
    c->path = strdup("temporary file");
    if (!c->path)
        return err_nomem(err);
    /* SQLite removes the name of such a file before it writes to it. */
    if (sqlite3_open_v2("", &c->db,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE |
                            SQLITE_OPEN_NOMUTEX,
                        NULL) != SQLITE_OK)
        return c->db ? catalog_db_fail(c, err) : err_nomem(err);
    if ((r = set_up(c, err)) || (r = make_schema(c, err)) ||
        (r = catalog_db_script(c, err, catalog_temp_schema)))
        return r;
    *ret = take(c);
    return 0;
}

struct catalog *
catalog_free(struct catalog *c)
{
    sqlite3_stmt *q;

    if (!c)
        return NULL;
    while (c->db && (q = sqlite3_next_stmt(c->db, NULL)))
        sqlite3_finalize(q);
    sqlite3_close(c->db);
    free(c->path);
    free(c);
    return NULL;
}

/* ---- the whole ---- */

int
catalog_begin(struct catalog *c, struct err *err)
{
    return catalog_db_run(c, err, SQL("BEGIN IMMEDIATE"));
}

void
catalog_roll_back(struct catalog *c)
{
    struct err lost;

    if (!sqlite3_get_autocommit(c->db))
        catalog_db_script(c, &lost, "ROLLBACK");
}

int
catalog_commit(struct catalog *c, struct err *err)
{
    return catalog_db_run(c, err, SQL("COMMIT"));
}

int
catalog_clear(struct catalog *c, struct err *err)
{
    return catalog_db_together(c, err,
                               "DELETE FROM taken_chunks;"
                               "DELETE FROM taken_entries;"
                               "DELETE FROM failures;"
                               "DELETE FROM entries;"
                               "DELETE FROM chunks;"
                               "DELETE FROM columns;"
                               "DELETE FROM tables;"
                               "DELETE FROM sequences;"
                               "DELETE FROM skips;"
                               "DELETE FROM epochs;"
                               "DELETE FROM sqlite_sequence;"
                               "DELETE FROM settings"
                               " WHERE key NOT GLOB 'cdc.*'");
}

int
catalog_forget_load(struct catalog *c, struct err *err)
{
    return catalog_db_together(
        c, err,
        "DELETE FROM taken_chunks WHERE loading;"
        "DELETE FROM taken_entries;"
        "DELETE FROM failures WHERE entry_id IS NOT NULL;"
        "DELETE FROM entries;"
        "UPDATE chunks SET state = 'staged' WHERE state = 'loaded'");
}

int
catalog_forget_marks(struct catalog *c, struct err *err)
{
    return catalog_db_together(
        c, err,
        "DELETE FROM taken_chunks WHERE loading;"
        "DELETE FROM taken_entries;"
        "UPDATE entries SET state = 'pending' WHERE state = 'done';"
        "UPDATE chunks SET state = 'staged' WHERE state = 'loaded'");
}

int
catalog_stage(struct catalog *c, enum catalog_stage *ret, int *ret_rest_begun,
              struct err *err)
{
    cleanup_(catalog_db_endp) sqlite3_stmt *q = NULL;
    int r;

    r = catalog_db_query(
        c, err, &q,
        SQL("SELECT EXISTS(SELECT 1 FROM tables WHERE"
            "   n_unloaded > 0 OR n_pending > 0 OR state = 'failed'),"
            " EXISTS(SELECT 1 FROM entries WHERE state = 'pending'),"
            " EXISTS(SELECT 1 FROM entries WHERE table_id IS NULL"
            "   AND state = 'done')"));
    if (r)
        return r;
    *ret = sqlite3_column_int(q, 0)   ? CATALOG_STAGE_TABLES
           : sqlite3_column_int(q, 1) ? CATALOG_STAGE_REST
                                      : CATALOG_STAGE_OVER;
    if (ret_rest_begun)
        *ret_rest_begun = sqlite3_column_int(q, 2);
    return 0;
}

int
catalog_get(struct catalog *c, const char *key, char **ret, struct err *err)
{
    cleanup_(catalog_db_endp) sqlite3_stmt *q = NULL;
    char *value;
    int r;

    r = catalog_db_query(
        c, err, &q, SQL("SELECT value FROM settings WHERE key = ?"), TEXT(key));
    if (r)
        return r;
    value = catalog_db_text(q, 0);
    if (!value)
        return err_nomem(err);
    *ret = value;
    return 0;
}

int
catalog_set(struct catalog *c, const char *key, const char *value,
            struct err *err)
{
    if (!value)
        return catalog_db_run(c, err, SQL("DELETE FROM settings WHERE key = ?"),
                              TEXT(key));
    return catalog_db_run(c, err,
                          SQL("INSERT INTO settings VALUES(?, ?)"
                              " ON CONFLICT(key)"
                              " DO UPDATE SET value = excluded.value"),
                          TEXT(key), TEXT(value));
}

int
catalog_count(struct catalog *c, struct catalog_counts *ret, struct err *err)
{
    cleanup_(catalog_db_endp) sqlite3_stmt *q = NULL;
    int r;

    r = catalog_db_query(
        c, err, &q,
        SQL("SELECT"
            " (SELECT count(*) FROM tables"
            "   WHERE kind <> 'large object metadata'),"
            " (SELECT count(*) FROM tables WHERE state = 'failed'),"
            " count(*),"
            " sum(state <> 'planned'), sum(state = 'loaded'),"
            " (SELECT count(*) FROM entries),"
            " (SELECT count(*) FROM entries WHERE state = 'done'),"
            " (SELECT count(*) FROM entries WHERE state = 'failed'),"
            " (SELECT count(*) FROM skips),"
            " (SELECT count(*) FROM skips WHERE NOT harmless),"
            " sum(n_bytes),"
            " sum(n_bytes) FILTER (WHERE state <> 'planned'),"
            " sum(n_bytes) FILTER (WHERE state = 'loaded'),"
            " sum(raw_len), sum(file_len), sum(n_rows)"
            " FROM chunks"));
    if (r)
        return r;
    *ret = (struct catalog_counts){
        .n_tables = catalog_db_u64(q, 0),
        .n_tables_failed = catalog_db_u64(q, 1),
        .n_chunks = catalog_db_u64(q, 2),
        .n_chunks_staged = catalog_db_u64(q, 3),
        .n_chunks_loaded = catalog_db_u64(q, 4),
        .n_entries = catalog_db_u64(q, 5),
        .n_entries_done = catalog_db_u64(q, 6),
        .n_entries_failed = catalog_db_u64(q, 7),
        .n_skipped = catalog_db_u64(q, 8),
        .n_skipped_harmful = catalog_db_u64(q, 9),
        .planned_bytes = catalog_db_u64(q, 10),
        .staged_bytes_estimated = catalog_db_u64(q, 11),
        .loaded_bytes_estimated = catalog_db_u64(q, 12),
        .raw_bytes = catalog_db_u64(q, 13),
        .file_bytes = catalog_db_u64(q, 14),
        .n_rows = catalog_db_u64(q, 15),
    };
    return 0;
}
