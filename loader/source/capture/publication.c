/* SPDX-License-Identifier: PostgreSQL */
#include "loader/source/capture/publication.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loader/source/plan/relations.h"

enum { LOCK_S = 10 };

#define MARK "pghaul run "

int
publication_look(struct session *s, const char *name, const char *run_id,
                 int *ret_ours, struct err *err)
{
    cleanup_(session_clearp) PGresult *res = NULL;
    const char *const values[] = {name, run_id};
    int r = session_query_params(
        s,
        "SELECT coalesce(pg_catalog.obj_description(oid, 'pg_publication'),"
        " '') = '" MARK "' || $2 FROM pg_catalog.pg_publication"
        " WHERE pubname = $1",
        2, values, &res, err);

    if (r)
        return r;
    if (PQntuples(res) == 0)
        return PUBLICATION_E_NONE;
    *ret_ours = PQgetvalue(res, 0, 0)[0] == 't';
    return 0;
}

/* ---- making it ---- */

/* "{16384,16390}": the next members; *last is the last one's oid.
   CATALOG_E_NONE: there are no more. */
static int
next_page(struct catalog *c, uint32_t *last, char *to, size_t size,
          struct err *err)
{
    size_t len = (size_t)snprintf(to, size, "{");
    unsigned n = 0;
    int r = 0;

    for (; n < RELATIONS_PAGE; n++) {
        r = capture_next_member(c, *last, last, err);
        if (r)
            break;
        len += (size_t)snprintf(to + len, size - len, "%s%" PRIu32,
                                n ? "," : "", *last);
    }
    snprintf(to + len, size - len, "}");
    return r == CATALOG_E_NONE && n > 0 ? 0 : r;
}

/* Their names as they are now; who is gone will be missed by the plan too. */
static int
ask_names(struct session *s, const char *oids, PGresult **ret, struct err *err)
{
    const char *const values[] = {oids};

    return session_query_params(
        s,
        "SELECT n.nspname, c.relname FROM pg_catalog.pg_class c"
        " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
        " WHERE c.oid = ANY ($1::pg_catalog.oid[]) ORDER BY c.oid",
        1, values, ret, err);
}

/* "ONLY a, ONLY b": without what inherits from them, which is there by
   itself. */
static char *
list_tables(struct session *s, const PGresult *names)
{
    char *sql = NULL;
    size_t len;
    FILE *f = open_memstream(&sql, &len);

    if (!f)
        return NULL;
    for (int i = 0; i < PQntuples(names); i++) {
        cleanup_(session_freememp) char *name = session_qualified(
            s, PQgetvalue(names, i, 0), PQgetvalue(names, i, 1));

        fprintf(f, "%sONLY %s", i ? ", " : "", name ? name : "");
    }
    if (fclose(f) == 0)
        return sql;
    free(sql);
    return NULL;
}

static int
judge(int r, struct err *err)
{
    if (r && strcmp(err->sqlstate, "55P03") == 0) { /* lock_not_available */
        err->class = ERR_REFUSED;
        return err_hint(err, "Another session holds a lock on one of the "
                             "tables that a publication conflicts with (DDL, "
                             "VACUUM, CREATE INDEX CONCURRENTLY): wait until "
                             "it is done and run this again.");
    }
    if (r && strcmp(err->sqlstate, "42501") == 0) /* insufficient_privilege */
        err->class = ERR_REFUSED;
    return r;
}

static int
create(struct session *s, const struct capture *m, int by_root, struct err *err)
{
    cleanup_(session_freememp) char *name = session_ident(s, m->publication);
    cleanup_(freep) char *mark = NULL;
    cleanup_(session_freememp) char *literal = NULL;

    if (!name || asprintf(&mark, MARK "%s", m->run_id) < 0)
        return err_nomem(err);
    literal = session_literal(s, mark);
    if (!literal)
        return err_nomem(err);
    return session_execf(s, err,
                         "CREATE PUBLICATION %s WITH"
                         " (publish_via_partition_root = %s);"
                         "COMMENT ON PUBLICATION %s IS %s",
                         name, by_root ? "true" : "false", name, literal);
}

