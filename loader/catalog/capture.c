/* SPDX-License-Identifier: PostgreSQL */
#include "loader/catalog/capture.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loader/catalog/catalog_db.h"

static const char *const state_names[] = {
    [CAPTURE_NONE] = "none",
    [CAPTURE_INTENDED] = "intended",
    [CAPTURE_MADE] = "made",
};

char *
capture_lsn(char to[CAPTURE_LSN], uint64_t lsn)
{
    snprintf(to, CAPTURE_LSN, "%" PRIX32 "/%" PRIX32, (uint32_t)(lsn >> 32),
             (uint32_t)lsn);
    return to;
}

int
capture_parse_lsn(const char *text, uint64_t *ret)
{
    uint32_t high, low;
    int end = 0;

    if (sscanf(text, "%8" SCNx32 "/%8" SCNx32 "%n", &high, &low, &end) != 2 ||
        text[end])
        return -1;
    *ret = (uint64_t)high << 32 | low;
    return 0;
}

/* ---- the whole ---- */

static int
read_row(sqlite3_stmt *q, struct capture *ret, struct err *err)
{
    const char *state = (const char *)sqlite3_column_text(q, 1);
    struct capture m = {
        .epoch = (unsigned)catalog_db_u64(q, 0),
        .state = strcmp(state, state_names[CAPTURE_MADE]) == 0
                     ? CAPTURE_MADE
                     : CAPTURE_INTENDED,
        .run_id = catalog_db_text(q, 2),
        .system_id = catalog_db_text(q, 3),
        .database = catalog_db_text(q, 4),
        .slot = catalog_db_text(q, 5),
        .plugin = catalog_db_text(q, 7),
        .floor = catalog_db_u64(q, 8),
        .lsn = catalog_db_u64(q, 9),
        .found = sqlite3_column_int(q, 10),
    };
    int has_publication = sqlite3_column_type(q, 6) != SQLITE_NULL;

    if (has_publication)
        m.publication = catalog_db_text(q, 6);
    if (!m.run_id || !m.system_id || !m.database || !m.slot || !m.plugin ||
        (has_publication && !m.publication)) {
        capture_clear(&m);
        return err_nomem(err);
    }
    *ret = m;
    return 0;
}

#define SELECT_CAPTURE                                                         \
    "SELECT epoch, state, run_id, system_id, database, slot, publication,"     \
    " plugin, floor, lsn, found FROM captures "

enum { WITNESS_KEY = 48 };

static const char *
witness_key(char key[WITNESS_KEY], unsigned epoch, const char *what)
{
    snprintf(key, WITNESS_KEY, "cdc.%u.%s", epoch, what);
    return key;
}

static int
read_witness(struct capture *m, struct catalog *c, struct err *err)
{
    cleanup_(freep) char *timeline = NULL;
    char key[WITNESS_KEY];
    int r =
        catalog_get(c, witness_key(key, m->epoch, "timeline"), &timeline, err);

    m->timeline = timeline ? (unsigned)strtoul(timeline, NULL, 10) : 0;
    if (r >= 0)
        r = catalog_get(c, witness_key(key, m->epoch, "publication_print"),
                        &m->publication_print, err);
    return r == CATALOG_E_NONE ? 0 : r;
}

static int
write_witness(struct catalog *c, unsigned epoch, unsigned timeline,
              const char *print, struct err *err)
{
    char number[16], key[WITNESS_KEY];
    int r;

    snprintf(number, sizeof number, "%u", timeline);
    r = catalog_set(c, witness_key(key, epoch, "timeline"),
                    timeline ? number : NULL, err);
    return r ? r
             : catalog_set(c, witness_key(key, epoch, "publication_print"),
                           print, err);
}

int
capture_witness(struct catalog *c, unsigned epoch, unsigned timeline,
                const char *print, struct err *err)
{
    int r = catalog_db_group_begin(c, err);

    return r ? r
             : catalog_db_group_end(
                   c, err, write_witness(c, epoch, timeline, print, err));
}

