/* SPDX-License-Identifier: PostgreSQL */

/*
 * What do the wake-ups of a reader of COPY cost, and what of it does copy_out
 * save?  One stream of rows of some 200 bytes is read by PQgetCopyData() that
 * blocks, by copy_out, and by nobody (the server writes to /dev/null itself,
 * which is the limit; it needs a superuser).
 *
 *     bench-copy-out CONNINFO
 *
 * One line a reader: wall, this process's CPU and its backend's CPU in seconds
 * for 100 MB, each as median, least, most.  The server must be on this host.
 */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "io/clock.h"
#include "loader/pg/copy_out.h"

enum { N_ROUNDS = 9, N_FIGURES = 3 };

static const char make_rows[] =
    "CREATE TEMP TABLE bench AS SELECT g AS id, g % 1000 AS n,"
    " timestamptz '2024-01-01' + g * interval '1 second' AS at,"
    " (g * 1.37)::numeric(12, 2) AS price, 'customer ' || g % 5000 AS name,"
    " jsonb_build_object('k', g % 77, 'tags', 'a,b,c') AS doc,"
    " md5(g::text)::uuid AS u, md5((g * 7)::text) AS hash"
    " FROM generate_series(1, 600000) g";

static const char copy[] = "COPY pg_temp.bench TO STDOUT";

/* Answers the bytes that came. */
typedef int read_fn(struct session *s, uint64_t *n, struct err *err);

static int
read_blocking(struct session *s, uint64_t *n, struct err *err)
{
    char *data;
    int len, r;

    r = copy_out_begin(s, copy, err);
    if (r)
        return r;
    while ((len = PQgetCopyData(session_conn(s), &data, 0)) > 0) {
        *n += (uint64_t)len;
        PQfreemem(data);
    }
    return session_finish(s, NULL, err);
}

static int
read_napping(struct session *s, uint64_t *n, struct err *err)
{
    size_t len;
    char *data;
    int r;

    r = copy_out_begin(s, copy, err);
    while (!r) {
        r = copy_out_next(s, &data, &len, err);
        if (r)
            break;
        *n += len;
        PQfreemem(data);
    }
    return r < 0 ? r : 0;
}

static int
read_nothing(struct session *s, uint64_t *n, struct err *err)
{
    (void)n;
    return session_exec(s, "COPY pg_temp.bench TO '/dev/null'", err);
}

static const struct {
    const char *name;
    read_fn *read;
} readers[] = {
    {"blocking", read_blocking},
    {"copy_out", read_napping},
    {"server-alone", read_nothing},
};

enum { N_READERS = sizeof readers / sizeof *readers };

static double
own_cpu(void)
{
    struct rusage u;

    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

/* The first number of schedstat is the time on a processor, in ns. */
static double
backend_cpu(struct session *s)
{
    uint64_t ns = 0;
    char path[64];
    FILE *f;

    snprintf(path, sizeof path, "/proc/%d/schedstat",
             PQbackendPID(session_conn(s)));
    f = fopen(path, "r");
    if (!f || fscanf(f, "%" SCNu64, &ns) != 1)
        fprintf(stderr, "could not read %s\n", path);
    if (f)
        fclose(f);
    return (double)ns / 1e9;
}

static int
measure(struct session *s, read_fn *read, double figures[N_FIGURES],
        uint64_t *n, struct err *err)
{
    double own = own_cpu(), backend = backend_cpu(s);
    uint64_t begin = clock_ns();
    int r;

    *n = 0;
    r = read(s, n, err);
    figures[0] = (double)(clock_ns() - begin) / 1e9;
    figures[1] = own_cpu() - own;
    figures[2] = backend_cpu(s) - backend;
    return r;
}

static int
compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* Rounds go over all readers, so that noise from outside hits them alike. */
static int
run(struct session *s, struct err *err)
{
    static double all[N_READERS][N_FIGURES][N_ROUNDS];
    double figures[N_FIGURES];
    uint64_t n, total = 0;
    int r;

    for (int round = -1; round < N_ROUNDS; round++) {
        for (unsigned i = 0; i < N_READERS; i++) {
            r = measure(s, readers[i].read, figures, &n, err);
            if (r)
                return r;
            total = n ? n : total;
            for (unsigned k = 0; round >= 0 && k < N_FIGURES; k++)
                all[i][k][round] = figures[k] * 1e8 / (double)total;
        }
    }
    printf("reader\twall\tclient_cpu\tbackend_cpu\n");
    for (unsigned i = 0; i < N_READERS; i++) {
        printf("%s", readers[i].name);
        for (unsigned k = 0; k < N_FIGURES; k++) {
            qsort(all[i][k], N_ROUNDS, sizeof(double), compare);
            printf("\t%.3f (%.3f-%.3f)", all[i][k][N_ROUNDS / 2], all[i][k][0],
                   all[i][k][N_ROUNDS - 1]);
        }
        printf("\n");
    }
    return 0;
}

int
main(int argc, char **argv)
{
    cleanup_(session_freep) struct session *s = NULL;
    struct err err;
    int r;

    if (argc != 2) {
        fprintf(stderr, "usage: %s CONNINFO\n", argv[0]);
        return 2;
    }
    r = session_open(
        &s, &(struct session_params){.conninfo = argv[1], .purpose = "bench"},
        &err);
    if (!r)
        r = session_exec(s, make_rows, &err);
    if (!r)
        r = run(s, &err);
    if (r)
        fprintf(stderr, "%s\n%s\n", err.message, err.detail);
    return r ? 1 : 0;
}
