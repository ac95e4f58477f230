/* SPDX-License-Identifier: PostgreSQL */

/*
 * Everything that a copy could get wrong, in one database: judged by pg_dump,
 * by the servers' own text of every row, and by psql and lz4 without us.
 */

#include <criterion/criterion.h>
#include <string.h>

#include "tests/edge.h"
#include "tests/moves.h"

SERVERS({"source"}, {"target"})

static const char *export(const char *source, const char *format)
{
    const char *run_dir = moves_path(server_tmp_dir(), "run");
    struct server_run run = moves_pghaul(
        "export", "--source", source, "--dir", run_dir, "--chunk-size", "1MB",
        "--jobs", "3", "--format", format, "--quiet");

    cr_assert_eq(run.status, 0, "export: %s", run.errors);
    return run_dir;
}

static void
load(const char *target, const char *run_dir)
{
    struct server_run run =
        moves_pghaul("load", "--target", target, "--dir", run_dir, "--jobs",
                     "3", "--ledger-schema", EDGE_LEDGER, "--quiet");

    cr_assert_eq(run.status, 0, "load: %s", run.errors);
}

static const char publications[] =
    "SELECT string_agg(concat_ws(' ', p.pubname, p.pubowner::regrole,"
    " puballtables, pubinsert, pubupdate, pubdelete, pubtruncate, pubviaroot,"
    " (SELECT string_agg(concat_ws('.', schemaname, tablename), ',' ORDER BY"
    "   schemaname, tablename) FROM pg_publication_tables t"
    "   WHERE t.pubname = p.pubname AND schemaname <> '" EDGE_LEDGER
    "')), E'\\n' ORDER BY p.pubname)"
    " FROM pg_publication p";

/* ---- the whole of it ---- */

Test(edge, copy_has_the_same_objects_and_rows)
{
    const char *source = edge_source("source"), *target = edge_target("target");
    const char *run_dir = export(source, "auto");

    load(target, run_dir);
    edge_assert_equal(source, target);
    moves_assert_verified(target, run_dir);
    edge_assert_readable_by_hand(source, run_dir, "target");
}

Test(edge, copy_in_text_has_the_same_objects_and_rows)
{
    const char *source = edge_source("source"), *target = edge_target("target");
    const char *run_dir = export(source, "text");

    load(target, run_dir);
    edge_assert_equal(source, target);
    moves_assert_verified(target, run_dir);
}

Test(edge, clone_of_it_has_the_same_objects_and_rows)
{
    const char *source = edge_source("source"), *target = edge_target("target");
    const char *run_dir = moves_path(server_tmp_dir(), "run");
    struct server_run run = moves_pghaul(
        "clone", "--source", source, "--target", target, "--dir", run_dir,
        "--ledger-schema", EDGE_LEDGER, "--publications", "--quiet");

    cr_assert_eq(run.status, 0, "%s", run.errors);
    edge_assert_equal(source, target);
    cr_assert_str_eq(server_value(target, publications),
                     server_value(source, publications));
}
