/* SPDX-License-Identifier: PostgreSQL */
#include <criterion/criterion.h>
#include <string.h>

#include "tests/moves.h"

SERVERS({"source"}, {"target"})

#define assert_says moves_assert_says

/* Export source, load it into a new database, and have it judged. */
static const char *
assert_copied(const char *source)
{
    const char *run_dir = moves_path(server_tmp_dir(), "run");
    const char *target = server_database("target");

    moves_export(source, run_dir);
    moves_load(target, run_dir);
    moves_assert_same_schema(source, target);
    return target;
}

/* ---- texts that look like pg_restore's own ---- */

Test(objects, comment_that_ends_like_a_setting_is_a_comment)
{
    const char *source = server_database("source");

    server_sql(source, "CREATE TABLE t (a int); CREATE TABLE u (a int);"
                       "CREATE FUNCTION f() RETURNS void LANGUAGE sql AS"
                       "  $$SELECT 1;\nSET default_tablespace = a$$;"
                       "COMMENT ON TABLE t IS E'x\nSET default_tablespace = a';"
                       "COMMENT ON COLUMN t.a IS"
                       "  E'x\nSET default_tablespace = a; DROP TABLE u; --';"
                       "COMMENT ON TABLE u IS"
                       "  E'x\nSET default_table_access_method = heap;';");
    assert_copied(source);
}

Test(objects, comment_that_imitates_an_entry_is_a_comment)
{
    const char *source = server_database("source");

    server_sql(source,
               "CREATE TABLE t (a int PRIMARY KEY);"
               "COMMENT ON TABLE t IS E'x\n\n--\n-- TOC entry 1 (class 0 OID 0)"
               "\n-- Name: t; Type: TABLE; Schema: public; Owner: x\n--\n\n"
               "DROP TABLE t;\n--\n-- PostgreSQL database dump complete\n--\n';"
               "CREATE FUNCTION f() RETURNS event_trigger LANGUAGE plpgsql AS"
               "  $$BEGIN RAISE 'fired'; END$$;"
               "CREATE EVENT TRIGGER e ON ddl_command_end"
               "  EXECUTE FUNCTION f();"
               "COMMENT ON EVENT TRIGGER e IS 'what for';");
    assert_copied(source);
}

/* ---- event triggers ---- */

static const char raises[] =
    "CREATE FUNCTION fires() RETURNS event_trigger LANGUAGE plpgsql AS"
    "  $$BEGIN RAISE 'fired'; END$$;"
    "CREATE EVENT TRIGGER fires ON ddl_command_end"
    "  EXECUTE FUNCTION fires();";

Test(objects, event_triggers_do_not_fire_at_a_load)
{
    const char *source = server_database("source");
    const char *target = server_database("target");
    const char *run_dir = moves_path(server_tmp_dir(), "run");

    server_sql(source, "CREATE TABLE t (a int PRIMARY KEY);"
                       "CREATE MATERIALIZED VIEW m AS SELECT a FROM t");
    server_sql(source, raises);
    moves_export(source, run_dir);
    server_sql(target, "CREATE FUNCTION public.mine() RETURNS event_trigger"
                       " LANGUAGE plpgsql AS $$BEGIN RAISE 'mine'; END$$;"
                       "CREATE EVENT TRIGGER mine ON ddl_command_start"
                       "  EXECUTE FUNCTION public.mine()");
    moves_load(target, run_dir);
    cr_assert_str_eq(server_value(target, "SELECT string_agg(evtname || ' ' ||"
                                          " evtenabled::text, ', ' ORDER BY"
                                          " evtname) FROM pg_event_trigger"),
                     "fires O, mine O");
    moves_assert_verified(target, run_dir);
}

Test(objects, event_trigger_that_fires_even_so_is_named)
{
    const char *source = server_database("source");
    const char *target = server_database("target");
    const char *run_dir = moves_path(server_tmp_dir(), "run");
    struct server_run run;

    moves_export(source, run_dir);
    server_sql(target, raises);
    server_sql(target, "ALTER EVENT TRIGGER fires ENABLE ALWAYS");
    run = moves_pghaul("load", "--target", target, "--dir", run_dir);
    if (server_version(target) >= 170000) {
        cr_assert_eq(run.status, 0, "%s", run.errors);
        return;
    }
    assert_says(run, 3, "event trigger fires of the target fires at what");
    assert_says(run, 3, ": fired");
}

/* ---- publications ---- */

static const char publishes[] =
    "CREATE TABLE t (a int PRIMARY KEY); CREATE TABLE u (a int PRIMARY KEY);"
    "CREATE PUBLICATION \"p; q\" FOR TABLE u, t;"
    "COMMENT ON PUBLICATION \"p; q\" IS 'what for';"
    "CREATE PUBLICATION all_of_it FOR ALL TABLES";

