/* SPDX-License-Identifier: PostgreSQL */
#include "loader/target/existing.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/fd.h"
#include "loader/target/aside.h"
#include "loader/target/misfits.h"
#include "loader/target/places.h"
#include "loader/target/refresh.h"
#include "loader/target/silence.h"
#include "loader/target/unchecked.h"

enum { HOOK_MAX = 16 << 20 }; /* bytes of the user's SQL */

/* What is done once, as rows of the ledger. */
enum step {
    STEP_BEFORE = 1,
    STEP_ASIDE,         /* all triggers and foreign keys */
    STEP_ASIDE_REPLICA, /* what fires with session_replication_role = replica */
    STEP_ROOM,
    STEP_AFTER,
};

/* The user's own SQL is run as a session of the user's would run it. */
static int
run_sql(struct session *s, enum step step, const char *sql, struct err *err)
{
    int r = 0;

    if (step == STEP_BEFORE || step == STEP_AFTER)
        r = silence_break(s, err);
    return r ? r : session_exec(s, sql, err);
}

/* Do it together with its row in the ledger; nothing when that is there. */
static int
do_once(const struct existing *x, struct session *s, enum step step,
        const char *sql, struct err *err)
{
    const struct ledger_row row = {.kind = LEDGER_STEP, .id = step};
    struct err ignored;
    int r;

    r = session_exec(s, "BEGIN", err);
    if (r)
        return r;
    r = ledger_claim(x->ledger, s, &row, err);
    if (!r && sql)
        r = run_sql(s, step, sql, err);
    if (!r)
        return session_exec(s, "COMMIT", err);
    session_exec(s, "ROLLBACK", &ignored);
    return r == LEDGER_E_ALREADY ? 0 : r;
}

/* ---- the user's SQL ---- */

static int
read_file(char **ret, const char *path, struct err *err)
{
    cleanup_(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
    cleanup_(freep) char *text = NULL;
    struct stat st;
    ssize_t n;

    if (fd < 0)
        return err_sys(err, errno, "could not open \"%s\"", path);
    if (fstat(fd, &st) < 0)
        return err_sys(err, errno, "could not stat \"%s\"", path);
    if (!S_ISREG(st.st_mode) || st.st_size > HOOK_MAX)
        return err_set(err, ERR_USAGE,
                       "\"%s\" is no file of SQL of at most %d bytes", path,
                       HOOK_MAX);
    text = malloc((size_t)st.st_size + 1);
    if (!text)
        return err_nomem(err);
    n = read(fd, text, (size_t)st.st_size);
    if (n < 0)
        return err_sys(err, errno, "could not read \"%s\"", path);
    text[n] = '\0';
    if (memchr(text, '\0', (size_t)n))
        return err_set(err, ERR_USAGE, "\"%s\" holds a zero byte", path);
    *ret = take(text);
    return 0;
}

static int
run_hook(const struct existing *x, struct session *s, enum step step,
         const char *path, struct err *err)
{
    cleanup_(freep) char *sql = NULL;
    int r;

    if (!path)
        return 0;
    r = read_file(&sql, path, err);
    if (!r)
        r = do_once(x, s, step, sql, err);
    if (r && err->class == ERR_SERVER && !err->hint[0])
        err_hint(err,
                 "The statement is one of \"%s\", of which nothing was "
                 "kept.",
                 path);
    return r;
}

/* ---- room for the rows ---- */

static int
require_empty_tables(const struct existing *x, struct session *s,
                     struct err *err)
{
    uint64_t last = 0;
    int r;

    for (;;) {
        cleanup_(catalog_table_freep) struct catalog_table *t = NULL;

        r = catalog_next_table(x->catalog, last, &t, err);
        if (r)
            return r == CATALOG_E_NONE ? 0 : r;
        if (t->kind == CATALOG_TABLE && !t->extension)
            r = places_require_empty(s, t,
                                     "Give --truncate to empty all tables "
                                     "first, or --append to keep what is "
                                     "there.",
                                     err);
        if (r)
            return r;
        last = t->id;
    }
}

/* Before anything is touched. */
static int
look_for_rows(const struct existing *x, struct session *s, struct err *err)
{
    int done = 0, r;

    if (x->wishes->rows != EXISTING_REFUSED)
        return 0;
    r = ledger_has(x->ledger, s, LEDGER_STEP, STEP_ROOM, &done, err);
    return r || done ? r : require_empty_tables(x, s, err);
}

static int
make_room(const struct existing *x, struct session *s, struct err *err)
{
    return do_once(
        x, s, STEP_ROOM,
        x->wishes->rows == EXISTING_TRUNCATED ? places_truncate : NULL, err);
}

/* ---- triggers and the like ---- */

static int
begun_by_another_role(struct err *err)
{
    err_set(err, ERR_REFUSED,
            "this role may not set session_replication_role on the target");
    err_detail(err, "The load was begun by a role that may: triggers and "
                    "foreign keys are in place.");
    return err_hint(err, "Go on as that role.");
}

/* Once all is aside, what stands in the way later has been put back. */
static int
put_aside(const struct existing *x, struct session *s, int replica,
          struct err *err)
{
    const struct aside_params p = {.ledger = x->ledger,
                                   .replica = replica,
                                   .indexes = x->wishes->rebuild_indexes};
    int done, done_for_replica, r;

    r = ledger_has(x->ledger, s, LEDGER_STEP, STEP_ASIDE, &done, err);
    if (!r)
        r = ledger_has(x->ledger, s, LEDGER_STEP, STEP_ASIDE_REPLICA,
                       &done_for_replica, err);
    if (r || done || (done_for_replica && replica))
        return r;
    if (done_for_replica)
        return begun_by_another_role(err);
    r = aside_put(&p, s, err);
    return r ? r
             : do_once(x, s, replica ? STEP_ASIDE_REPLICA : STEP_ASIDE, NULL,
                       err);
}

/* ---- all of it ---- */

int
existing_begin(const struct existing *x, struct session *s, int *ret_replica,
               struct err *err)
{
    int r;

    r = places_list(s, x->catalog, err);
    if (!r)
        r = misfits_find(s, x->progress, err);
    if (!r)
        r = look_for_rows(x, s, err);
    if (!r)
        r = run_hook(x, s, STEP_BEFORE, x->wishes->before_sql, err);
    if (!r)
        r = silence_triggers(s, ret_replica, err);
    if (!r)
        r = put_aside(x, s, *ret_replica, err);
    return r ? r : make_room(x, s, err);
}

int
existing_add_entries(const struct existing *x, struct session *s,
                     struct err *err)
{
    int r = aside_add_entries(x->ledger, s, x->catalog, err);

    if (!r)
        r = refresh_list(s, x->catalog, err);
    if (!r && x->wishes->no_refresh)
        r = refresh_none(s, x->progress, err);
    return r ? r : refresh_add_entries(s, x->catalog, err);
}

int
existing_resume(const struct existing *x, struct session *s, struct err *err)
{
    return places_list(s, x->catalog, err);
}

int
existing_finish(const struct existing *x, struct session *s, int replica,
                struct err *err)
{
    int r = 0;

    if (replica && !x->wishes->no_key_check)
        r = unchecked_find(s, x->progress, err);
    return r ? r : run_hook(x, s, STEP_AFTER, x->wishes->after_sql, err);
}