static int
add_page(struct session *s, const char *publication, const char *oids,
         struct err *err)
{
    cleanup_(session_freememp) char *name = session_ident(s, publication);
    cleanup_(session_clearp) PGresult *names = NULL;
    cleanup_(freep) char *tables = NULL;
    int r = ask_names(s, oids, &names, err);

    if (r || PQntuples(names) == 0)
        return r;
    tables = list_tables(s, names);
    if (!tables || !name)
        return err_nomem(err);
    return session_execf(s, err,
                         "SET LOCAL lock_timeout = '%ds'; "
                         "ALTER PUBLICATION %s ADD TABLE %s",
                         LOCK_S, name, tables);
}

int
publication_make(struct session *s, const struct capture *m, struct catalog *c,
                 struct err *err)
{
    char oids[RELATIONS_PAGE * 11 + 3];
    uint32_t last = 0;
    int by_root, r;

    r = capture_has_roots(c, &by_root, err);
    if (!r)
        r = create(s, m, by_root, err);
    while (!r && !(r = next_page(c, &last, oids, sizeof oids, err)))
        r = add_page(s, m->publication, oids, err);
    return r == CATALOG_E_NONE ? 0 : judge(r, err);
}

/* ---- what is in it ---- */

struct checking {
    struct catalog *catalog;
    uint64_t n_found;
};

/* A row: the table's oid; all of it? */
static int
visit_member(void *arg, const PGresult *row, struct err *err)
{
    struct checking *k = arg;
    int is_member, r;

    if (PQgetvalue(row, 0, 1)[0] != 't')
        return PUBLICATION_E_DIFFERS;
    k->n_found++;
    r = capture_has_member(k->catalog,
                           (uint32_t)strtoul(PQgetvalue(row, 0, 0), NULL, 10),
                           &is_member, err);
    return r ? r : is_member ? 0 : PUBLICATION_E_DIFFERS;
}

/* What newer servers know (row filters, column lists, whole schemas) is null
   in the JSON of older ones' rows. */
static const char members_sql[] =
    "SELECT coalesce(r.prrelid, 0),"
    " NOT p.puballtables AND p.pubinsert AND p.pubupdate AND p.pubdelete"
    " AND pg_catalog.to_jsonb(r) ->> 'prqual' IS NULL"
    " AND pg_catalog.to_jsonb(r) ->> 'prattrs' IS NULL"
    " FROM pg_catalog.pg_publication p"
    " LEFT JOIN pg_catalog.pg_publication_rel r ON r.prpubid = p.oid"
    " WHERE p.pubname = %s AND (r.prrelid IS NOT NULL OR p.puballtables)";

/* A publication of whole schemas has its tables in addition. */
static int
has_schemas(struct session *s, const char *literal, int *ret, struct err *err)
{
    cleanup_(session_clearp) PGresult *res = NULL;
    cleanup_(freep) char *sql = NULL;
    int r;

    *ret = 0;
    if (session_server_version(s) < 150000)
        return 0;
    if (asprintf(&sql,
                 "SELECT FROM pg_catalog.pg_publication_namespace n"
                 " JOIN pg_catalog.pg_publication p ON p.oid = n.pnpubid"
                 " WHERE p.pubname = %s LIMIT 1",
                 literal) < 0)
        return err_nomem(err);
    r = session_query(s, sql, &res, err);
    if (!r)
        *ret = PQntuples(res) > 0;
    return r;
}

int
publication_check(struct session *s, const char *name, struct catalog *c,
                  struct err *err)
{
    cleanup_(session_freememp) char *literal = session_literal(s, name);
    cleanup_(freep) char *sql = NULL;
    struct checking k = {.catalog = c};
    uint64_t n_members;
    int schemas, r;

    if (!literal || asprintf(&sql, members_sql, literal) < 0)
        return err_nomem(err);
    r = has_schemas(s, literal, &schemas, err);
    if (!r)
        r = session_each(s, sql, visit_member, &k, err);
    if (!r)
        r = capture_count_members(c, &n_members, err);
    if (r)
        return r;
    return schemas || k.n_found != n_members ? PUBLICATION_E_DIFFERS : 0;
}

int
publication_drop(struct session *s, const char *name, struct err *err)
{
    cleanup_(session_freememp) char *ident = session_ident(s, name);

    if (!ident)
        return err_nomem(err);
    return session_execf(s, err, "DROP PUBLICATION IF EXISTS %s", ident);
}