int
capture_read(struct capture *ret, struct catalog *c, struct err *err)
{
    cleanup_(catalog_db_endp) sqlite3_stmt *q = NULL;
    int r = catalog_db_query(c, err, &q,
                             SQL(SELECT_CAPTURE "ORDER BY epoch DESC LIMIT 1"));

    if (r == 0)
        r = read_row(q, ret, err);
    if (r == 0)
        return read_witness(ret, c, err);
    *ret = (struct capture){0};
    return r == CATALOG_E_NONE ? 0 : r;
}

int
capture_next(struct catalog *c, unsigned epoch, struct capture *ret,
             struct err *err)
{
    cleanup_(catalog_db_endp) sqlite3_stmt *q = NULL;
    int r = catalog_db_query(
        c, err, &q,
        SQL(SELECT_CAPTURE "WHERE epoch > ? ORDER BY epoch LIMIT 1"),
        INT(epoch));

    if (r == 0)
        r = read_row(q, ret, err);
    return r ? r : read_witness(ret, c, err);
}

static int
add(struct captures *all, struct capture *m, struct err *err)
{
    struct capture *list = realloc(all->list, (all->n + 1) * sizeof *list);

    if (!list)
        return err_nomem(err);
    all->list = list;
    list[all->n++] = *m;
    *m = (struct capture){0};
    return 0;
}

int
captures_read(struct captures *ret, struct catalog *c, struct err *err)
{
    struct captures all = {0};
    unsigned last = 0;
    int r = 0;

    while (!r) {
        struct capture m = {0};

        r = capture_next(c, last, &m, err);
        last = m.epoch;
        if (!r)
            r = add(&all, &m, err);
        capture_clear(&m);
    }
    if (r == CATALOG_E_NONE)
        *ret = all;
    else
        captures_clear(&all);
    return r == CATALOG_E_NONE ? 0 : r;
}

void
captures_clear(struct captures *all)
{
    for (unsigned i = 0; i < all->n; i++)
        capture_clear(&all->list[i]);
    free(all->list);
    *all = (struct captures){0};
}

void
capture_clear(struct capture *m)
{
    free(m->run_id);
    free(m->system_id);
    free(m->database);
    free(m->slot);
    free(m->publication);
    free(m->plugin);
    free(m->publication_print);
    *m = (struct capture){0};
}

static struct catalog_value
text_or_null(const char *text)
{
    return text ? TEXT(text)
                : (struct catalog_value){.kind = CATALOG_VALUE_NULL};
}

static int
write_intent(const struct capture *m, struct catalog *c, struct err *err)
{
    int r = capture_forget(c, m->epoch, err);

    if (r)
        return r;
    return catalog_db_run(
        c, err,
        SQL("INSERT INTO captures VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?)"),
        INT(m->epoch), TEXT(state_names[CAPTURE_INTENDED]), TEXT(m->run_id),
        TEXT(m->system_id), TEXT(m->database), TEXT(m->slot),
        text_or_null(m->publication), TEXT(m->plugin), INT(m->floor),
        INT(m->found));
}

int
capture_intend(const struct capture *m, struct catalog *c, struct err *err)
{
    int r = catalog_db_group_begin(c, err);

    return r ? r : catalog_db_group_end(c, err, write_intent(m, c, err));
}

int
capture_made(struct catalog *c, unsigned epoch, uint64_t lsn, struct err *err)
{
    return catalog_db_run(
        c, err, SQL("UPDATE captures SET state = ?, lsn = ? WHERE epoch = ?"),
        TEXT(state_names[CAPTURE_MADE]), INT(lsn), INT(epoch));
}

static int
forget(struct catalog *c, unsigned epoch, struct err *err)
{
    int r = catalog_db_run(c, err, SQL("DELETE FROM captured WHERE epoch = ?"),
                           INT(epoch));

    if (!r)
        r = write_witness(c, epoch, 0, NULL, err);
    return r ? r
             : catalog_db_run(c, err,
                              SQL("DELETE FROM captures WHERE epoch = ?"),
                              INT(epoch));
}

