/* SPDX-License-Identifier: PostgreSQL */
#include "loader/cutover/step.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[N_STEPS] = {
    [STEP_LAG] = "lag",
    [STEP_REVERSE] = "reverse",
    [STEP_READ_ONLY] = "read-only",
    [STEP_DRAIN] = "drain",
    [STEP_SEQUENCES] = "sequences",
    [STEP_VERIFY] = "verify",
    [STEP_TURN] = "turn",
    [STEP_SWITCH] = "switch",
    [STEP_BACK_READ_ONLY] = "back-read-only",
    [STEP_BACK_DRAIN] = "back-drain",
    [STEP_BACK_SEQUENCES] = "back-sequences",
    [STEP_BACK_VERIFY] = "back-verify",
    [STEP_BACK_TURN] = "back-turn",
    [STEP_BACK_RELEASE] = "back-release",
    [STEP_BACK_SWITCH] = "back-switch",
    [STEP_FINISH] = "finish",
    [STEP_TARGET_READ_ONLY] = "target-read-only",
};

const char *
step_name(enum step step)
{
    return names[step];
}

/* ---- reading ---- */

static int
find_step(const char *name, enum step *ret)
{
    for (unsigned i = 0; i < N_STEPS; i++)
        if (strcmp(names[i], name) == 0) {
            *ret = (enum step)i;
            return 0;
        }
    return -1;
}

static int
read_row(struct steps *s, const PGresult *res, int i, struct err *err)
{
    struct step_row *row;
    enum step step;

    if (find_step(PQgetvalue(res, i, 0), &step)) {
        err_set(err, ERR_REFUSED, "\"%s\" is no step of a cut-over",
                PQgetvalue(res, i, 0));
        return err_hint(err, "The cut-over was begun by another version of "
                             "pghaul: go on with that one.");
    }
    row = &s->rows[step];
    row->state = PQgetvalue(res, i, 1)[0] == 'd' ? STEP_DONE : STEP_BEGUN;
    snprintf(row->was, sizeof row->was, "%s", PQgetvalue(res, i, 2));
    snprintf(row->since, sizeof row->since, "%s", PQgetvalue(res, i, 3));
    row->ms = strtoull(PQgetvalue(res, i, 4), NULL, 10);
    return 0;
}

static int
read_rows(struct steps *s, struct err *err)
{
    cleanup_(session_clearp) PGresult *res = NULL;
    char sql[512];
    int r;

    snprintf(sql, sizeof sql,
             "SELECT step, state, coalesce(details ->> 'was', ''),"
             " coalesce(details ->> 'since', ''),"
             " coalesce(details ->> 'ms', '0') FROM %s WHERE run = $1",
             s->table);
    r = session_query_params(s->target, sql, 1, &s->run, &res, err);
    for (int i = 0; !r && i < PQntuples(res); i++)
        r = read_row(s, res, i, err);
    return r;
}

static int
is_there(struct steps *s, int *ret, struct err *err)
{
    const char *const values[] = {s->table};
    cleanup_(session_clearp) PGresult *res = NULL;
    int r = session_query_params(
        s->target, "SELECT pg_catalog.to_regclass($1) IS NOT NULL", 1, values,
        &res, err);

    if (!r)
        *ret = PQgetvalue(res, 0, 0)[0] == 't';
    return r;
}

/* Ledgers that were made before there were cut-overs have no such table. */
static int
make_table(struct steps *s, const char *schema, struct err *err)
{
    return session_execf(
        s->target, err,
        "CREATE TABLE IF NOT EXISTS %s (run uuid NOT NULL REFERENCES %s.run,"
        " step text NOT NULL,"
        " state text NOT NULL CHECK (state IN ('begun', 'done')),"
        " begun timestamptz NOT NULL, done timestamptz,"
        " details jsonb NOT NULL, PRIMARY KEY (run, step))",
        s->table, schema);
}

int
steps_open(struct steps *ret, struct session *target, const char *schema,
           const char *run, int make, struct err *err)
{
    cleanup_(session_freememp) char *quoted = session_ident(target, schema);
    struct steps s = {.target = target, .run = run};
    int r = 0, found;

    if (!quoted || asprintf(&s.table, "%s.cutover", quoted) < 0)
        return err_nomem(err);
    if (make)
        r = make_table(&s, quoted, err);
    if (!r)
        r = is_there(&s, &found, err);
    if (!r && found)
        r = read_rows(&s, err);
    if (r)
        steps_clear(&s);
    else
        *ret = s;
    return r;
}

void
steps_clear(struct steps *s)
{
    free(s->table);
    *s = (struct steps){0};
}

/* ---- writing ---- */

int
step_begin(struct steps *s, enum step step, struct err *err)
{
    const char *const values[] = {s->run, names[step]};
    cleanup_(session_clearp) PGresult *res = NULL;
    char sql[512];
    int r;

    snprintf(sql, sizeof sql,
             "INSERT INTO %s (run, step, state, begun, details) VALUES"
             " ($1, $2, 'begun', pg_catalog.clock_timestamp(), '{}')"
             " ON CONFLICT (run, step) DO UPDATE SET state = 'begun',"
             " done = NULL",
             s->table);
    r = session_query_params(s->target, sql, 2, values, &res, err);
    if (!r)
        s->rows[step].state = STEP_BEGUN;
    return r;
}

