/* SPDX-License-Identifier: PostgreSQL */
#include "loader/source/capture/publication.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loader/pg/server_error.h"
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

typedef int next_member(struct catalog *c, unsigned epoch, uint32_t oid,
                        uint32_t *ret, struct err *err);

/* A page of the members that next gives. */
struct page {
    struct catalog *catalog;
    unsigned epoch;
    next_member *next;
    uint32_t last;                      /* the last one's oid */
    char oids[RELATIONS_PAGE * 11 + 3]; /* "{16384,16390}" */
};

/* CATALOG_E_NONE: there are no more. */
static int
next_page(struct page *p, struct err *err)
{
    size_t size = sizeof p->oids;
    char *to = p->oids;
    size_t len = (size_t)snprintf(to, size, "{");
    unsigned n = 0;
    int r = 0;

    for (; n < RELATIONS_PAGE; n++) {
        r = p->next(p->catalog, p->epoch, p->last, &p->last, err);
        if (r)
            break;
        len += (size_t)snprintf(to + len, size - len, "%s%" PRIu32,
                                n ? "," : "", p->last);
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
        "SELECT n.nspname, c.relname, c.oid FROM pg_catalog.pg_class c"
        " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
        " WHERE c.oid = ANY ($1::pg_catalog.oid[]) ORDER BY c.oid",
        1, values, ret, err);
}

static uint32_t
oid_of(const PGresult *res, int line, int column)
{
    return (uint32_t)strtoul(PQgetvalue(res, line, column), NULL, 10);
}

/* A condition may end in a comment. */
static int
print_filter(FILE *f, struct catalog *c, uint32_t oid, struct err *err)
{
    cleanup_(freep) char *condition = NULL;
    int r = capture_condition_of(c, oid, &condition, err);

    if (!r && condition)
        fprintf(f, " WHERE (%s\n)", condition);
    return r;
}

/* "ONLY a, ONLY b WHERE (...)": without what inherits from them, which is there
   by itself. */
