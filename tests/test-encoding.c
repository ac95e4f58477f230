/* SPDX-License-Identifier: PostgreSQL */

/*
 * Databases in other encodings than UTF8, with bytes that only those have: in
 * rows, names, labels, comments.
 */

#include <criterion/criterion.h>
#include <string.h>

#include "tests/edge.h"
#include "tests/moves.h"
#include "tests/server_process.h"

SERVERS({"source"}, {"target"})

/* Text of the encoding is given in hexadecimal: these files are UTF-8. */
static const struct sample {
    const char *encoding;
    const char *name;   /* of a table, a column, a label; as SQL's bytea */
    const char *values; /* texts, as SQL's bytea */
} samples[] = {
    {"LATIN1", "'\\xe4f6fce9'", "'\\xe4', '\\x80859f', '\\xa0ff', '\\xc3a4'"},
    /* Half-width katakana behind 8e, JIS X 0212 behind 8f. */
    {"EUC_JP", "'\\xc6fccbdc'",
     "'\\xc6fccbdc', '\\x8eb1', '\\x8fb0a1', '\\xa1c0'"},
    {"SQL_ASCII", "'\\xff80fe'",
     "'\\xff', '\\x80', '\\xc3', '\\xe282', '\\xfe5c2e'"},
};

enum { LATIN1, EUC_JP, SQL_ASCII, N_SAMPLES };

static const char *
database(const char *server, const char *encoding)
{
    return server_database_with(
        server, server_process_text(
                    "ENCODING '%s' TEMPLATE template0 LOCALE 'C'", encoding));
}

static const char *
source_in(const struct sample *s)
{
    const char *source = database("source", s->encoding);

    server_sql(
        source,
        server_process_text(
            "DO $$ DECLARE n text := convert_from(%s, '%s'); t text; v bytea;"
            " BEGIN"
            " EXECUTE format('CREATE SCHEMA %%I', n);"
            " EXECUTE format('CREATE TYPE %%I.e AS ENUM (%%L, ''x'')', n, n);"
            " EXECUTE format('CREATE TABLE %%1$I.%%1$I (id serial PRIMARY KEY,"
            "   %%1$I text, e %%1$I.e, a varchar(9)[], c char(4))', n);"
            " EXECUTE format('CREATE TABLE %%1$I.plain (%%1$I text, j json,"
            "   CHECK (%%1$I <> %%1$L))', n);"
            " EXECUTE format('CREATE INDEX ON %%1$I.%%1$I ((%%1$I || %%1$L))"
            "   WHERE %%1$I <> %%1$L', n);"
            " EXECUTE format('COMMENT ON TABLE %%1$I.%%1$I IS %%1$L', n);"
            " FOREACH v IN ARRAY ARRAY[%s]::bytea[] LOOP"
            "  t := convert_from(v, '%s');"
            "  EXECUTE format('INSERT INTO %%1$I.%%1$I (%%1$I, e, a, c)"
            "    VALUES (%%2$L, %%1$L, ARRAY[%%2$L, NULL], %%2$L)', n, t);"
            "  EXECUTE format('INSERT INTO %%1$I.plain SELECT %%2$L || i,"
            "    to_json(%%2$L || i) FROM generate_series(1, 500) AS i', n, t);"
            " END LOOP; END $$",
            s->name, s->encoding, s->values, s->encoding));
    return source;
}

static struct server_run
load(const char *target, const char *run_dir)
{
    return moves_pghaul("load", "--target", target, "--dir", run_dir,
                        "--ledger-schema", EDGE_LEDGER, "--quiet");
}

static const char *export(const char *source, const char *format)
{
    const char *run_dir = moves_path(server_tmp_dir(), "run");
    struct server_run run =
        moves_pghaul("export", "--source", source, "--dir", run_dir, "--format",
                     format, "--quiet");

    cr_assert_eq(run.status, 0, "export: %s", run.errors);
    return run_dir;
}

static void
assert_copied(const struct sample *s, const char *format)
{
    const char *source = source_in(s);
    const char *target = database("target", s->encoding);
    const char *run_dir = export(source, format);
    struct server_run run = load(target, run_dir);

    cr_assert_eq(run.status, 0, "%s: %s", s->encoding, run.errors);
    edge_assert_equal(source, target);
    moves_assert_verified(target, run_dir);
    edge_assert_readable_by_hand(source, run_dir, "target");
}

Test(encoding, copy_in_the_same_encoding_is_equal)
{
    for (unsigned i = 0; i < N_SAMPLES; i++)
        assert_copied(&samples[i], "auto");
    assert_copied(&samples[SQL_ASCII], "text");
}

/* Each text as UTF-8, whatever it is stored in. */
static const char *
texts(const char *database, const struct sample *s)
{
    const char *conninfo =
        server_process_text("%s client_encoding=UTF8", database);
    const char *name = server_value(
        conninfo,
        server_process_text("SELECT quote_ident(convert_from(%s, '%s'))",
                            s->name, s->encoding));

    return server_value(
        conninfo,
        server_process_text(
            "SELECT (SELECT string_agg(t::text, E'\\n' ORDER BY id) FROM %s.%s"
            " AS t) || (SELECT string_agg(t::text, E'\\n' ORDER BY convert_to("
            " t::text, 'UTF8')) FROM %s.plain AS t)",
            name, name, name));
}

Test(encoding, copy_in_utf8_has_the_same_texts)
{
    for (unsigned i = LATIN1; i <= EUC_JP; i++) {
        const char *source = source_in(&samples[i]);
        const char *target = database("target", "UTF8");
        const char *run_dir = export(source, "auto");
        struct server_run run = load(target, run_dir);

        cr_assert_eq(run.status, 0, "%s: %s", samples[i].encoding, run.errors);
        cr_assert_str_eq(texts(target, &samples[i]),
                         texts(source, &samples[i]));
        moves_assert_verified(target, run_dir);
    }
}

static const char user_objects[] =
    "SELECT count(*) FROM pg_namespace WHERE nspname <> 'public'"
    " AND nspname <> 'information_schema' AND nspname NOT LIKE 'pg\\_%'";

static void
assert_refused(const char *source, const char *run_dir, const char *encoding)
{
    const char *target = database("target", encoding);
    const char *says = server_process_text(
        "Its encoding is %s, that of the source is %s.", encoding,
        server_value(source, "SHOW server_encoding"));
    struct server_run run = load(target, run_dir);

    cr_assert_eq(run.status, 6, "%d: %s", run.status, run.errors);
    cr_assert_not_null(strstr(run.errors, says), "%s", run.errors);
    cr_assert_str_eq(server_value(target, user_objects), "0");
    run = moves_pghaul("check", "--source", source, "--target", target);
    cr_assert_eq(run.status, 6, "%d: %s", run.status, run.output);
    cr_assert_not_null(strstr(run.output, "error    target encoding"), "%s",
                       run.output);
}

static const struct {
    const char *from, *to[3];
} refused[] = {
    {"UTF8", {"LATIN1", "SQL_ASCII"}},
    {"LATIN1", {"LATIN9", "EUC_JP", "SQL_ASCII"}},
    {"SQL_ASCII", {"UTF8", "LATIN1"}},
};

Test(encoding, target_that_cannot_hold_the_texts_is_refused_untouched)
{
    for (unsigned i = 0; i < sizeof refused / sizeof *refused; i++) {
        const char *source = database("source", refused[i].from);
        const char *run_dir = export(source, "auto");

        for (unsigned k = 0; k < 3 && refused[i].to[k]; k++)
            assert_refused(source, run_dir, refused[i].to[k]);
    }
}