static const char published[] =
    "SELECT string_agg(concat_ws(' ', p.pubname, puballtables,"
    " obj_description(p.oid), r.prrelid::regclass), E'\\n'"
    " ORDER BY p.pubname, r.prrelid::regclass::text)"
    " FROM pg_publication p LEFT JOIN pg_publication_rel r ON r.prpubid = p.oid"
    " WHERE p.pubname NOT LIKE 'pghaul%'";

Test(objects, publications_are_copied_on_request_but_for_the_runs_own)
{
    const char *source = server_database("source");
    const char *target = server_database("target");
    const char *run_dir = moves_path(server_tmp_dir(), "run");
    struct server_run run;

    server_sql(source, publishes);
    run = moves_pghaul("clone", "--source", source, "--target", target, "--dir",
                       run_dir, "--cdc", "--publications");
    cr_assert_eq(run.status, 0, "%s", run.errors);
    cr_assert_str_eq(server_value(target, published),
                     server_value(source, published));
    cr_assert_str_eq(server_value(target, "SELECT count(*) FROM"
                                          " pg_publication"),
                     "2");
    run = moves_pghaul("abort", "--source", source, "--dir", run_dir, "--yes");
    cr_assert_eq(run.status, 0, "%s", run.errors);

    target = server_database("target");
    run = moves_pghaul("load", "--target", target, "--dir", run_dir);
    assert_says(run, 0, "2 publications of the run are not made");
    cr_assert_str_eq(server_value(target, "SELECT count(*) FROM"
                                          " pg_publication"),
                     "0");
}

Test(objects, publications_that_nobody_asked_for_are_named)
{
    const char *source = server_database("source");
    const char *run_dir = moves_path(server_tmp_dir(), "run");
    struct server_run run;

    server_sql(source, publishes);
    run = moves_pghaul("plan", "--source", source);
    cr_assert_not_null(strstr(run.output, "publication p; q: a copy publishes "
                                          "only when asked to"),
                       "%s", run.output);
    moves_export(source, run_dir);
    run = moves_pghaul("load", "--target", server_database("target"), "--dir",
                       run_dir, "--publications");
    assert_says(run, 6, "the run holds no publications");
    run = moves_pghaul("export", "--source", source, "--dir", run_dir,
                       "--publications");
    assert_says(run, 6, "begun without --publications");
}

/* ---- ledgers, and what is called like one ---- */

Test(objects, schema_called_like_the_ledger_is_copied)
{
    const char *source = server_database("source");
    const char *target = server_database("target");
    const char *run_dir = moves_path(server_tmp_dir(), "run");
    struct server_run run;

    server_sql(source, "CREATE SCHEMA pghaul;"
                       "CREATE VIEW pghaul.v AS SELECT 1 AS one");
    moves_export(source, run_dir);
    run = moves_pghaul("load", "--target", target, "--dir", run_dir);
    assert_says(run, 6, "--ledger-schema");

    target = server_database("target");
    run = moves_pghaul("load", "--target", target, "--dir", run_dir,
                       "--ledger-schema", "ledger");
    cr_assert_eq(run.status, 0, "%s", run.errors);
    cr_assert_str_eq(server_value(target, "SELECT one FROM pghaul.v"), "1");
}

Test(objects, ledger_of_an_earlier_load_is_not_copied_whatever_its_name)
{
    const char *source = moves_source(), *between = server_database("target");
    const char *target = server_database("target");
    const char *first = moves_path(server_tmp_dir(), "run");
    const char *second = moves_path(server_tmp_dir(), "run");
    struct server_run run;

    moves_export(source, first);
    run = moves_pghaul("load", "--target", between, "--dir", first,
                       "--ledger-schema", "my \"odd|ledger.");
    cr_assert_eq(run.status, 0, "%s", run.errors);
    moves_export(between, second);
    moves_load(target, second);
    moves_assert_equal(source, target);
}

/* ---- what cannot be copied ---- */

Test(objects, one_that_the_target_refuses_is_named_beside_the_servers_words)
{
    const char *source = server_database("source");
    const char *target = server_database("target");
    const char *run_dir = moves_path(server_tmp_dir(), "run");
    struct server_run run;

    /* pg_dump takes every language for an extension's. */
    server_sql(source, "CREATE LANGUAGE mine HANDLER plpgsql_call_handler");
    moves_export(source, run_dir);
    run = moves_pghaul("load", "--target", target, "--dir", run_dir);
    assert_says(run, 3, "extension \"mine\" is not available");
    assert_says(run, 3, "It belongs to the schema's PROCEDURAL LANGUAGE mine.");
}