int
step_restart(struct steps *s, enum step step, struct err *err)
{
    const char *const values[] = {s->run, names[step]};
    cleanup_(session_clearp) PGresult *res = NULL;
    char sql[256];

    snprintf(sql, sizeof sql,
             "UPDATE %s SET begun = pg_catalog.clock_timestamp()"
             " WHERE run = $1 AND step = $2",
             s->table);
    return session_query_params(s->target, sql, 2, values, &res, err);
}

static int
note(struct steps *s, enum step step, const char *key, const char *value,
     struct err *err)
{
    const char *const values[] = {s->run, names[step], key, value};
    cleanup_(session_clearp) PGresult *res = NULL;
    char sql[256];

    snprintf(sql, sizeof sql,
             "UPDATE %s SET details = details ||"
             " pg_catalog.jsonb_build_object($3::text, $4::text)"
             " WHERE run = $1 AND step = $2",
             s->table);
    return session_query_params(s->target, sql, 4, values, &res, err);
}

int
step_note_was(struct steps *s, enum step step, const char *was, struct err *err)
{
    struct step_row *row = &s->rows[step];

    snprintf(row->was, sizeof row->was, "%s", was);
    return note(s, step, "was", was, err);
}

int
step_note_since(struct steps *s, enum step step, const char *since,
                struct err *err)
{
    struct step_row *row = &s->rows[step];

    snprintf(row->since, sizeof row->since, "%s", since);
    return note(s, step, "since", since, err);
}

int
step_done(struct steps *s, enum step step, uint64_t ms, struct err *err)
{
    char text[24];
    const char *const values[] = {s->run, names[step], text};
    cleanup_(session_clearp) PGresult *res = NULL;
    char sql[512];
    int r;

    snprintf(text, sizeof text, "%" PRIu64, ms);
    snprintf(sql, sizeof sql,
             "UPDATE %s SET state = 'done',"
             " done = pg_catalog.clock_timestamp(), details = details ||"
             " pg_catalog.jsonb_build_object('ms', $3::int8)"
             " WHERE run = $1 AND step = $2",
             s->table);
    r = session_query_params(s->target, sql, 3, values, &res, err);
    if (!r) {
        s->rows[step].state = STEP_DONE;
        s->rows[step].ms = ms;
    }
    return r;
}

int
step_age(struct steps *s, enum step step, uint64_t *ret, struct err *err)
{
    const char *const values[] = {s->run, names[step]};
    cleanup_(session_clearp) PGresult *res = NULL;
    char sql[256];
    int r;

    snprintf(sql, sizeof sql,
             "SELECT greatest(0, extract(epoch FROM"
             " pg_catalog.clock_timestamp() - begun) * 1000)::int8"
             " FROM %s WHERE run = $1 AND step = $2",
             s->table);
    r = session_query_params(s->target, sql, 2, values, &res, err);
    *ret = !r && PQntuples(res) > 0 ? strtoull(PQgetvalue(res, 0, 0), NULL, 10)
                                    : 0;
    return r;
}

/* ---- forgetting ---- */

int
step_rename(struct steps *s, enum step step, enum step as, struct err *err)
{
    const char *const values[] = {s->run, names[step], names[as]};
    cleanup_(session_clearp) PGresult *res = NULL;
    char sql[256];
    int r;

    if (s->rows[step].state == STEP_PENDING)
        return 0;
    snprintf(sql, sizeof sql,
             "UPDATE %s SET step = $3 WHERE run = $1 AND step = $2", s->table);
    r = session_query_params(s->target, sql, 3, values, &res, err);
    if (!r) {
        s->rows[as] = s->rows[step];
        s->rows[step] = (struct step_row){0};
    }
    return r;
}

int
step_forget(struct steps *s, enum step step, struct err *err)
{
    const char *const values[] = {s->run, names[step]};
    cleanup_(session_clearp) PGresult *res = NULL;
    char sql[256];
    int r;

    snprintf(sql, sizeof sql, "DELETE FROM %s WHERE run = $1 AND step = $2",
             s->table);
    r = session_query_params(s->target, sql, 2, values, &res, err);
    if (!r)
        s->rows[step] = (struct step_row){0};
    return r;
}

/* One statement: what is kept and what is gone are never both there. */
int
steps_forget(struct steps *s, enum step keep, enum step as, struct err *err)
{
    const char *kept = keep < N_STEPS ? names[keep] : "";
    const char *const values[] = {s->run, kept, as < N_STEPS ? names[as] : ""};
    struct step_row row = {0};
    cleanup_(session_clearp) PGresult *res = NULL;
    char sql[512];
    int r;

    snprintf(sql, sizeof sql,
             "WITH gone AS (DELETE FROM %s WHERE run = $1 AND step <> $2)"
             " UPDATE %s SET step = $3 WHERE run = $1 AND step = $2",
             s->table, s->table);
    r = session_query_params(s->target, sql, 3, values, &res, err);
    if (r)
        return r;
    if (keep < N_STEPS)
        row = s->rows[keep];
    memset(s->rows, 0, sizeof s->rows);
    if (as < N_STEPS)
        s->rows[as] = row;
    return 0;
}
