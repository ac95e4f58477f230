/* SPDX-License-Identifier: PostgreSQL */
#include "loader/target/ledger.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "io/clock.h"

/* How long a server process that was told to end may take: ten seconds. */
enum { OUTLIVE_NAPS = 200, OUTLIVE_NAP_US = 50000 };

static const char *const kind_names[] = {
    [LEDGER_CHUNK] = "chunk",
    [LEDGER_PRE_DATA] = "pre-data",
    [LEDGER_POST_DATA] = "post-data",
    [LEDGER_STEP] = "step",
};

/* ---- begin ---- */

/* One load of a run at a time; the lock ends with the session. */
static int
lock_run(const struct ledger *l, struct session *s, struct err *err)
{
    static const char try_lock[] =
        "SELECT pg_catalog.pg_try_advisory_lock("
        "  pg_catalog.hashtext('pghaul'), pg_catalog.hashtext($1)),"
        " (SELECT pid FROM pg_catalog.pg_locks WHERE locktype = 'advisory'"
        "  AND classid = pg_catalog.hashtext('pghaul')::int8"
        "      & x'ffffffff'::int8"
        "  AND objid = pg_catalog.hashtext($1)::int8 & x'ffffffff'::int8"
        "  AND granted LIMIT 1)";
    cleanup_(session_clearp) PGresult *res = NULL;
    int r;

    r = session_query_params(s, try_lock, 1, &l->run, &res, err);
    if (r)
        return r;
    if (PQgetvalue(res, 0, 0)[0] == 't')
        return 0;
    err_set(err, ERR_REFUSED, "run %s is being loaded into this target already",
            l->run);
    err_detail(err, "The other load's server process is %s.",
               PQgetvalue(res, 0, 1));
    return err_hint(err, "Wait until it has ended, or end it.");
}

int
ledger_outlive(const struct ledger *l, struct session *s, int pid,
               struct err *err)
{
    static const char end[] =
        "SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_locks"
        " WHERE locktype = 'advisory' AND pid = $2::int AND granted"
        " AND database = (SELECT oid FROM pg_catalog.pg_database"
        "  WHERE datname = pg_catalog.current_database())"
        " AND classid = pg_catalog.hashtext('pghaul')::int8"
        "     & x'ffffffff'::int8"
        " AND objid = pg_catalog.hashtext($1)::int8 & x'ffffffff'::int8";
    char number[16];
    int r = 0;

    snprintf(number, sizeof number, "%d", pid);
    for (unsigned i = 0; i < OUTLIVE_NAPS && !r; i++) {
        cleanup_(session_clearp) PGresult *res = NULL;

        r = session_query_params(
            s, end, 2, (const char *const[]){l->run, number}, &res, err);
        if (r || PQntuples(res) == 0)
            break;
        clock_nap_us(OUTLIVE_NAP_US);
    }
    return r; /* if it is still there, ledger_begin() will say so */
}

/* *ret_ours: the schema is there and is a ledger. */
static int
look_at_schema(const struct ledger *l, struct session *s, int *ret_ours,
               struct err *err)
{
    cleanup_(session_clearp) PGresult *res = NULL;
    int r;

    r = session_query_params(
        s,
        "SELECT coalesce(pg_catalog.obj_description(oid, 'pg_namespace'), '')"
        " FROM pg_catalog.pg_namespace WHERE nspname = $1",
        1, &l->schema, &res, err);
    if (r)
        return r;
    *ret_ours = PQntuples(res) == 1;
    if (!*ret_ours || strcmp(PQgetvalue(res, 0, 0), LEDGER_MARK) == 0)
        return 0;
    err_set(err, ERR_REFUSED,
            "schema \"%s\" of the target is not a ledger of pghaul", l->schema);
    return err_hint(err, "Choose another name with --ledger-schema.");
}

