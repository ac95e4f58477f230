/* SPDX-License-Identifier: PostgreSQL */
#include <jansson.h>
#include <libpq-fe.h>
#include <lz4.h>
#include <openssl/crypto.h>
#include <sqlite3.h>

#include "loader/cli/help.h"

int
version_print(FILE *to, int verbose, struct err *err)
{
    (void)err;
    fputs("pghaul " PGHAUL_VERSION "\n", to);
    if (!verbose)
        return 0;

    fprintf(to, "libpq    %d.%d\n", PQlibVersion() / 10000,
            PQlibVersion() % 10000);
    fprintf(to, "lz4      %s\n", LZ4_versionString());
    fprintf(to, "sqlite   %s\n", sqlite3_libversion());
    fprintf(to, "jansson  %s\n", jansson_version_str());
    fprintf(to, "openssl  %s\n", OpenSSL_version(OPENSSL_VERSION_STRING));
    return 0;
}
