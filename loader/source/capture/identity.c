/* SPDX-License-Identifier: PostgreSQL */
#include "loader/source/capture/identity.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loader/source/capture/publication.h"
#include "loader/source/plan/relations.h"

enum { NAMED = 5 }; /* tables that a message names */

/* What is asked of a page of oids; a table that is gone has no row. */
static const char inspect[] =
    "SELECT c.oid, n.nspname, c.relname, c.relpersistence = 'u',"
    " c.relreplident = 'f' OR EXISTS (SELECT FROM pg_catalog.pg_index i"
    "   WHERE i.indrelid = c.oid AND i.indisvalid AND i.indislive"
    "    AND (c.relreplident = 'd' AND i.indisprimary AND i.indimmediate"
    "     OR c.relreplident = 'i' AND i.indisreplident)),"
    " c.relreplident, pg_catalog.pg_has_role(c.relowner, 'USAGE')"
    " FROM pg_catalog.pg_class c"
    " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
    " WHERE c.oid = ANY ($1::pg_catalog.oid[]) ORDER BY c.oid";

enum {
    I_OID,
    I_SCHEMA,
    I_NAME,
    I_UNLOGGED,
    I_USABLE,
    I_IDENTITY,
    I_OWNED,
};

/* The first few of what is wrong, and how many there are. */
struct list {
    uint64_t n;
    char text[IDENTITY_TEXT];
};

/* What the plan says of the tables of a page. */
struct planned {
    uint32_t oid, root; /* root: through which it is loaded; 0: none */
    int partial, of_extension;
};

/* A table through which partitions are loaded. */
struct root {
    char *schema, *name;
    uint32_t oid;
};

struct sorting {
    struct session *session;
    const struct identity_params *params;
    struct catalog *catalog;
    struct planned page[RELATIONS_PAGE];
    unsigned n_page;
    struct root *roots;
    unsigned n_roots;
    struct list bare, foreign, partial, siblings;
};

static void
list_add(struct list *l, const char *schema, const char *name)
{
    size_t len = strlen(l->text);

    if (l->n++ < NAMED)
        snprintf(l->text + len, sizeof l->text - len, "%s%s.%s",
                 len ? ", " : "", schema, name);
}

static int
is_true(const PGresult *res, int row, int column)
{
    return PQgetvalue(res, row, column)[0] == 't';
}

/* ---- sorting ---- */

static const struct planned *
find_planned(const struct sorting *g, uint32_t oid)
{
    for (unsigned i = 0; i < g->n_page; i++)
        if (g->page[i].oid == oid)
            return &g->page[i];
    return NULL;
}

static void
leave_out(struct capture_table *t, char *reason)
{
    t->member = 0;
    t->reason = reason;
}

/* A usable identity is missing. */
static void
apply_policy(struct sorting *g, const PGresult *res, int i,
             struct capture_table *t)
{
    static char reason[] = "it has no replica identity, and was to be left "
                           "out (--replica-identity skip)";

    switch (g->params->policy) {
    case IDENTITY_REFUSE:
        list_add(&g->bare, t->schema, t->name);
        break;
    case IDENTITY_FULL:
        t->identity = PQgetvalue(res, i, I_IDENTITY)[0];
        break;
    case IDENTITY_SKIP:
        leave_out(t, reason);
        break;
    }
}

/* ---- rows chosen by a condition ---- */

static int
refuse_filter(struct sorting *g, const struct capture_table *t, const char *why)
{
    char name[400];

    snprintf(name, sizeof name, "%s (%s)", t->name, why);
    list_add(&g->partial, t->schema, name);
    return 0;
}

static int
try_filter(struct sorting *g, const struct capture_table *t, int is_full,
           struct err *err)
{
    cleanup_(session_freememp) char *name =
        session_qualified(g->session, t->schema, t->name);
    cleanup_(freep) char *condition = NULL, *why = NULL;
    struct publication_filter filter = {t->oid, name, NULL, is_full};
    int r;

    if (!name)
        return err_nomem(err);
    r = capture_condition_of(g->catalog, t->oid, &condition, err);
    filter.condition = condition;
    if (!r)
        r = publication_try_filter(g->session, &filter, &why, err);
    return r || !why ? r : refuse_filter(g, t, why);
}

