/* SPDX-License-Identifier: PostgreSQL */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loader/cutover/cutover_private.h"
#include "loader/cutover/drain.h"
#include "loader/source/capture/publication.h"
#include "loader/source/keeper/slot.h"

/* For the transactions at the target that have written and are older. */
enum { SLOT_TIMEOUT_S = 60 };

/* ---- the publication at the target ---- */

int
reverse_members(struct cutover *c, PGresult **ret, struct err *err)
{
    cleanup_(freep) char *publications = cutover_publications(c);
    const char *const values[] = {publications};

    if (!publications)
        return err_nomem(err);
    return session_query_params(
        c->source,
        "SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_array("
        "  t.schemaname, t.tablename)), '[]'),"
        " (SELECT pg_catalog.bool_or(pubviaroot)"
        "  FROM pg_catalog.pg_publication WHERE pubname = ANY ($1::text[]))"
        " FROM pg_catalog.pg_publication_tables t"
        " WHERE t.pubname = ANY ($1::text[])",
        1, values, ret, err);
}

/* The statements that publish the same; NULL names a table that is missing. */
static int
ask_statements(struct cutover *c, const PGresult *members, PGresult **ret,
               struct err *err)
{
    const char *const values[] = {PQgetvalue(members, 0, 0), c->reverse_name};

    return session_query_params(
        c->target,
        "SELECT pg_catalog.string_agg(CASE WHEN x.oid IS NULL THEN x.name END,"
        "  ', '),"
        " pg_catalog.format('ALTER PUBLICATION %I ADD TABLE %s', $2::text,"
        "  pg_catalog.string_agg('ONLY ' || x.name, ', ' ORDER BY x.n))"
        " FROM (SELECT e.n, c.oid, pg_catalog.format('%I.%I', e.v ->> 0,"
        "   e.v ->> 1) AS name"
        "  FROM pg_catalog.json_array_elements($1::json) WITH ORDINALITY"
        "   AS e (v, n)"
        "  LEFT JOIN pg_catalog.pg_namespace s ON s.nspname = e.v ->> 0"
        "  LEFT JOIN pg_catalog.pg_class c ON c.relnamespace = s.oid"
        "   AND c.relname = e.v ->> 1 AND c.relkind IN ('r', 'p')) AS x"
        " GROUP BY (x.n - 1) / 500 ORDER BY min(x.n)",
        2, values, ret, err);
}

static int
refuse_missing(const char *names, struct err *err)
{
    err_set(err, ERR_REFUSED,
            "not all tables of the publication are there in "
            "the target");
    err_detail(err, "Missing: %s.", names);
    return err_hint(err, "Or give --no-reverse, and do without a way back.");
}

static int
create_publication(struct cutover *c, int by_root, struct err *err)
{
    cleanup_(session_freememp) char *name =
        session_ident(c->target, c->reverse_name);

    if (!name)
        return err_nomem(err);
    return session_execf(c->target, err,
                         "CREATE PUBLICATION %s WITH"
                         " (publish_via_partition_root = %s);"
                         "COMMENT ON PUBLICATION %s IS 'pghaul run %s'",
                         name, by_root ? "true" : "false", name,
                         c->reverse.run_id);
}

static int
add_tables(struct cutover *c, const PGresult *statements, struct err *err)
{
    int r = session_exec(c->target, "SET LOCAL lock_timeout = '10s'", err);

    for (int i = 0; !r && i < PQntuples(statements); i++)
        r = PQgetisnull(statements, i, 0)
                ? session_exec(c->target, PQgetvalue(statements, i, 1), err)
                : refuse_missing(PQgetvalue(statements, i, 0), err);
    return r;
}

static int
publish(struct cutover *c, const PGresult *members, const PGresult *statements,
        struct err *err)
{
    struct err ignored;
    int r = session_exec(c->target, "BEGIN", err);

    if (!r)
        r = create_publication(c, PQgetvalue(members, 0, 1)[0] == 't', err);
    if (!r)
        r = add_tables(c, statements, err);
    if (!r)
        return session_exec(c->target, "COMMIT", err);
    session_exec(c->target, "ROLLBACK", &ignored);
    return r;
}