static int
create_tables(struct session *s, const char *schema, struct err *err)
{
    return session_execf(
        s, err,
        "CREATE SCHEMA %s;"
        "COMMENT ON SCHEMA %s IS '" LEDGER_MARK "';"
        "CREATE TABLE %s.run (run uuid PRIMARY KEY, source text NOT NULL,"
        " begun timestamptz NOT NULL DEFAULT pg_catalog.now(),"
        " finished timestamptz, into_existing boolean NOT NULL,"
        " n_chunks bigint, n_entries bigint, n_failures bigint);"
        "CREATE TABLE %s.ledger (run uuid NOT NULL REFERENCES %s.run,"
        " kind text NOT NULL, id bigint NOT NULL, n_rows bigint NOT NULL,"
        " n_bytes bigint NOT NULL,"
        " at timestamptz NOT NULL DEFAULT pg_catalog.now(),"
        " PRIMARY KEY (run, kind, id));"
        "CREATE UNLOGGED TABLE %s.unlogged (LIKE %s.ledger INCLUDING ALL);"
        "CREATE TABLE %s.aside (run uuid NOT NULL REFERENCES %s.run,"
        " id bigint NOT NULL, PRIMARY KEY (run, id),"
        " table_id bigint, kind text NOT NULL, schema text NOT NULL,"
        " name text NOT NULL, sql text NOT NULL);"
        "CREATE UNIQUE INDEX ON %s.aside (run, kind, pg_catalog.md5(sql))",
        schema, schema, schema, schema, schema, schema, schema, schema, schema,
        schema);
}

/* Documented in docs/ledger.md. */
static int
create_view(struct session *s, const char *schema, struct err *err)
{
    return session_execf(
        s, err,
        "CREATE VIEW %s.progress AS SELECT r.run, r.source,"
        " CASE WHEN r.finished IS NOT NULL THEN 'finished'"
        "  WHEN r.n_chunks IS NULL THEN 'schema'"
        "  WHEN d.chunks_done < r.n_chunks THEN 'rows' ELSE 'rest' END"
        "  AS phase,"
        " d.chunks_done, r.n_chunks AS chunks, d.rows, d.bytes,"
        " d.entries_done, r.n_entries AS entries, r.n_failures AS failures,"
        " r.begun AS started, d.last, r.finished"
        " FROM %s.run r CROSS JOIN LATERAL (SELECT"
        "  pg_catalog.count(*) FILTER (WHERE kind = 'chunk') AS chunks_done,"
        "  coalesce(pg_catalog.sum(n_rows), 0)::bigint AS rows,"
        "  coalesce(pg_catalog.sum(n_bytes), 0)::bigint AS bytes,"
        "  pg_catalog.count(*) FILTER (WHERE kind = 'post-data')"
        "   AS entries_done, pg_catalog.max(at) AS last"
        "  FROM (SELECT * FROM %s.ledger UNION ALL SELECT * FROM %s.unlogged)"
        "   AS l WHERE l.run = r.run) AS d",
        schema, schema, schema, schema);
}

static int
create_schema(const struct ledger *l, struct session *s, struct err *err)
{
    cleanup_(session_freememp) char *schema = session_ident(s, l->schema);
    int r;

    if (!schema)
        return err_nomem(err);
    r = create_tables(s, schema, err);
    return r ? r : create_view(s, schema, err);
}

static int
require_no_large_objects(struct session *s, struct err *err)
{
    cleanup_(session_clearp) PGresult *res = NULL;
    int r;

    r = session_query(s,
                      "SELECT oid FROM pg_catalog.pg_largeobject_metadata"
                      " ORDER BY oid LIMIT 1",
                      &res, err);
    if (r || PQntuples(res) == 0)
        return r;
    err_set(err, ERR_REFUSED, "the target database is not empty");
    err_detail(err, "It holds large objects, %s first.", PQgetvalue(res, 0, 0));
    return err_hint(err, "Load into a database made with CREATE DATABASE ... "
                         "TEMPLATE template0.");
}

/* Before the first load of a run the target must hold nothing. */
static int
require_empty(struct session *s, struct err *err)
{
    cleanup_(session_clearp) PGresult *res = NULL;
    int r;

    r = session_query(
        s,
        "SELECT n.nspname, c.relname, pg_catalog.count(*) OVER ()"
        " FROM pg_catalog.pg_class c"
        " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
        " WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')"
        " AND n.nspname <> 'pg_catalog' AND n.nspname <> 'information_schema'"
        " AND n.nspname !~ '^pg_(toast|temp)'"
        " AND coalesce(pg_catalog.obj_description(n.oid, 'pg_namespace'), '')"
        "     <> '" LEDGER_MARK "'"
        " AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d"
        "   WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass"
        "     AND d.objid = c.oid AND d.deptype = 'e')"
        " ORDER BY 1, 2 LIMIT 1",
        &res, err);
    if (r || PQntuples(res) == 0)
        return r ? r : require_no_large_objects(s, err);
    err_set(err, ERR_REFUSED, "the target database is not empty");
    err_detail(err, "It holds %s tables, views and sequences, \"%s.%s\" first.",
               PQgetvalue(res, 0, 2), PQgetvalue(res, 0, 0),
               PQgetvalue(res, 0, 1));
    return err_hint(err, "Load into a database made with CREATE DATABASE ... "
                         "TEMPLATE template0.");
}