/* What is sent of it must be what is copied of it. */
static int
judge_filter(struct sorting *g, const struct planned *plan,
             struct capture_table *t, char identity, struct err *err)
{
    if (!g->params->filters)
        return refuse_filter(g, t,
                             "only a publication of ours, for pgoutput, can "
                             "carry it");
    if (session_server_version(g->session) < 150000)
        return refuse_filter(g, t, "row filters came with PostgreSQL 15");
    if (plan->root)
        return refuse_filter(g, t, "it is published through its root");
    /* Only the default can be put back as it was. */
    if (g->params->policy == IDENTITY_FULL && identity == 'd')
        t->identity = identity;
    return try_filter(g, t, t->identity || identity == 'f', err);
}

/* ---- a table ---- */

static int
sort_table(struct sorting *g, const PGresult *res, int i, struct err *err)
{
    static char unlogged[] = "it is unlogged: its changes are in no log",
                extension[] = "it belongs to an extension";
    struct capture_table t = {
        .epoch = g->params->epoch,
        .oid = (uint32_t)strtoul(PQgetvalue(res, i, I_OID), NULL, 10),
        .schema = PQgetvalue(res, i, I_SCHEMA),
        .name = PQgetvalue(res, i, I_NAME),
    };
    const struct planned *plan = find_planned(g, t.oid);
    int r = 0;

    t.member = plan->root ? plan->root : t.oid;
    if (is_true(res, i, I_UNLOGGED))
        leave_out(&t, unlogged);
    else if (plan->of_extension)
        leave_out(&t, extension);
    else if (!is_true(res, i, I_USABLE))
        apply_policy(g, res, i, &t);
    if (plan->partial && t.member)
        r = judge_filter(g, plan, &t, PQgetvalue(res, i, I_IDENTITY)[0], err);
    if (((t.member && g->params->owned) || t.identity) &&
        !is_true(res, i, I_OWNED))
        list_add(&g->foreign, t.schema, t.name);
    return r ? r : capture_add_table(g->catalog, &t, err);
}

static int
sort_page(struct sorting *g, const char *oids, struct err *err)
{
    cleanup_(session_clearp) PGresult *res = NULL;
    const char *const values[] = {oids};
    int r = session_query_params(g->session, inspect, 1, values, &res, err);

    for (int i = 0; !r && i < PQntuples(res); i++)
        r = sort_table(g, res, i, err);
    return r;
}

/* ---- roots ---- */

/*
 * What is published through a root is published for all that is below it: the
 * changes of partitions, too, that are not copied.
 */
static int
check_siblings(struct sorting *g, uint32_t root, struct err *err)
{
    cleanup_(session_clearp) PGresult *res = NULL;
    char oid[16];
    const char *const values[] = {oid};
    uint64_t id;
    int r;

    snprintf(oid, sizeof oid, "%" PRIu32, root);
    r = session_query_params(
        g->session,
        "SELECT n.nspname, c.relname, c.oid"
        " FROM pg_catalog.pg_partition_tree($1::pg_catalog.oid) t"
        " JOIN pg_catalog.pg_class c ON c.oid = t.relid"
        " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
        " WHERE t.isleaf ORDER BY c.oid",
        1, values, &res, err);
    for (int i = 0; !r && i < PQntuples(res); i++) {
        r = catalog_table_by_oid(
            g->catalog, (uint32_t)strtoul(PQgetvalue(res, i, 2), NULL, 10), &id,
            err);
        if (r == CATALOG_E_NONE) {
            list_add(&g->siblings, PQgetvalue(res, i, 0),
                     PQgetvalue(res, i, 1));
            r = 0;
        }
    }
    return r;
}

static int
ask_oid(struct session *s, const struct root *root, uint32_t *ret,
        struct err *err)
{
    cleanup_(session_clearp) PGresult *res = NULL;
    const char *const values[] = {root->schema, root->name};
    int r = session_query_params(
        s,
        "SELECT coalesce((SELECT c.oid FROM pg_catalog.pg_class c"
        " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
        " WHERE n.nspname = $1 AND c.relname = $2), 0)",
        2, values, &res, err);