int
capture_forget(struct catalog *c, unsigned epoch, struct err *err)
{
    int r = catalog_db_group_begin(c, err);

    return r ? r : catalog_db_group_end(c, err, forget(c, epoch, err));
}

/* ---- its tables ---- */

struct capture_table *
capture_table_free(struct capture_table *t)
{
    if (!t)
        return NULL;
    free(t->schema);
    free(t->name);
    free(t->reason);
    free(t);
    return NULL;
}

int
capture_add_table(struct catalog *c, const struct capture_table *t,
                  struct err *err)
{
    const char identity[2] = {t->identity, '\0'};

    return catalog_db_run(
        c, err,
        SQL("INSERT INTO captured VALUES(?1, ?2, ?3, ?4, ?5, coalesce(?6,"
            " (SELECT identity FROM captured WHERE oid = ?2"
            "  AND identity IS NOT NULL LIMIT 1)), ?7)"),
        INT(t->epoch), INT(t->oid), TEXT(t->schema), TEXT(t->name),
        INT(t->member), text_or_null(t->identity ? identity : NULL),
        text_or_null(t->reason));
}

int
capture_next_table(struct catalog *c, unsigned epoch, uint32_t oid,
                   struct capture_table **ret, struct err *err)
{
    cleanup_(capture_table_freep) struct capture_table *t = NULL;
    cleanup_(catalog_db_endp) sqlite3_stmt *q = NULL;
    const char *identity;
    int r;

    r = catalog_db_query(c, err, &q,
                         SQL("SELECT oid, schema, name, member, identity,"
                             " reason FROM captured WHERE epoch = ?"
                             " AND oid > ? ORDER BY oid LIMIT 1"),
                         INT(epoch), INT(oid));
    if (r)
        return r;
    t = calloc(1, sizeof *t);
    if (!t)
        return err_nomem(err);
    identity = (const char *)sqlite3_column_text(q, 4);
    *t = (struct capture_table){
        .epoch = epoch,
        .oid = (uint32_t)catalog_db_u64(q, 0),
        .schema = catalog_db_text(q, 1),
        .name = catalog_db_text(q, 2),
        .member = (uint32_t)catalog_db_u64(q, 3),
        .identity = identity ? identity[0] : '\0',
        .reason = sqlite3_column_type(q, 5) == SQLITE_NULL
                      ? NULL
                      : catalog_db_text(q, 5),
    };
    if (!t->schema || !t->name)
        return err_nomem(err);
    *ret = take(t);
    return 0;
}

int
capture_set_identity(struct catalog *c, const struct capture_table *t,
                     char identity, struct err *err)
{
    const char text[2] = {identity, '\0'};

    return catalog_db_run(c, err,
                          SQL("UPDATE captured SET identity = ?"
                              " WHERE epoch = ? AND oid = ?"),
                          text_or_null(identity ? text : NULL), INT(t->epoch),
                          INT(t->oid));
}

static int
count(struct catalog *c, const char *sql, unsigned epoch, uint64_t *ret,
      struct err *err)
{
    cleanup_(catalog_db_endp) sqlite3_stmt *q = NULL;
    int r = catalog_db_query(c, err, &q, SQL(sql), INT(epoch));

    if (!r)
        *ret = catalog_db_u64(q, 0);
    return r;
}

int
capture_count_strays(struct catalog *c, unsigned epoch, uint64_t *ret,
                     struct err *err)
{
    return count(c,
                 "SELECT (SELECT count(*) FROM tables WHERE kind = 'table'"
                 "  AND epoch = ?1 AND oid NOT IN"
                 "   (SELECT oid FROM captured WHERE epoch = ?1))"
                 " + (SELECT count(*) FROM captured WHERE epoch = ?1"
                 "  AND oid NOT IN (SELECT oid FROM tables WHERE epoch = ?1))",
                 epoch, ret, err);
}