static int
require_same_way(const struct ledger *l, const char *was_into_existing,
                 struct err *err)
{
    if ((was_into_existing[0] == 't') == !!l->into_existing)
        return 0;
    err_set(err, ERR_REFUSED, "the load of run %s was begun %s --into-existing",
            l->run, l->into_existing ? "without" : "with");
    return err_hint(err, "Go on in the same way.");
}

/* This run's row; if it is new, the target must be empty. */
static int
enter_run(const struct ledger *l, struct session *s, const char *source,
          int *ret_finished, struct err *err)
{
    const char *const values[] = {l->run, source,
                                  l->into_existing ? "true" : "false"};
    cleanup_(session_freememp) char *schema = session_ident(s, l->schema);
    cleanup_(session_clearp) PGresult *res = NULL;
    char sql[512];
    int r;

    if (!schema)
        return err_nomem(err);
    snprintf(sql, sizeof sql,
             "INSERT INTO %s.run AS r (run, source, into_existing)"
             " VALUES ($1, $2, $3)"
             " ON CONFLICT (run) DO UPDATE SET source = r.source"
             " RETURNING xmax = 0, finished IS NOT NULL, into_existing",
             schema);
    r = session_query_params(s, sql, 3, values, &res, err);
    if (!r)
        r = require_same_way(l, PQgetvalue(res, 0, 2), err);
    if (r)
        return r;
    *ret_finished = PQgetvalue(res, 0, 1)[0] == 't';
    if (PQgetvalue(res, 0, 0)[0] == 'f' || l->into_existing)
        return 0;
    return require_empty(s, err);
}

int
ledger_begin(const struct ledger *l, struct session *s, const char *source,
             int *ret_finished, struct err *err)
{
    struct err ignored;
    int ours, r;

    r = lock_run(l, s, err);
    if (!r)
        r = session_exec(s, "BEGIN", err);
    if (r)
        return r;
    r = look_at_schema(l, s, &ours, err);
    if (!r && !ours)
        r = create_schema(l, s, err);
    if (!r)
        r = enter_run(l, s, source, ret_finished, err);
    if (!r)
        r = session_exec(s, "COMMIT", err);
    if (r)
        session_exec(s, "ROLLBACK", &ignored);
    return r;
}

/* ---- rows ---- */

/* "s.unlogged" when table $5 is unlogged, else "s.ledger".  Who is second waits
   for the first to commit, then adds nothing. */
static char *
claim_statement(const char *schema)
{
    char *sql;

    return asprintf(&sql,
                    "WITH new AS (SELECT $1::uuid, $2, $3::int8, $4::int8,"
                    "  $6::int8),"
                    " u AS (SELECT FROM pg_catalog.pg_class"
                    "  WHERE oid = pg_catalog.to_regclass($5)"
                    "  AND relpersistence = 'u'),"
                    " a AS (INSERT INTO %s.unlogged (run, kind, id, n_rows,"
                    "  n_bytes)"
                    "  SELECT * FROM new WHERE EXISTS (SELECT FROM u)"
                    "  ON CONFLICT DO NOTHING RETURNING 1),"
                    " b AS (INSERT INTO %s.ledger (run, kind, id, n_rows,"
                    "  n_bytes)"
                    "  SELECT * FROM new WHERE NOT EXISTS (SELECT FROM u)"
                    "  ON CONFLICT DO NOTHING RETURNING 1)"
                    " SELECT FROM a UNION ALL SELECT FROM b",
                    schema, schema) < 0
               ? NULL
               : sql;
}

int
ledger_claim(const struct ledger *l, struct session *s,
             const struct ledger_row *row, struct err *err)
{
    cleanup_(session_freememp) char *schema = session_ident(s, l->schema);
    cleanup_(session_freememp) char *table = NULL;
    cleanup_(session_clearp) PGresult *res = NULL;
    cleanup_(freep) char *sql = NULL;
    char id[24], n_rows[24], n_bytes[24];
    int r;

    if (row->table)
        table = session_qualified(s, row->table->schema, row->table->name);
    if (schema)
        sql = claim_statement(schema);
    if (!sql || (row->table && !table))
        return err_nomem(err);
    snprintf(id, sizeof id, "%" PRId64, row->id);
    snprintf(n_rows, sizeof n_rows, "%" PRIu64, row->n_rows);
    snprintf(n_bytes, sizeof n_bytes, "%" PRIu64, row->n_bytes);
    r = session_query_params(s, sql, 6,
                             (const char *const[]){l->run,
                                                   kind_names[row->kind], id,
                                                   n_rows, table, n_bytes},
                             &res, err);
    return r ? r : PQntuples(res) == 0 ? LEDGER_E_ALREADY : 0;
}

