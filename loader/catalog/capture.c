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
read_text(struct catalog *c, const char *key, char **ret, struct err *err)
{
    int r = catalog_get(c, key, ret, err);

    return r == CATALOG_E_NONE ? 0 : r;
}

static int
read_lsn(struct catalog *c, const char *key, uint64_t *ret, struct err *err)
{
    cleanup_(freep) char *text = NULL;
    int r = read_text(c, key, &text, err);

    if (!r && text && capture_parse_lsn(text, ret))
        r = err_set(err, ERR_CORRUPT,
                    "the run catalogue's %s is not a log position", key);
    return r;
}

static int
read_state(struct capture *m, struct catalog *c, struct err *err)
{
    cleanup_(freep) char *state = NULL, *found = NULL;
    int r = read_text(c, "cdc.state", &state, err);

    if (!r)
        r = read_text(c, "cdc.publication_found", &found, err);
    for (unsigned i = 0; state && i <= CAPTURE_MADE; i++)
        if (strcmp(state, state_names[i]) == 0)
            m->state = (enum capture_state)i;
    m->found = found != NULL;
    return r;
}

int
capture_read(struct capture *ret, struct catalog *c, struct err *err)
{
    struct capture m = {0};
    int r;

    r = read_state(&m, c, err);
    if (!r)
        r = read_text(c, "cdc.run", &m.run_id, err);
    if (!r)
        r = read_text(c, "cdc.system_id", &m.system_id, err);
    if (!r)
        r = read_text(c, "cdc.database", &m.database, err);
    if (!r)
        r = read_text(c, "cdc.slot", &m.slot, err);
    if (!r)
        r = read_text(c, "cdc.publication", &m.publication, err);
    if (!r)
        r = read_text(c, "cdc.plugin", &m.plugin, err);
    if (!r)
        r = read_lsn(c, "cdc.floor", &m.floor, err);
    if (!r)
        r = read_lsn(c, "cdc.consistent_point", &m.lsn, err);
    if (!r && m.state != CAPTURE_NONE &&
        (!m.run_id || !m.slot || !m.plugin || !m.system_id || !m.database))
        r = err_set(err, ERR_CORRUPT,
                    "the run catalogue does not say which slot is the run's");
    if (r)
        capture_clear(&m);
    else
        *ret = m;
    return r;
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
    *m = (struct capture){0};
}

static int
write_intent(const struct capture *m, struct catalog *c, struct err *err)
{
    char floor[CAPTURE_LSN];
    const char *const pairs[][2] = {
        {"cdc.state", state_names[CAPTURE_INTENDED]},
        {"cdc.run", m->run_id},
        {"cdc.system_id", m->system_id},
        {"cdc.database", m->database},
        {"cdc.slot", m->slot},
        {"cdc.publication", m->publication},
        {"cdc.publication_found", m->found ? "yes" : NULL},
        {"cdc.plugin", m->plugin},
        {"cdc.floor", capture_lsn(floor, m->floor)},
    };
    int r = capture_forget(c, err);

    for (unsigned i = 0; i < sizeof pairs / sizeof *pairs && !r; i++)
        r = catalog_set(c, pairs[i][0], pairs[i][1], err);
    return r;
}

int
capture_intend(const struct capture *m, struct catalog *c, struct err *err)
{
    int r = catalog_db_group_begin(c, err);

    return r ? r : catalog_db_group_end(c, err, write_intent(m, c, err));
}

static int
write_made(struct catalog *c, uint64_t lsn, struct err *err)
{
    char text[CAPTURE_LSN];
    int r;

    r = catalog_set(c, "cdc.consistent_point", capture_lsn(text, lsn), err);
    return r ? r : catalog_set(c, "cdc.state", state_names[CAPTURE_MADE], err);
}

int
capture_made(struct catalog *c, uint64_t lsn, struct err *err)
{
    int r = catalog_db_group_begin(c, err);

    return r ? r : catalog_db_group_end(c, err, write_made(c, lsn, err));
}

