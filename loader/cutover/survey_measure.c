/* SPDX-License-Identifier: PostgreSQL */
#include <stdio.h>
#include <stdlib.h>

#include "io/clock.h"
#include "loader/cutover/cutover_private.h"

enum {
    DRAIN_S = 5, /* at most, for the target to catch up */
    SAMPLE_ROWS = 300000,
    TURN_QUESTIONS = 20, /* to each of the two, about */
    TURN_MS = 200,       /* for workers to end and to begin */
    N_TRIPS = 5,
};

/* Microseconds for a question to both. */
static int
measure_trip(struct cutover *c, uint64_t *ret_us, struct err *err)
{
    uint64_t begun = clock_ns();
    int r = 0;

    for (int i = 0; i < N_TRIPS && !r; i++) {
        r = session_exec(c->source, "SELECT 1", err);
        if (!r)
            r = session_exec(c->target, "SELECT 1", err);
    }
    *ret_us = (clock_ns() - begun) / 1000 / N_TRIPS;
    return r;
}

/* How long it takes now until all is there that is committed now. */
static int
measure_drain(struct cutover *c, uint64_t *ret_ms, struct err *err)
{
    struct subscription_wait wait = {
        .subscriber = c->target,
        .publisher = c->source,
        .seconds = DRAIN_S,
        .stop = c->params->stop,
    };
    uint64_t begun = clock_ms(), lag;
    int r = subscription_end_of_log(c->source, &wait.lsn, err);

    for (unsigned i = 0; i < c->n_legs && !r; i++)
        r = subscription_wait(&wait, &c->legs[i].subscription, &lag, err);
    *ret_ms = r ? 0 : clock_ms() - begun;
    /* Late, or something in the way, of which there is a finding. */
    return r < 0 && err->class != ERR_REFUSED ? r : cutover_let_write(c, err);
}

/* Counted, or read whole, from the largest published table; the whole by the
   planner's estimate of rows. */
static int
measure_verify(struct cutover *c, struct survey_estimate *e, struct err *err)
{
    cleanup_(freep) char *publications = cutover_publications(c);
    const char *const values[] = {publications};
    cleanup_(session_clearp) PGresult *res = NULL, *counted = NULL;
    double all, sample;
    uint64_t begun;
    int r =
        !publications
            ? err_nomem(err)
            : session_query_params(
                  c->source,
                  "SELECT pg_catalog.format('%I.%I', t.schemaname, "
                  "t.tablename),"
                  " pg_catalog.count(*) OVER (), "
                  "pg_catalog.sum(greatest(k.reltuples, 0))"
                  "  OVER () FROM pg_catalog.pg_publication_tables t"
                  " JOIN pg_catalog.pg_namespace s ON s.nspname = t.schemaname"
                  " JOIN pg_catalog.pg_class k ON k.relnamespace = s.oid"
                  "  AND k.relname = t.tablename WHERE t.pubname = ANY "
                  "($1::text[])"
                  " ORDER BY k.reltuples DESC LIMIT 1",
                  1, values, &res, err);

    if (r || PQntuples(res) == 0)
        return r;
    e->n_tables = strtoull(PQgetvalue(res, 0, 1), NULL, 10);
    if (c->params->verify != CUTOVER_NOTHING) {
        char sql[512];

        snprintf(sql, sizeof sql,
                 "SELECT pg_catalog.count(%s) FROM (SELECT x FROM %s AS x"
                 " LIMIT %d) AS y",
                 c->params->verify == CUTOVER_ROWS ? "x::text" : "*",
                 PQgetvalue(res, 0, 0), SAMPLE_ROWS);
        begun = clock_ms();
        r = session_query(c->source, sql, &counted, err);
        if (r)
            return r;
        all = strtod(PQgetvalue(res, 0, 2), NULL);
        sample = strtod(PQgetvalue(counted, 0, 0), NULL);
        if (all < sample)
            all = sample;
        e->verify_ms = (uint64_t)((double)(clock_ms() - begun) *
                                  (sample > 0 ? all / sample : 1.0));
    }
    return 0;
}

static int
count_sequences(struct cutover *c, uint64_t *ret, struct err *err)
{
    uint64_t cursor = 0;
    int r = 0;

    for (*ret = 0; !r; ++*ret) {
        cleanup_(catalog_sequence_freep) struct catalog_sequence *q = NULL;

        r = catalog_next_sequence(c->catalog, &cursor, &q, err);
        if (r)
            break;
    }
    return r == CATALOG_E_NONE ? 0 : r;
}

static int
all_follow(const struct cutover *c)
{
    for (unsigned i = 0; i < c->n_legs; i++)
        if (!c->legs[i].name[0])
            return 0;
    return 1;
}

int
survey_measure(struct cutover *c, struct survey_estimate *e, struct err *err)
{
    uint64_t trip_us;
    int r = measure_trip(c, &trip_us, err);

    if (!r)
        r = count_sequences(c, &e->n_sequences, err);
    if (!r)
        r = measure_verify(c, e, err);
    /* Who does not follow has no speed. */
    if (!r && all_follow(c) && c->steps.rows[STEP_TURN].state == STEP_PENDING &&
        e->lag != UINT64_MAX)
        r = measure_drain(c, &e->drain_ms, err);
    if (r)
        return r;
    e->sequences_ms = e->n_sequences / 20 + 2 * trip_us / 1000;
    e->turn_ms = TURN_MS + TURN_QUESTIONS * trip_us / 1000;
    return 0;
}