int
ledger_has(const struct ledger *l, struct session *s, enum ledger_kind kind,
           int64_t id, int *ret, struct err *err)
{
    cleanup_(session_freememp) char *schema = session_ident(s, l->schema);
    cleanup_(session_clearp) PGresult *res = NULL;
    char sql[512], number[24];
    int r;

    if (!schema)
        return err_nomem(err);
    snprintf(number, sizeof number, "%" PRId64, id);
    snprintf(sql, sizeof sql,
             "SELECT FROM %s.ledger WHERE run = $1 AND kind = $2 AND id = $3",
             schema);
    r = session_query_params(
        s, sql, 3, (const char *const[]){l->run, kind_names[kind], number},
        &res, err);
    *ret = !r && PQntuples(res) > 0;
    return r;
}

/* One that the run does not have any more is of a table that was read again, in
   a newer epoch. */
static int
mark_chunk(struct catalog *c, int64_t id, struct err *err)
{
    int r = catalog_chunk_loaded(c, (uint64_t)id, err);

    if (!r || err->class != ERR_REFUSED)
        return r;
    err_set(err, ERR_REFUSED,
            "the target holds rows of a snapshot that was given up");
    err_detail(err,
               "Chunk %" PRId64 " was loaded before its table was read "
               "again in a newer epoch.",
               id);
    return err_hint(err, "\"pghaul abort --dir RUN --target T --drop-data\" "
                         "empties the run's tables; then load again.");
}

static int
visit_row(void *arg, const PGresult *row, struct err *err)
{
    struct catalog *c = arg;
    int64_t id = strtoll(PQgetvalue(row, 0, 1), NULL, 10);
    int r;

    if (strcmp(PQgetvalue(row, 0, 0), kind_names[LEDGER_CHUNK]) == 0)
        return mark_chunk(c, id, err);
    /* E_NONE: restored by a call that left out less (--no-acl). */
    r = catalog_entry_done(c, id, err);
    return r == CATALOG_E_NONE ? 0 : r;
}

int
ledger_read(const struct ledger *l, struct session *s, struct catalog *c,
            struct err *err)
{
    cleanup_(session_freememp) char *schema = session_ident(s, l->schema);
    cleanup_(session_freememp) char *run = session_literal(s, l->run);
    char sql[512];
    int r;

    if (!schema || !run)
        return err_nomem(err);
    snprintf(sql, sizeof sql,
             "SELECT kind, id FROM %s.ledger WHERE run = %s"
             " AND kind NOT IN ('%s', '%s')"
             " UNION ALL SELECT kind, id FROM %s.unlogged WHERE run = %s",
             schema, run, kind_names[LEDGER_PRE_DATA], kind_names[LEDGER_STEP],
             schema, run);
    r = catalog_begin(c, err);
    if (!r)
        r = session_each(s, sql, visit_row, c, err);
    return r ? r : catalog_commit(c, err);
}

static int
set_run(const struct ledger *l, struct session *s, const char *what,
        struct err *err)
{
    cleanup_(session_freememp) char *schema = session_ident(s, l->schema);
    cleanup_(session_freememp) char *run = session_literal(s, l->run);

    if (!schema || !run)
        return err_nomem(err);
    return session_execf(s, err, "UPDATE %s.run SET %s WHERE run = %s", schema,
                         what, run);
}

int
ledger_settle(const struct ledger *l, struct session *s, struct err *err)
{
    /* A transaction that writes nothing would not wait. */
    return set_run(l, s, "source = source", err);
}

int
ledger_tell(const struct ledger *l, struct session *s,
            const struct ledger_counts *n, struct err *err)
{
    char what[160];

    snprintf(what, sizeof what,
             "n_chunks = %" PRIu64 ", n_entries = %" PRIu64
             ", n_failures = %" PRIu64,
             n->n_chunks, n->n_entries, n->n_failures);
    return set_run(l, s, what, err);
}