    if (!r)
        *ret = (uint32_t)strtoul(PQgetvalue(res, 0, 0), NULL, 10);
    return r;
}

static int
add_root(struct sorting *g, const struct catalog_table *t, uint32_t *ret,
         struct err *err)
{
    struct root *roots, *new;
    int r;

    roots = reallocarray(g->roots, g->n_roots + 1, sizeof *roots);
    if (!roots)
        return err_nomem(err);
    g->roots = roots;
    new = &roots[g->n_roots++];
    *new = (struct root){strdup(t->root_schema), strdup(t->root_name), 0};
    if (!new->schema || !new->name)
        return err_nomem(err);
    r = ask_oid(g->session, new, &new->oid, err);
    *ret = new->oid;
    /* Without one it is gone: the plan in the snapshot will miss it too. */
    return r || !new->oid ? r : check_siblings(g, new->oid, err);
}

/* The table that t is loaded through, which is published in its place; 0:
   none.  There are few. */
static int
find_root(struct sorting *g, const struct catalog_table *t, uint32_t *ret,
          struct err *err)
{
    *ret = 0;
    if (!t->root_name)
        return 0;
    for (unsigned i = 0; i < g->n_roots; i++)
        if (strcmp(g->roots[i].schema, t->root_schema) == 0 &&
            strcmp(g->roots[i].name, t->root_name) == 0) {
            *ret = g->roots[i].oid;
            return 0;
        }
    return add_root(g, t, ret, err);
}

static void
free_roots(struct sorting *g)
{
    for (unsigned i = 0; i < g->n_roots; i++) {
        free(g->roots[i].schema);
        free(g->roots[i].name);
    }
    free(g->roots);
}

/* The next page of the plan, and its oids as an array: "{16384,16390}"; *last
   is its last number.  CATALOG_E_NONE: there is none. */
static int
next_page(struct sorting *g, uint64_t *last, char *to, size_t size,
          struct err *err)
{
    size_t len = (size_t)snprintf(to, size, "{");
    int r = 0;

    for (g->n_page = 0; g->n_page < RELATIONS_PAGE;) {
        cleanup_(catalog_table_freep) struct catalog_table *t = NULL;
        uint32_t root;

        r = catalog_next_table(g->catalog, *last, &t, err);
        if (r)
            break;
        *last = t->id;
        if (t->kind != CATALOG_TABLE || t->epoch != g->params->epoch)
            continue; /* no slot carries large objects */
        r = find_root(g, t, &root, err);
        if (r)
            break;
        g->page[g->n_page] = (struct planned){
            .oid = t->oid,
            .root = root,
            .partial = t->condition != NULL,
            .of_extension = t->extension != NULL,
        };
        len += (size_t)snprintf(to + len, size - len, "%s%" PRIu32,
                                g->n_page ? "," : "", t->oid);
        g->n_page++;
    }
    snprintf(to + len, size - len, "}");
    return r == CATALOG_E_NONE && g->n_page > 0 ? 0 : r;
}

static int
refuse_partial(const struct sorting *g, struct err *err)
{
    err_set(err, ERR_REFUSED,
            "%" PRIu64 " table%s rows chosen by a condition that no "
            "publication can carry",
            g->partial.n, g->partial.n > 1 ? "s have" : " has");
    err_detail(err, "Changes of the other rows would be captured too: %s%s",
               g->partial.text, g->partial.n > NAMED ? "..." : "");
    return err_hint(err, "Copy all rows of these tables, or leave the tables "
                         "out.");
}

static int
refuse_siblings(const struct sorting *g, struct err *err)
{
    err_set(err, ERR_REFUSED,
            "%" PRIu64 " partition%s not copied, but %s changes would be "
            "captured",
            g->siblings.n, g->siblings.n > 1 ? "s are" : " is",
            g->siblings.n > 1 ? "their" : "its");
    err_detail(err,
               "The table above is published as a whole, for a row may belong "
               "into another partition in the target: %s%s",
               g->siblings.text, g->siblings.n > NAMED ? "..." : "");
    return err_hint(err, "Copy all partitions of that table, or none.");
}

