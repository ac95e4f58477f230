/* SPDX-License-Identifier: PostgreSQL */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "tests/moves.h"

SERVERS({"source"}, {"target"})

#define assert_says(run, code, text)                                           \
    do {                                                                       \
        cr_assert_eq((run).status, code, "status %d: %s%s", (run).status,      \
                     (run).errors, (run).output);                              \
        cr_expect_not_null(strstr((run).errors, text), "no \"%s\" in: %s",     \
                           text, (run).errors);                                \
    } while (0)

static const char schema[] =
    "CREATE TABLE parent (id int PRIMARY KEY);"
    "CREATE FUNCTION fire() RETURNS trigger LANGUAGE plpgsql"
    "  AS 'BEGIN RETURN NULL; END';"
    "CREATE TABLE t (id serial PRIMARY KEY, a int DEFAULT 7, parent int"
    "  CONSTRAINT fk REFERENCES parent);"
    "CREATE INDEX t_a ON t (a);"
    "CREATE TRIGGER watch AFTER INSERT ON t EXECUTE FUNCTION fire();"
    "INSERT INTO parent VALUES (1);"
    "INSERT INTO t (parent) SELECT 1 FROM generate_series(1, 40);"
    "CREATE SEQUENCE down INCREMENT -2; SELECT nextval('down');"
    "SELECT nextval('down'); CREATE SEQUENCE round MAXVALUE 3 CYCLE;"
    "SELECT nextval('round'); SELECT nextval('round');";

struct copy {
    const char *source, *target, *dir;
};

static struct copy
make_copy(void)
{
    struct copy c = {
        .source = server_database("source"),
        .target = server_database("target"),
        .dir = moves_path(server_tmp_dir(), "run"),
    };

    server_sql(c.source, schema);
    moves_export(c.source, c.dir);
    moves_load(c.target, c.dir);
    return c;
}

#define verify(c, ...)                                                         \
    moves_pghaul("verify", "--target", (c).target, "--dir", (c).dir,           \
                 __VA_ARGS__)

/* ---- schema ---- */

Test(proof_schema, nothing_is_said_of_a_copy)
{
    struct copy c = make_copy();
    struct server_run run = verify(c, "--layers", "all", "--json");

    assert_says(run, 0, "");
    cr_expect_not_null(strstr(run.output, "\"findings\": [\n  ],"), "%s",
                       run.output);
}

Test(proof_schema, each_difference_is_named_by_its_layer)
{
    struct copy c = make_copy();
    struct server_run run;

    server_sql(c.target,
               "ALTER TABLE t DISABLE TRIGGER watch;"
               "ALTER TABLE t ALTER a SET DEFAULT 8, DROP CONSTRAINT fk,"
               " ADD CONSTRAINT fk FOREIGN KEY (parent) REFERENCES parent"
               " NOT VALID; CREATE INDEX more ON t (parent); DROP VIEW IF"
               " EXISTS v; UPDATE pg_index SET indisvalid = false"
               " WHERE indexrelid = 't_a'::regclass;"
               "SELECT setval('t_id_seq', 30)");
    run = verify(c, "--layers", "schema,sequences");
    assert_says(run, 1,
                "trigger watch on public.t is disabled in the target, enabled"
                " in the bag");
    assert_says(run, 1,
                "column a of public.t differs in its default: 8, not 7");
    assert_says(run, 1,
                "constraint fk on public.t has not been validated in the"
                " target");
    assert_says(run, 1, "index more on public.t is in the target only");
    assert_says(run, 1, "index t_a on public.t is not valid in the target");
    assert_says(run, 1,
                "sequence public.t_id_seq is behind: it goes on at 31 in"
                " the target, at 41 in the bag");
    assert_says(run, 1, "6 differences were found");

    run = verify(c, "--layers", "all", "--json");
    cr_expect_eq(run.status, 1);
    cr_expect_not_null(strstr(run.output, "\"layer\":\"indexes\""));
    cr_expect_not_null(strstr(run.output, "\"layer\":\"keys\""));
    cr_expect_not_null(strstr(run.output, "\"layer\":\"sequences\""));
    cr_expect_not_null(strstr(run.output, "\"bag\":\"7\",\"target\":\"8\""),
                       "%s", run.output);
    assert_says(verify(c, "--layers", "counts,rows"), 0, "");
}

/* What a server says of itself is the same as what it said as it was exported,
   and a target that is the left side is no other. */