int
ledger_finish(const struct ledger *l, struct session *s, struct err *err)
{
    return set_run(l, s, "finished = pg_catalog.now()", err);
}

int
ledger_look(const struct ledger *l, struct session *s,
            enum ledger_progress *ret, struct err *err)
{
    cleanup_(session_freememp) char *schema = session_ident(s, l->schema);
    cleanup_(session_clearp) PGresult *res = NULL;
    char sql[256];
    int ours, r;

    if (!schema)
        return err_nomem(err);
    *ret = LEDGER_NOTHING;
    r = look_at_schema(l, s, &ours, err);
    if (r || !ours)
        return r;
    snprintf(sql, sizeof sql,
             "SELECT finished IS NOT NULL FROM %s.run WHERE run = $1", schema);
    r = session_query_params(s, sql, 1, &l->run, &res, err);
    if (!r && PQntuples(res) > 0)
        *ret = PQgetvalue(res, 0, 0)[0] == 't' ? LEDGER_FINISHED : LEDGER_BEGUN;
    return r;
}

/* ---- giving up ---- */

int
ledger_find(const struct ledger *l, struct session *s, struct err *err)
{
    cleanup_(session_freememp) char *schema = session_ident(s, l->schema);
    cleanup_(session_clearp) PGresult *res = NULL;
    char sql[256];
    int ours, r;

    if (!schema)
        return err_nomem(err);
    r = look_at_schema(l, s, &ours, err);
    if (r || !ours)
        return r ? r : LEDGER_E_NONE;
    snprintf(sql, sizeof sql, "SELECT FROM %s.run WHERE run = $1", schema);
    r = session_query_params(s, sql, 1, &l->run, &res, err);
    if (r || PQntuples(res) == 0)
        return r ? r : LEDGER_E_NONE;
    return lock_run(l, s, err);
}

/* The table of cut-overs is there since the first one. */
static int
forget_cutover(struct session *s, const char *schema, const char *run,
               struct err *err)
{
    cleanup_(session_clearp) PGresult *res = NULL;
    cleanup_(session_freememp) char *name = NULL;
    char table[160];
    int r;

    snprintf(table, sizeof table, "%s.cutover", schema);
    name = session_literal(s, table);
    if (!name)
        return err_nomem(err);
    snprintf(table, sizeof table, "SELECT pg_catalog.to_regclass(%s)", name);
    r = session_query(s, table, &res, err);
    if (r || PQgetisnull(res, 0, 0))
        return r;
    return session_execf(s, err, "DELETE FROM %s.cutover WHERE run = %s",
                         schema, run);
}

static int
forget_run(const struct ledger *l, struct session *s, const char *schema,
           struct err *err)
{
    static const char *const tables[] = {"aside", "ledger", "unlogged", "run"};
    cleanup_(session_freememp) char *run = session_literal(s, l->run);
    int r = run ? forget_cutover(s, schema, run, err) : err_nomem(err);

    for (unsigned i = 0; i < sizeof tables / sizeof *tables && !r; i++)
        r = session_execf(s, err, "DELETE FROM %s.%s WHERE run = %s", schema,
                          tables[i], run);
    return r;
}

/* What somebody else has put into it keeps the schema. */
static int
drop_when_empty(struct session *s, const char *schema, struct err *err)
{
    cleanup_(session_clearp) PGresult *res = NULL;
    char sql[256];
    int r;

    snprintf(sql, sizeof sql, "SELECT FROM %s.run", schema);
    r = session_query(s, sql, &res, err);
    if (r || PQntuples(res) > 0)
        return r;
    return session_execf(s, err,
                         "DROP TABLE IF EXISTS %s.cutover;"
                         "DROP VIEW %s.progress;"
                         "DROP TABLE %s.aside, %s.ledger, %s.unlogged, %s.run;"
                         "DROP SCHEMA %s",
                         schema, schema, schema, schema, schema, schema,
                         schema);
}

int
ledger_drop(const struct ledger *l, struct session *s, struct err *err)
{
    cleanup_(session_freememp) char *schema = session_ident(s, l->schema);
    struct err ignored;
    int r;

    if (!schema)
        return err_nomem(err);
    r = session_exec(s, "BEGIN", err);
    if (!r)
        r = forget_run(l, s, schema, err);
    if (!r)
        r = drop_when_empty(s, schema, err);
    if (!r)
        return session_exec(s, "COMMIT", err);
    session_exec(s, "ROLLBACK", &ignored);
    return r;
}
