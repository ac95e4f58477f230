/* SPDX-License-Identifier: PostgreSQL */

/*
 * What a plan costs: seconds that pass, seconds of CPU of the server's process
 * and of this one, MB of this one at its peak; for the locks and for the plan.
 * many-tables.sh makes a source with very many tables for it.
 *
 *     bench-plan CONNINFO RUN-DIRECTORY
 */

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "io/clock.h"
#include "loader/catalog/catalog.h"
#include "loader/pg/snapshot.h"
#include "loader/source/keeper/locks.h"
#include "loader/source/plan/planner.h"

/* The session's own process, on this machine, asked as a superuser. */
static double
server_cpu(struct session *s)
{
    static const char sql[] =
        "SELECT (x[14]::numeric + x[15]::numeric) / 100 FROM"
        " pg_catalog.string_to_array(pg_catalog.pg_read_file("
        "  '/proc/self/stat', 0, 4096), ' ') AS x";
    cleanup_(session_clearp) PGresult *res = NULL;
    struct err ignored;

    if (session_query(s, sql, &res, &ignored))
        return 0;
    return atof(PQgetvalue(res, 0, 0));
}

struct meter {
    struct session *session;
    uint64_t begun_ms;
    double server_s, own_s; /* of CPU, before */
};

static double
seconds(struct timeval t)
{
    return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

static void
report(struct meter *m, const char *what)
{
    double server_s = server_cpu(m->session), own_s;
    uint64_t now = clock_ms();
    struct rusage use;

    getrusage(RUSAGE_SELF, &use);
    own_s = seconds(use.ru_utime) + seconds(use.ru_stime);
    if (what)
        printf("%.1f\t%.1f\t%.1f\t%ld\t%s\n", (double)(now - m->begun_ms) / 1e3,
               server_s - m->server_s, own_s - m->own_s, use.ru_maxrss / 1024,
               what);
    fflush(stdout);
    m->begun_ms = now;
    m->server_s = server_s;
    m->own_s = own_s;
}

static int
plan(const char *conninfo, const char *path, struct err *err)
{
    const struct session_params p = {
        .conninfo = conninfo, .side = SESSION_SOURCE, .purpose = "bench"};
    const struct planner_params params = {.chunk_size = 256 << 20};
    cleanup_(run_dir_freep) struct run_dir *dir = NULL;
    cleanup_(catalog_freep) struct catalog *c = NULL;
    cleanup_(session_freep) struct session *s = NULL;
    cleanup_(snapshot_freep) struct snapshot *n = NULL;
    struct meter m = {0};
    int r;

    r = run_dir_open(&dir, path, RUN_DIR_CREATE, err);
    if (!r)
        r = catalog_open(&c, dir, 1, err);
    if (!r)
        r = session_open(&s, &p, err);
    if (r)
        return r;
    m.session = s;
    report(&m, NULL);
    r = snapshot_take(&n, s, err);
    if (!r)
        r = locks_take(n, NULL, LOCKS_WAIT_S, err);
    if (r)
        return r;
    report(&m, "locks");
    r = planner_run(&params, s, c, err);
    if (!r)
        report(&m, "plan");
    return r;
}

int
main(int argc, char *argv[])
{
    struct err err;

    if (argc != 3) {
        fprintf(stderr, "usage: bench-plan CONNINFO RUN-DIRECTORY\n");
        return 2;
    }
    if (plan(argv[1], argv[2], &err) == 0)
        return 0;
    fprintf(stderr, "bench-plan: %s\n%s\n", err.message, err.detail);
    return 1;
}