static int
list_tables(struct session *s, struct catalog *c, const PGresult *names,
            char **ret, struct err *err)
{
    char *sql = NULL;
    size_t len;
    FILE *f = open_memstream(&sql, &len);
    int r = 0;

    if (!f)
        return err_nomem(err);
    for (int i = 0; i < PQntuples(names) && !r; i++) {
        cleanup_(session_freememp) char *name = session_qualified(
            s, PQgetvalue(names, i, 0), PQgetvalue(names, i, 1));

        fprintf(f, "%sONLY %s", i ? ", " : "", name ? name : "");
        if (c)
            r = print_filter(f, c, oid_of(names, i, 2), err);
    }
    if (fclose(f) && !r)
        r = err_nomem(err);
    *ret = sql;
    return r;
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
alter_by_page(struct session *s, const char *publication, const char *what,
              struct catalog *c, const char *oids, struct err *err)
{
    cleanup_(session_freememp) char *name = session_ident(s, publication);
    cleanup_(session_clearp) PGresult *names = NULL;
    cleanup_(freep) char *tables = NULL;
    int r = ask_names(s, oids, &names, err);

    if (r || PQntuples(names) == 0)
        return r;
    r = name ? list_tables(s, c, names, &tables, err) : err_nomem(err);
    if (r)
        return r;
    return session_execf(s, err,
                         "SET LOCAL lock_timeout = '%ds'; "
                         "ALTER PUBLICATION %s %s TABLE %s",
                         LOCK_S, name, what, tables);
}

int
publication_make(struct session *s, const struct capture *m, struct catalog *c,
                 struct err *err)
{
    struct page p = {
        .catalog = c, .epoch = m->epoch, .next = capture_next_member};
    int by_root, r;

    r = capture_has_roots(c, m->epoch, &by_root, err);
    if (!r)
        r = create(s, m, by_root, err);
    while (!r && !(r = next_page(&p, err)))
        r = alter_by_page(s, m->publication, "ADD", c, p.oids, err);
    return r == CATALOG_E_NONE ? 0 : judge(r, err);
}

/* A page that an earlier try has taken out is not there any more. */
static int
keep_published(struct session *s, const char *publication, struct page *p,
               struct err *err)
{
    cleanup_(session_clearp) PGresult *res = NULL;
    const char *const values[] = {publication, p->oids};
    int r = session_query_params(
        s,
        "SELECT coalesce(pg_catalog.array_agg(r.prrelid)::text, '{}')"
        " FROM pg_catalog.pg_publication_rel r"
        " JOIN pg_catalog.pg_publication p ON p.oid = r.prpubid"
        " WHERE p.pubname = $1 AND r.prrelid = ANY ($2::pg_catalog.oid[])",
        2, values, &res, err);

    if (!r)
        snprintf(p->oids, sizeof p->oids, "%s", PQgetvalue(res, 0, 0));
    return r;
}

int
publication_lose_moved(struct session *s, const struct capture *m,
                       struct catalog *c, struct err *err)
{
    struct page p = {
        .catalog = c, .epoch = m->epoch, .next = capture_next_moved};
    int r = 0;

    while (!r && !(r = next_page(&p, err))) {
        r = keep_published(s, m->publication, &p, err);
        if (!r)
            r = alter_by_page(s, m->publication, "DROP", NULL, p.oids, err);
    }
    return r == CATALOG_E_NONE ? 0 : judge(r, err);
}

/* ---- can it carry a filter? ---- */

/* What the filter looks at besides the replica identity: "a, b". */
static const char beyond_identity[] =
    "SELECT pg_catalog.string_agg(pg_catalog.quote_ident(a.attname), ', '"
    "  ORDER BY a.attnum)"
    " FROM pg_catalog.pg_publication p"
    " JOIN pg_catalog.pg_publication_rel r ON r.prpubid = p.oid"
    " JOIN pg_catalog.pg_depend d ON d.objid = r.oid"
    "  AND d.classid = 'pg_catalog.pg_publication_rel'::pg_catalog.regclass"
    "  AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass"
    "  AND d.refobjid = r.prrelid AND d.refobjsubid > 0"
    " JOIN pg_catalog.pg_class c ON c.oid = r.prrelid"
    " JOIN pg_catalog.pg_attribute a ON a.attrelid = r.prrelid"
    "  AND a.attnum = d.refobjsubid"
    " WHERE p.pubname = $1 AND NOT EXISTS (SELECT"
    "  FROM pg_catalog.pg_index i WHERE i.indrelid = c.oid"
    "   AND (c.relreplident = 'd' AND i.indisprimary"
    "    OR c.relreplident = 'i' AND i.indisreplident)"
    "   AND a.attnum = ANY (i.indkey))";

enum { TRY_NAME = 40 };

static int
ask_beyond(struct session *s, const char *name, char **ret_why, struct err *err)
{
    cleanup_(session_clearp) PGresult *res = NULL;
    const char *const values[] = {name};
    int r = session_query_params(s, beyond_identity, 1, values, &res, err);

    if (r || PQgetisnull(res, 0, 0))
        return r;
    if (asprintf(ret_why, "%s: not in its replica identity",
                 PQgetvalue(res, 0, 0)) < 0)
        return err_nomem(err);
    return 0;
}

/* Is it the filter that the server does not take? */
static int
take_as_reason(const struct err *said, char **ret_why, struct err *err)
{
    if (said->class != ERR_SERVER || strcmp(said->sqlstate, "42501") == 0 ||
        (strncmp(said->sqlstate, "42", 2) != 0 &&
         strncmp(said->sqlstate, "0A", 2) != 0))
        return -1;
    if (asprintf(ret_why, "%s%s%s", server_error_words(said),
                 *said->detail ? ": " : "", said->detail) < 0)
        return err_nomem(err);
    return 0;
}

static int
try_filter(struct session *s, const struct publication_filter *f,
           const char *name, char **ret_why, struct err *err)
{
    int r = session_execf(s, err,
                          "SET LOCAL lock_timeout = '%ds'; "
                          "CREATE PUBLICATION %s FOR TABLE ONLY %s"
                          " WHERE (%s\n)",
                          LOCK_S, name, f->table, f->condition);

    if (r) {
        struct err said = *err;

        return take_as_reason(&said, ret_why, err) ? judge(-1, err) : 0;
    }
    return f->is_full ? 0 : ask_beyond(s, name, ret_why, err);
}

int
publication_try_filter(struct session *s, const struct publication_filter *f,
                       char **ret_why, struct err *err)
{
    char name[TRY_NAME];
    struct err ignored;
    int r;

    *ret_why = NULL;
    snprintf(name, sizeof name, "pghaul_try_%d", PQbackendPID(session_conn(s)));
    r = session_exec(s, "BEGIN", err);
    if (!r)
        r = try_filter(s, f, name, ret_why, err);
    if (r)
        session_exec(s, "ROLLBACK", &ignored);
    else
        r = session_exec(s, "ROLLBACK", err);
    return r;
}

/* ---- what is in it ---- */

struct checking {
    struct catalog *catalog;
    unsigned epoch;
    uint64_t n_found;
};

/* A row: the table's oid; are all its changes there, of all columns; is there
   a row filter? */
static int
visit_member(void *arg, const PGresult *row, struct err *err)
{
    struct checking *k = arg;
    cleanup_(freep) char *condition = NULL;
    uint32_t oid = oid_of(row, 0, 0);
    int is_member, r;

    if (PQgetvalue(row, 0, 1)[0] != 't')
        return PUBLICATION_E_DIFFERS;
    k->n_found++;
    r = capture_has_member(k->catalog, k->epoch, oid, &is_member, err);
    if (!r && !is_member)
        return PUBLICATION_E_DIFFERS;
    if (!r)
        r = capture_condition_of(k->catalog, oid, &condition, err);
    if (r)
        return r;
    return (PQgetvalue(row, 0, 2)[0] == 't') == (condition != NULL)
               ? 0
               : PUBLICATION_E_DIFFERS;
}

/* What newer servers know (row filters, column lists, whole schemas) is null
   in the JSON of older ones' rows. */
static const char members_sql[] =
    "SELECT coalesce(r.prrelid, 0),"
    " NOT p.puballtables AND p.pubinsert AND p.pubupdate AND p.pubdelete"
    " AND pg_catalog.to_jsonb(r) ->> 'prattrs' IS NULL,"
    " pg_catalog.to_jsonb(r) ->> 'prqual' IS NOT NULL"
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
publication_check(struct session *s, const struct capture *m, struct catalog *c,
                  struct err *err)
{
    cleanup_(session_freememp) char *literal =
        session_literal(s, m->publication);
    cleanup_(freep) char *sql = NULL;
    struct checking k = {.catalog = c, .epoch = m->epoch};
    uint64_t n_members;
    int schemas, r;

    if (!literal || asprintf(&sql, members_sql, literal) < 0)
        return err_nomem(err);
    r = has_schemas(s, literal, &schemas, err);
    if (!r)
        r = session_each(s, sql, visit_member, &k, err);
    if (!r)
        r = capture_count_members(c, m->epoch, &n_members, err);
    if (r)
        return r;
    return schemas || k.n_found != n_members ? PUBLICATION_E_DIFFERS : 0;
}

/* With the transactions that made the rows: what was altered and altered back
   has lost changes meanwhile. */
static const char print_sql[] =
    "SELECT pg_catalog.md5(p.xmin::text || pg_catalog.to_jsonb(p)::text ||"
    " coalesce((SELECT pg_catalog.string_agg(r.xmin::text ||"
    "   pg_catalog.to_jsonb(r)::text, ',' ORDER BY r.oid)"
    "  FROM pg_catalog.pg_publication_rel r"
    "  WHERE r.prpubid = p.oid), ''))"
    " FROM pg_catalog.pg_publication p WHERE p.pubname = $1";

int
publication_print(struct session *s, const char *name, char **ret,
                  struct err *err)
{
    cleanup_(session_clearp) PGresult *res = NULL;
    int r = session_query_params(s, print_sql, 1, &name, &res, err);

    if (r)
        return r;
    *ret = PQntuples(res) ? strdup(PQgetvalue(res, 0, 0)) : NULL;
    return PQntuples(res) && !*ret ? err_nomem(err) : 0;
}

int
publication_drop(struct session *s, const char *name, struct err *err)
{
    cleanup_(session_freememp) char *ident = session_ident(s, name);

    if (!ident)
        return err_nomem(err);
    return session_execf(s, err, "DROP PUBLICATION IF EXISTS %s", ident);
}
