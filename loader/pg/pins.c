/* SPDX-License-Identifier: PostgreSQL */
#include "loader/pg/pins.h"

#include <stdio.h>

const struct pin pins[] = {
    /* Values as text, and back. */
    {"datestyle", "ISO, YMD"},
    {"intervalstyle", "postgres"},
    {"timezone", "UTC"},
    {"extra_float_digits", "3"},
    {"bytea_output", "hex"},
    {"lc_monetary", "C"},
    {"xmloption", "content"},
    {"array_nulls", "on"},
    {"standard_conforming_strings", "on"},
    {"quote_all_identifiers", "off"},
    /* Which rows, and in what order. */
    {"row_security", "off"}, /* an error rather than fewer rows */
    {"synchronize_seqscans", "off"},
    {"gin_fuzzy_search_limit", "0"},
    {"transform_null_equals", "off"},
    {"default_transaction_isolation", "read committed"},
    {"default_transaction_deferrable", "off"},
    /* How long. */
    {"statement_timeout", "0"},
    {"lock_timeout", "0"},
    {"idle_in_transaction_session_timeout", "0", 90600},
    {"idle_session_timeout", "0", 140000},
    {"transaction_timeout", "0", 170000},
    {"client_min_messages", "warning"},
    {NULL},
};

/*
 * search_path goes first and alone, so that not even an operator of the
 * statements after it is looked up on the user's path (CVE-2018-1058).  The
 * last setting came with minor releases: only the server can say whether it
 * is there.
 */
int
pins_sql(char **ret, int version, const char *encoding, int source,
         struct err *err)
{
    char *sql = NULL;
    size_t len;
    FILE *f = open_memstream(&sql, &len);

    if (!f)
        return err_nomem(err);
    fprintf(f,
            "SELECT pg_catalog.set_config('search_path', '', false);"
            "SELECT pg_catalog.set_config('client_encoding', '%s', false)",
            encoding);
    for (const struct pin *p = pins; p->name; p++) {
        if (version >= p->min_version &&
            (!p->max_version || version <= p->max_version))
            fprintf(f, ", pg_catalog.set_config('%s', '%s', false)", p->name,
                    p->value);
    }
    if (source)
        fputs(";SELECT pg_catalog.set_config(name,"
              " 'view, foreign-table', false) FROM pg_catalog.pg_settings"
              " WHERE name = 'restrict_nonsystem_relation_kind'",
              f);
    if (fclose(f))
        return err_nomem(err);
    *ret = sql;
    return 0;
}