static int
refuse(const struct sorting *g, struct err *err)
{
    if (g->foreign.n > 0) {
        err_set(err, ERR_REFUSED,
                "%" PRIu64 " table%s cannot be published by this role",
                g->foreign.n, g->foreign.n > 1 ? "s" : "");
        err_detail(err, "Only an owner can publish: %s%s", g->foreign.text,
                   g->foreign.n > NAMED ? "..." : "");
        return err_hint(err, "Connect as the owner of the tables, as a member "
                             "of the owning role, or as a superuser.");
    }
    if (g->siblings.n > 0)
        return refuse_siblings(g, err);
    if (g->partial.n > 0)
        return refuse_partial(g, err);
    if (g->bare.n == 0)
        return 0;
    err_set(err, ERR_REFUSED,
            "%" PRIu64 " table%s no replica identity that can be used",
            g->bare.n, g->bare.n > 1 ? "s have" : " has");
    err_detail(err,
               "Once published, UPDATE and DELETE on them fail at the "
               "source: %s%s",
               g->bare.text, g->bare.n > NAMED ? "..." : "");
    return err_hint(err, "Add a primary key, or give --replica-identity full "
                         "(whole rows in the log until \"abort\" puts it "
                         "back) or skip (their changes are not captured).");
}

int
identity_sort(struct session *s, const struct identity_params *p,
              struct catalog *c, struct err *err)
{
    struct sorting g = {.session = s, .params = p, .catalog = c};
    char oids[RELATIONS_PAGE * 11 + 3];
    uint64_t last = 0;
    int r = catalog_begin(c, err);

    while (!r && !(r = next_page(&g, &last, oids, sizeof oids, err)))
        r = sort_page(&g, oids, err);
    free_roots(&g);
    if (r != CATALOG_E_NONE)
        return r;
    r = catalog_commit(c, err);
    return r ? r : refuse(&g, err);
}

/* ---- looking again ---- */

struct looking {
    struct session *session;
    struct catalog *catalog;
    unsigned epoch;
    struct capture_table *page[RELATIONS_PAGE];
    unsigned n_page;
    struct list bare, gone;
};

static void
free_page(struct looking *k)
{
    while (k->n_page)
        capture_table_free(k->page[--k->n_page]);
}

/* The next page of captured tables, and their oids; CATALOG_E_NONE. */
static int
next_captured(struct looking *k, uint32_t *last, char *to, size_t size,
              struct err *err)
{
    size_t len = (size_t)snprintf(to, size, "{");
    int r = 0;

    while (k->n_page < RELATIONS_PAGE) {
        struct capture_table *t = NULL;

        r = capture_next_table(k->catalog, k->epoch, *last, &t, err);
        if (r)
            break;
        *last = t->oid;
        if (t->member == 0) {
            capture_table_free(t);
            continue;
        }
        len += (size_t)snprintf(to + len, size - len, "%s%" PRIu32,
                                k->n_page ? "," : "", t->oid);
        k->page[k->n_page++] = t;
    }
    snprintf(to + len, size - len, "}");
    return r == CATALOG_E_NONE && k->n_page > 0 ? 0 : r;
}

/* Both are in the order of the oids. */
static int
look_at_page(struct looking *k, const char *oids, struct err *err)
{
    cleanup_(session_clearp) PGresult *res = NULL;
    int row = 0,
        r = session_query_params(k->session, inspect, 1, &oids, &res, err);

    for (unsigned i = 0; !r && i < k->n_page; i++) {
        const struct capture_table *t = k->page[i];

        if (row == PQntuples(res) ||
            strtoul(PQgetvalue(res, row, I_OID), NULL, 10) != t->oid)
            list_add(&k->gone, t->schema, t->name);
        else if (!is_true(res, row++, I_USABLE))
            list_add(&k->bare, t->schema, t->name);
    }
    free_page(k);
    return r;
}