static int
make_publication(struct cutover *c, struct err *err)
{
    cleanup_(session_clearp) PGresult *members = NULL, *statements = NULL;
    int ours, r = publication_look(c->target, c->reverse_name,
                                   c->reverse.run_id, &ours, err);

    if (r == 0 && !ours)
        return err_set(err, ERR_REFUSED,
                       "publication \"%s\" of the target is not this run's",
                       c->reverse_name);
    if (r <= 0)
        return r;
    r = reverse_members(c, &members, err);
    if (!r)
        r = ask_statements(c, members, &statements, err);
    return r ? r : publish(c, members, statements, err);
}

/* ---- the slot at the target ---- */

static int
create_slot(struct cutover *c, struct err *err)
{
    const char *const values[] = {c->reverse_name};
    cleanup_(session_clearp) PGresult *res = NULL;
    struct err ignored;
    int r = session_execf(c->target, err, "SET statement_timeout = '%ds'",
                          SLOT_TIMEOUT_S);

    if (!r)
        r = session_query_params(
            c->target,
            "SELECT pg_catalog.pg_create_logical_replication_slot($1,"
            " 'pgoutput')",
            1, values, &res, err);
    session_exec(c->target, "SET statement_timeout = 0", &ignored);
    if (r && strcmp(err->sqlstate, "57014") == 0) { /* query_canceled */
        err->class = ERR_REFUSED;
        return err_hint(err, "Transactions of the target that have written "
                             "have to end first: see xact_start in "
                             "pg_stat_activity, and pg_prepared_xacts.");
    }
    return r;
}

static int
make_slot(struct cutover *c, struct err *err)
{
    struct slot_look look;
    int r = slot_look(c->target, c->reverse_name, &look, err);

    if (r == SLOT_E_NONE)
        return create_slot(c, err);
    if (r ||
        (look.here && strcmp(look.plugin, "pgoutput") == 0 && !look.lost[0]))
        return r;
    return err_set(err, ERR_REFUSED,
                   "replication slot \"%s\" of the target is not this run's, "
                   "or lost",
                   c->reverse_name);
}

/* ---- all of it ---- */

static int
make_subscription(struct cutover *c, struct err *err)
{
    int r = subscription_make(c->source, &c->reverse, err);

    if (r && strcmp(err->sqlstate, "08006") == 0)
        err_hint(err, "The source's server itself connects to the target: "
                      "give a string that is right from there with "
                      "--reverse-conninfo, and see to it that the target's "
                      "pg_hba.conf lets it in.");
    return r;
}

/* The publication before the slot: what reads a change asks for it as it was
   when the change was made. */
int
reverse_make(struct cutover *c, char what[CUTOVER_WHAT], struct err *err)
{
    int r = make_publication(c, err);

    if (!r)
        r = make_slot(c, err);
    if (!r)
        r = make_subscription(c, err);
    snprintf(what, CUTOVER_WHAT,
             "publication, slot and, at the source, subscription \"%s\" wait",
             c->reverse_name);
    return r;
}

/*
 * The slot has seen what the target applied so far.  It is moved past that,
 * and since a crash of the target may move it back, the source's own origin
 * says where it goes on.
 */
int
reverse_open(struct cutover *c, struct err *err)
{
    struct subscription_look look;
    struct err ignored;
    int r = subscription_look(c->source, &c->reverse, &look, err);

    if (r || look.state == SUBSCRIPTION_ENABLED)
        return r;
    r = drain_skip(c->target, c->reverse_name, &c->reverse.lsn, err);
    if (!r)
        r = subscription_place(c->source, &c->reverse, err);
    if (r == SUBSCRIPTION_E_BY_SLOT) {
        cutover_tell(c, "the way back begins where its slot is: this role may "
                        "not advance replication origins at the source");
        session_exec(c->target, "CHECKPOINT", &ignored); /* who may */
        r = 0;
    }
    return r ? r : subscription_enable(c->source, &c->reverse, err);
}

int
reverse_drop(struct cutover *c, struct err *err)
{
    int ours, r = subscription_drop(c->source, &c->reverse, err);

    if (!r)
        r = subscription_slot_is_free(c->target, c->reverse_name, err);
    if (!r)
        r = slot_drop(c->target, c->reverse_name, err);
    if (!r)
        r = publication_look(c->target, c->reverse_name, c->reverse.run_id,
                             &ours, err);
    if (r == PUBLICATION_E_NONE || (!r && !ours))
        return 0;
    return r ? r : publication_drop(c->target, c->reverse_name, err);
}
