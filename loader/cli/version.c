/* SPDX-License-Identifier: PostgreSQL */
#include <jansson.h>
#include <libpq-fe.h>
#include <lz4.h>
#include <openssl/crypto.h>
#include <sqlite3.h>
#include <yaml.h>

#include "io/sink.h"
#include "loader/cli/help.h"

/* What this kernel grants can only be found out by asking for it. */
static int
print_sink(FILE *to, struct err *err)
{
    cleanup_(buffer_pool_freep) struct buffer_pool *pool = NULL;
    cleanup_(sink_freep) struct sink *sink = NULL;
    struct sink_params p = {.depth = 1};
    struct err why;
    int r;

    r = buffer_pool_new(&pool, BUFFER_ALIGN, 1, err);
    if (r < 0)
        return r;
    p.pool = pool;
    r = sink_new_best(&sink, &p, &why, err);
    if (r < 0)
        return r;
    fprintf(to, "io       %s\n", sink_describe(sink));
    if (why.class)
        fprintf(to, "         %s\n         %s\n", why.message, why.hint);
    return 0;
}

static void
print_libraries(FILE *to)
{
    fprintf(to, "libpq    %d.%d\n", PQlibVersion() / 10000,
            PQlibVersion() % 10000);
    fprintf(to, "lz4      %s\n", LZ4_versionString());
    fprintf(to, "sqlite   %s\n", sqlite3_libversion());
    fprintf(to, "jansson  %s\n", jansson_version_str());
    fprintf(to, "yaml     %s\n", yaml_get_version_string());
    fprintf(to, "openssl  %s\n", OpenSSL_version(OPENSSL_VERSION_STRING));
}

int
version_print(FILE *to, int verbose, struct err *err)
{
    fputs("pghaul " PGHAUL_VERSION "\n", to);
    if (!verbose)
        return 0;
    print_libraries(to);
    return print_sink(to, err);
}