int
identity_look(struct session *s, struct catalog *c, unsigned epoch,
              struct identity_misfits *ret, struct err *err)
{
    struct looking k = {.session = s, .catalog = c, .epoch = epoch};
    char oids[RELATIONS_PAGE * 11 + 3];
    uint32_t last = 0;
    int r;

    while (!(r = next_captured(&k, &last, oids, sizeof oids, err)))
        if ((r = look_at_page(&k, oids, err)))
            break;
    free_page(&k);
    if (r != CATALOG_E_NONE)
        return r;
    *ret = (struct identity_misfits){.n_bare = k.bare.n, .n_gone = k.gone.n};
    memcpy(ret->bare, k.bare.text, sizeof ret->bare);
    memcpy(ret->gone, k.gone.text, sizeof ret->gone);
    return 0;
}

/* ---- changing ---- */

enum { IDENTITY_LOCK_S = 10 };

/* By its oid, for it may have been renamed; *ret is NULL when it is gone, or
   has another identity than was asked for. */
static int
name_of(struct session *s, uint32_t oid, char identity, char **ret,
        struct err *err)
{
    cleanup_(session_clearp) PGresult *res = NULL;
    char number[16];
    const char kind[2] = {identity, '\0'};
    const char *const values[] = {number, kind};
    int r;

    snprintf(number, sizeof number, "%" PRIu32, oid);
    r = session_query_params(
        s,
        "SELECT n.nspname, c.relname FROM pg_catalog.pg_class c"
        " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
        " WHERE c.oid = $1 AND c.relreplident = $2::pg_catalog.\"char\"",
        2, values, &res, err);
    if (r || PQntuples(res) == 0)
        return r;
    *ret = session_qualified(s, PQgetvalue(res, 0, 0), PQgetvalue(res, 0, 1));
    return *ret ? 0 : err_nomem(err);
}

static int
alter(struct session *s, const char *table, const char *identity,
      struct err *err)
{
    int r = session_execf(s, err,
                          "SET LOCAL lock_timeout = '%ds'; "
                          "ALTER TABLE %s REPLICA IDENTITY %s",
                          IDENTITY_LOCK_S, table, identity);

    if (r && strcmp(err->sqlstate, "55P03") == 0) { /* lock_not_available */
        err->class = ERR_REFUSED;
        err_detail(err, "Another session uses table %s.", table);
        err_hint(err, "Wait until it is done and run this again.");
    }
    return r;
}

static int
change_one(struct session *s, struct catalog *c, const struct capture_table *t,
           struct err *err)
{
    cleanup_(session_freememp) char *name = NULL;
    int r;

    (void)c;
    r = name_of(s, t->oid, t->identity, &name, err);
    return r || !name ? r : alter(s, name, "FULL", err);
}

/* "USING INDEX" was without effect, for there was no such index (any more):
   NOTHING is the same. */
static int
put_back_one(struct session *s, struct catalog *c,
             const struct capture_table *t, struct err *err)
{
    cleanup_(session_freememp) char *name = NULL;
    int r = name_of(s, t->oid, 'f', &name, err);

    if (!r && name)
        r = alter(s, name, t->identity == 'd' ? "DEFAULT" : "NOTHING", err);
    return r ? r : capture_set_identity(c, t, '\0', err);
}

static int
each_changed(struct session *s, unsigned epoch, struct catalog *c,
             int (*visit)(struct session *s, struct catalog *c,
                          const struct capture_table *t, struct err *err),
             struct err *err)
{
    uint32_t last = 0;
    int r = 0;

    while (!r) {
        cleanup_(capture_table_freep) struct capture_table *t = NULL;

        r = capture_next_table(c, epoch, last, &t, err);
        if (r)
            break;
        last = t->oid;
        if (t->identity)
            r = visit(s, c, t, err);
    }
    return r == CATALOG_E_NONE ? 0 : r;
}

int
identity_change(struct session *s, unsigned epoch, struct catalog *c,
                struct err *err)
{
    return each_changed(s, epoch, c, change_one, err);
}

int
identity_put_back(struct session *s, unsigned epoch, struct catalog *c,
                  struct err *err)
{
    return each_changed(s, epoch, c, put_back_one, err);
}