int
capture_count_members(struct catalog *c, unsigned epoch, uint64_t *ret,
                      struct err *err)
{
    return count(c,
                 "SELECT count(DISTINCT member) FROM captured"
                 " WHERE epoch = ? AND member <> 0",
                 epoch, ret, err);
}

int
capture_has_member(struct catalog *c, unsigned epoch, uint32_t oid, int *ret,
                   struct err *err)
{
    cleanup_(catalog_db_endp) sqlite3_stmt *q = NULL;
    int r = catalog_db_query(c, err, &q,
                             SQL("SELECT 1 FROM captured WHERE epoch = ?"
                                 " AND member = ? LIMIT 1"),
                             INT(epoch), INT(oid));

    *ret = r == 0;
    return r == CATALOG_E_NONE ? 0 : r;
}

int
capture_next_member(struct catalog *c, unsigned epoch, uint32_t oid,
                    uint32_t *ret, struct err *err)
{
    cleanup_(catalog_db_endp) sqlite3_stmt *q = NULL;
    int r = catalog_db_query(c, err, &q,
                             SQL("SELECT member FROM captured WHERE epoch = ?"
                                 " AND member > ? AND member <> 0"
                                 " ORDER BY member LIMIT 1"),
                             INT(epoch), INT(oid));

    if (!r)
        *ret = (uint32_t)catalog_db_u64(q, 0);
    return r;
}

int
capture_condition_of(struct catalog *c, uint32_t oid, char **ret,
                     struct err *err)
{
    cleanup_(catalog_db_endp) sqlite3_stmt *q = NULL;
    int r = catalog_db_query(c, err, &q,
                             SQL("SELECT condition FROM tables WHERE oid = ?"
                                 " AND kind = 'table'"
                                 " AND condition IS NOT NULL"),
                             INT(oid));

    *ret = NULL;
    if (r)
        return r == CATALOG_E_NONE ? 0 : r;
    *ret = catalog_db_text(q, 0);
    return *ret ? 0 : err_nomem(err);
}

int
capture_has_roots(struct catalog *c, unsigned epoch, int *ret, struct err *err)
{
    uint64_t n;
    int r = count(c,
                  "SELECT count(*) FROM captured WHERE epoch = ?"
                  " AND member <> 0 AND member <> oid",
                  epoch, &n, err);

    *ret = !r && n > 0;
    return r;
}

int
capture_next_moved(struct catalog *c, unsigned epoch, uint32_t oid,
                   uint32_t *ret, struct err *err)
{
    cleanup_(catalog_db_endp) sqlite3_stmt *q = NULL;
    int r = catalog_db_query(
        c, err, &q,
        SQL("SELECT member FROM captured a WHERE epoch = ?1 AND member > ?2"
            " AND member <> 0 AND EXISTS(SELECT 1 FROM captured b"
            "  WHERE b.oid = a.oid AND b.epoch > ?1)"
            " ORDER BY member LIMIT 1"),
        INT(epoch), INT(oid));

    if (!r)
        *ret = (uint32_t)catalog_db_u64(q, 0);
    return r;
}

int
capture_forget_moved(struct catalog *c, unsigned epoch, struct err *err)
{
    return catalog_db_run(c, err,
                          SQL("DELETE FROM captured WHERE epoch = ?1 AND oid IN"
                              " (SELECT oid FROM captured WHERE epoch > ?1)"),
                          INT(epoch));
}

int
capture_add_skips(struct catalog *c, struct err *err)
{
    return catalog_db_run(
        c, err,
        SQL("INSERT INTO skips(kind, schema, name, reason, harmless)"
            " SELECT 'changes of table', schema, name, reason, 1"
            " FROM (SELECT oid, schema, name, reason FROM captured"
            "  WHERE member = 0 UNION ALL SELECT oid, schema, name,"
            "  'logical replication does not carry large objects'"
            "  FROM tables WHERE kind = 'large objects') ORDER BY oid"));
}