int
capture_forget(struct catalog *c, struct err *err)
{
    return catalog_db_together(c, err,
                               "DELETE FROM captured;"
                               "DELETE FROM settings WHERE key GLOB 'cdc.*'");
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

static struct catalog_value
text_or_null(const char *text)
{
    return text ? TEXT(text)
                : (struct catalog_value){.kind = CATALOG_VALUE_NULL};
}

int
capture_add_table(struct catalog *c, const struct capture_table *t,
                  struct err *err)
{
    const char identity[2] = {t->identity, '\0'};

    return catalog_db_run(
        c, err, SQL("INSERT INTO captured VALUES(?, ?, ?, ?, ?, ?)"),
        INT(t->oid), TEXT(t->schema), TEXT(t->name), INT(t->member),
        text_or_null(t->identity ? identity : NULL), text_or_null(t->reason));
}

int
capture_next_table(struct catalog *c, uint32_t oid, struct capture_table **ret,
                   struct err *err)
{
    cleanup_(capture_table_freep) struct capture_table *t = NULL;
    cleanup_(catalog_db_endp) sqlite3_stmt *q = NULL;
    const char *identity;
    int r;

    r = catalog_db_query(c, err, &q,
                         SQL("SELECT oid, schema, name, member, identity,"
                             " reason FROM captured WHERE oid > ?"
                             " ORDER BY oid LIMIT 1"),
                         INT(oid));
    if (r)
        return r;
    t = calloc(1, sizeof *t);
    if (!t)
        return err_nomem(err);
    identity = (const char *)sqlite3_column_text(q, 4);
    *t = (struct capture_table){
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
capture_set_identity(struct catalog *c, uint32_t oid, char identity,
                     struct err *err)
{
    const char text[2] = {identity, '\0'};

    return catalog_db_run(c, err,
                          SQL("UPDATE captured SET identity = ? WHERE oid = ?"),
                          text_or_null(identity ? text : NULL), INT(oid));
}

static int
count(struct catalog *c, const char *sql, uint64_t *ret, struct err *err)
{
    cleanup_(catalog_db_endp) sqlite3_stmt *q = NULL;
    int r = catalog_db_query(c, err, &q, SQL(sql));

    if (!r)
        *ret = catalog_db_u64(q, 0);
    return r;
}

int
capture_count_strays(struct catalog *c, uint64_t *ret, struct err *err)
{
    return count(c,
                 "SELECT (SELECT count(*) FROM tables WHERE kind = 'table'"
                 "  AND oid NOT IN (SELECT oid FROM captured))"
                 " + (SELECT count(*) FROM captured"
                 "  WHERE oid NOT IN (SELECT oid FROM tables))",
                 ret, err);
}

int
capture_count_members(struct catalog *c, uint64_t *ret, struct err *err)
{
    return count(c,
                 "SELECT count(DISTINCT member) FROM captured"
                 " WHERE member <> 0",
                 ret, err);
}

int
capture_has_member(struct catalog *c, uint32_t oid, int *ret, struct err *err)
{
    cleanup_(catalog_db_endp) sqlite3_stmt *q = NULL;
    int r = catalog_db_query(
        c, err, &q, SQL("SELECT 1 FROM captured WHERE member = ? LIMIT 1"),
        INT(oid));

    *ret = r == 0;
    return r == CATALOG_E_NONE ? 0 : r;
}

int
capture_next_member(struct catalog *c, uint32_t oid, uint32_t *ret,
                    struct err *err)
{
    cleanup_(catalog_db_endp) sqlite3_stmt *q = NULL;
    int r = catalog_db_query(c, err, &q,
                             SQL("SELECT member FROM captured"
                                 " WHERE member > ? AND member <> 0"
                                 " ORDER BY member LIMIT 1"),
                             INT(oid));

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
capture_has_roots(struct catalog *c, int *ret, struct err *err)
{
    uint64_t n;
    int r = count(c,
                  "SELECT count(*) FROM captured"
                  " WHERE member <> 0 AND member <> oid",
                  &n, err);

    *ret = !r && n > 0;
    return r;
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