Test(proof_schema, servers_are_compared_with_each_other)
{
    struct copy c = make_copy();
    struct server_run run;

    run = moves_pghaul("verify", "--source", c.source, "--target", c.target,
                       "--layers", "all");
    assert_says(run, 0, "");
    server_sql(c.target, "DROP INDEX t_a; SELECT setval('t_id_seq', 5)");
    run = moves_pghaul("verify", "--source", c.source, "--target", c.target,
                       "--layers", "schema,sequences");
    assert_says(run, 1, "index t_a on public.t is missing in the target");
    assert_says(run, 1, "it goes on at 6 in the target, at 41 in the source");
    assert_says(run, 1, "2 differences were found");
    run = moves_pghaul("verify", "--source", c.source, "--target", c.target,
                       "--table", "parent", "--layers", "all");
    assert_says(run, 0, "");
}

Test(proof_schema, owners_and_rights_can_be_left_out)
{
    struct copy c = make_copy();
    struct server_run run;

    server_sql(c.target, "DO $$BEGIN IF to_regrole('proof_owner') IS NULL THEN"
                         " CREATE ROLE proof_owner; END IF; END$$;"
                         "ALTER TABLE t OWNER TO proof_owner;"
                         "GRANT SELECT ON t TO PUBLIC");
    run = verify(c, "--layers", "schema");
    assert_says(run, 1, "table public.t differs in its owner: proof_owner");
    assert_says(run, 1, "table public.t grants other rights to PUBLIC: SELECT");
    run = verify(c, "--layers", "schema", "--no-owner");
    cr_expect_null(strstr(run.errors, "its owner: proof"), "%s", run.errors);
    assert_says(run, 1, "grants");
    assert_says(verify(c, "--layers", "schema", "-O", "-x"), 0, "");
}

/* ---- sequences ---- */

Test(proof_schema, sequences_may_be_ahead_and_not_behind_in_their_direction)
{
    struct copy c = make_copy();
    struct server_run run;

    server_sql(c.target, "SELECT setval('down', -9), setval('t_id_seq', 90),"
                         " setval('round', 1)");
    assert_says(verify(c, "--layers", "sequences"), 0, "");
    server_sql(c.target, "SELECT setval('down', -1)");
    run = verify(c, "--layers", "sequences");
    assert_says(run, 1,
                "sequence public.down is behind: it goes on at -3 in the"
                " target, at -5 in the bag");
    server_sql(c.target, "SELECT setval('down', -9);"
                         "INSERT INTO t VALUES (91), (95)");
    run = verify(c, "--layers", "sequences");
    assert_says(run, 1,
                "sequence public.t_id_seq goes on at 91 in the target,"
                " but column id of public.t has got to 95");
    server_sql(c.target, "DROP SEQUENCE down");
    run = verify(c, "--layers", "sequences");
    assert_says(run, 1, "sequence public.down is missing in the target");
}

/* ---- drift ---- */

Test(proof_schema, drift_is_what_the_source_has_become)
{
    struct copy c = make_copy();
    struct server_run run;
    const char *const words[] = {server_pghaul(), "verify", "--drift",
                                 "--source",      c.source, "--dir",
                                 c.dir,           NULL};

    run = server_run(words);
    assert_says(run, 0, "");
    server_sql(c.source, "ALTER TABLE t ADD b text; DROP INDEX t_a;"
                         "INSERT INTO t DEFAULT VALUES");
    run = server_run(words);
    assert_says(run, 1, "column b of public.t is in the source only");
    assert_says(run, 1, "index t_a on public.t is missing in the source");
    assert_says(run, 1, "the source is not equal to the bag");
}

Test(proof_schema, drift_is_of_what_was_exported_alone)
{
    const char *source = server_database("source");
    const char *dir = moves_path(server_tmp_dir(), "run");
    struct server_run run;

    server_sql(source, schema);
    run = moves_pghaul("export", "--source", source, "--dir", dir,
                       "--exclude-table", "parent");
    cr_assert_eq(run.status, 0, "%s", run.errors);
    server_sql(source, "ALTER TABLE parent ADD b text");
    run = moves_pghaul("verify", "--drift", "--source", source, "--dir", dir);
    assert_says(run, 0, "");
    server_sql(source, "ALTER TABLE t ADD b text; CREATE TABLE more ()");
    run = moves_pghaul("verify", "--drift", "--source", source, "--dir", dir);
    assert_says(run, 1, "column b of public.t is in the source only");
    assert_says(run, 1, "table public.more is in the source only");
    assert_says(run, 1, "2 differences were found");
}

Test(proof_schema, what_cannot_be_asked_is_said)
{
    struct copy c = make_copy();

    assert_says(moves_pghaul("verify", "--dir", c.dir, "--drift"), 2,
                "\"--source\"");
    assert_says(verify(c, "--layers", "rows,"), 2, "invalid value");
    assert_says(verify(c, "--layers", "4"), 2, "Layers are counts,");
}
