/* SPDX-License-Identifier: PostgreSQL */

/* What a hand-off refuses, and what it leaves to consumers. */

#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/cdc.h"

SERVERS({"source", .conf = "max_prepared_transactions = 10"}, {"target"})

/* A run that can be handed over. */
struct ready {
    const char *source, *target, *dir;
};

static void
run_ok(const char *const argv[])
{
    struct server_run run = server_run(argv);

    cr_assert_eq(run.status, 0, "%s: %s%s", argv[1], run.output, run.errors);
}

static struct ready
exported(const char *plugin)
{
    struct ready x = {server_database("source"), server_database("target"),
                      moves_path(server_tmp_dir(), "run")};

    server_sql(x.source, "CREATE TABLE a (i serial PRIMARY KEY, t text);"
                         "CREATE TABLE b (i int PRIMARY KEY);"
                         "CREATE TABLE bare (n int);"
                         "INSERT INTO a (t) SELECT md5(i::text) FROM"
                         " generate_series(1, 100) AS i;"
                         "INSERT INTO bare VALUES (1), (1)");
    run_ok(moves_words("export", "--cdc", "--quiet", "--replica-identity",
                       "full", "--plugin", plugin, "--source", x.source,
                       "--dir", x.dir));
    return x;
}

static struct ready
ready(const char *plugin)
{
    struct ready x = exported(plugin);

    run_ok(
        moves_words("load", "--quiet", "--target", x.target, "--dir", x.dir));
    run_ok(
        moves_words("verify", "--quiet", "--target", x.target, "--dir", x.dir));
    return x;
}

#define handoff(x, ...)                                                        \
    moves_pghaul("handoff", "--source", (x)->source, "--target", (x)->target,  \
                 "--dir", (x)->dir, __VA_ARGS__)

/* As a subscription would find it. */
static struct server_run
check(const struct ready *x)
{
    return handoff(x, "--check", "--to", "subscription");
}

static void
assert_fits(const struct ready *x)
{
    struct server_run run = check(x);

    cr_assert_eq(run.status, 0, "%s%s", run.output, run.errors);
    cr_assert_null(strstr(run.output, "error"), "%s", run.output);
}

/* A line "error    <name> ... <says>", and nothing is handed over. */
static void
assert_misfit(const struct ready *x, const char *name, const char *says)
{
    struct server_run run = check(x);
    const char *line = server_process_text("error    %s ", name);

    assert_says(&run, 6, says);
    cr_assert(strstr(run.output, line), "no %s: %s", line, run.output);
    run = handoff(x, "--to", "subscription", "--quiet");
    cr_assert_eq(run.status, 6, "%s%s", run.output, run.errors);
    cr_assert_str_eq(server_value(x->target, "SELECT count(*) FROM"
                                             " pg_subscription"),
                     "0");
}

static void
end(const struct ready *x)
{
    run_ok(moves_words("abort", "--yes", "--source", x->source, "--target",
                       x->target, "--dir", x->dir));
    assert_left(x->source, "0 0");
    cr_assert_neq(access(moves_path(x->dir, "handoff.json"), F_OK), 0);
}

static void
edit(const struct ready *x, const char *sql)
{
    run_ok((const char *const[]){"sqlite3", moves_path(x->dir, "run.db"), sql,
                                 NULL});
}

static const char *
sql_of(const struct ready *x, const char *fmt)
{
    const char *name =
        server_value(x->source, "SELECT slot_name FROM pg_replication_slots"
                                " WHERE database = current_database()");

    return server_process_text(fmt, name, name, name, name);
}

/* ---- what does not fit, and can be mended ---- */

Test(handoff, refuses_what_is_not_loaded_or_not_verified)
{
    struct ready x = exported("pgoutput");

    assert_misfit(&x, "load", "the target knows nothing of this run");
    run_ok(
        moves_words("load", "--quiet", "--target", x.target, "--dir", x.dir));
    assert_misfit(&x, "proof", "nothing was verified");
    cr_assert_eq(handoff(&x, "--check", "--unproven").status, 0);
    server_sql(x.target, "DELETE FROM b; UPDATE a SET t = 'x' WHERE i = 7");
    cr_assert_eq(
        moves_pghaul("verify", "--quiet", "--target", x.target, "--dir", x.dir)
            .status,
        1);
    assert_misfit(&x, "proof", "differences");
    server_sql(x.target, "UPDATE a SET t = md5('7') WHERE i = 7");
    run_ok(
        moves_words("verify", "--quiet", "--target", x.target, "--dir", x.dir));
    assert_fits(&x);
    edit(&x, "UPDATE settings SET value = 'other'"
             " WHERE key = 'proof.database'");
    assert_misfit(&x, "proof", "another target");
    end(&x);
}

Test(handoff, refuses_what_does_not_fit_until_it_is_mended)
{
    struct ready x = ready("pgoutput");
    struct ready other = {server_database("source"), x.target, x.dir};
    PGconn *conn;
    struct server_run run;

    assert_fits(&x);
    assert_misfit(&other, "source", "the run is of");
    edit(&x, "UPDATE settings SET value = '7' WHERE key = 'cdc.1.timeline'");
    assert_misfit(&x, "timeline", "1, it was 7");
    edit(&x, "UPDATE settings SET value = '1' WHERE key = 'cdc.1.timeline'");

    server_sql(x.source, "ALTER TABLE b DROP CONSTRAINT b_pkey");
    assert_misfit(&x, "replica identities", "public.b");
    server_sql(x.source, "ALTER TABLE b ADD PRIMARY KEY (i)");

    server_sql(x.target, "CREATE TABLE aside AS SELECT * FROM a;"
                         "DROP TABLE a");
    assert_misfit(&x, "subscription", "does not exist");
    server_sql(x.target, "CREATE TABLE a (i serial PRIMARY KEY, t text);"
                         "INSERT INTO a SELECT * FROM aside");

    conn =
        PQconnectdb(server_process_text("%s replication=database", x.source));
    PQclear(PQexec(conn, sql_of(&x, "START_REPLICATION SLOT %s LOGICAL 0/0"
                                    " (proto_version '1',"
                                    " publication_names '%s')")));
    assert_misfit(&x, "slot", "in use by process");
    PQfinish(conn);
    moves_wait_until(x.source, "SELECT NOT bool_or(active) FROM"
                               " pg_replication_slots");

    run = moves_pghaul("handoff", "--check", "--source", x.source, "--target",
                       x.target, "--dir", x.dir, "--to", "dms");
    assert_says(&run, 6, "--plugin test_decoding");
    run = handoff(&x, "--check", "--to", "subscription",
                  "--subscription-conninfo", "host=/nowhere dbname=x");
    assert_says(&run, 6, "pg_hba.conf");
    run_ok((const char *const[]){"sh", "-c",
                                 "cp \"$0\" \"$0.kept\" && echo x >> \"$0\"",
                                 moves_path(x.dir, "bag-info.txt"), NULL});
    assert_misfit(&x, "bag", "bag-info.txt");
    run_ok((const char *const[]){"sh", "-c", "mv \"$0.kept\" \"$0\"",
                                 moves_path(x.dir, "bag-info.txt"), NULL});
    assert_fits(&x);
    end(&x);
}

/* ---- what does not fit, for good ---- */

static const struct {
    const char *what, *sql, *name, *says;
} for_good[] = {
    {"a publication is dropped", "DROP PUBLICATION %s", "publication",
     "is not there"},
    {"it is made anew",
     "DROP PUBLICATION %s;"
     "CREATE PUBLICATION %s FOR TABLE a, b, bare",
     "publication", "is not what it was"},
    {"a table was out of it",
     "ALTER PUBLICATION %s DROP TABLE b;"
     "ALTER PUBLICATION %s ADD TABLE b",
     "publication", "is not what it was"},
    {"an option was another",
     "ALTER PUBLICATION %s SET (publish = 'insert');"
     "ALTER PUBLICATION %s SET (publish ="
     " 'insert, update, delete, truncate')",
     "publication", "is not what it was"},
    {"a filter came", "ALTER PUBLICATION %s SET TABLE a WHERE (i > 7), b, bare",
     "publication", "is not what it was"},
    {"a table is dropped", "DROP TABLE b -- %s", "publication",
     "is not what it was"},
    {"the slot has moved",
     "SELECT count(*) FROM"
     " pg_logical_slot_get_binary_changes('%s', NULL, NULL,"
     " 'proto_version', '1', 'publication_names', '%s')",
     "slot position", "but the files end at"},
    {"the slot is dropped", "SELECT pg_drop_replication_slot('%s')", "slot",
     "is not there"},
    {"the slot is another's",
     "SELECT pg_drop_replication_slot('%s');"
     "SELECT pg_create_logical_replication_slot('%s',"
     " 'test_decoding')",
     "slot", "of plugin test_decoding"},
};

Test(handoff, refuses_what_has_lost_changes, .timeout = 300)
{
    for (unsigned i = 0; i < sizeof for_good / sizeof *for_good; i++) {
        struct ready x = ready("pgoutput");

        fprintf(stderr, "# %s\n", for_good[i].what);
        server_sql(x.source, "INSERT INTO b VALUES (6)");
        server_sql(x.source, sql_of(&x, for_good[i].sql));
        assert_misfit(&x, for_good[i].name, for_good[i].says);
        moves_pghaul("abort", "--yes", "--source", x.source, "--dir", x.dir);
        server_sql(x.source, "SELECT pg_drop_replication_slot(slot_name) FROM"
                             " pg_replication_slots");
    }
}

Test(handoff, refuses_a_slot_that_has_lost_its_log)
{
    struct ready x = ready("pgoutput");

    server_sql(x.source, "ALTER SYSTEM SET max_slot_wal_keep_size = '1MB'");
    server_sql(x.source, "SELECT pg_reload_conf()");
    for (int i = 0; i < 3; i++)
        server_sql(x.source, "CREATE TABLE fill AS SELECT md5(i::text) FROM"
                             " generate_series(1, 100000) AS i;"
                             "DROP TABLE fill; SELECT pg_switch_wal()");
    server_sql(x.source, "CHECKPOINT");
    server_sql(x.source, "ALTER SYSTEM RESET max_slot_wal_keep_size");
    server_sql(x.source, "SELECT pg_reload_conf()");
    assert_misfit(&x, "slot log", "the slot is lost");
    end(&x);
}

Test(handoff, is_for_runs_with_a_slot)
{
    struct ready x = {server_database("source"), server_database("target"),
                      moves_path(server_tmp_dir(), "run")};
    struct server_run run;

    moves_export(x.source, x.dir);
    cr_assert_neq(access(moves_path(x.dir, "handoff.json"), F_OK), 0);
    run = check(&x);
    assert_says(&run, 6, "this run has no replication slot");
}

Test(handoff, says_which_words_do_not_fit_together)
{
    struct server_run run;

    run = moves_pghaul("handoff", "--source", "dbname=x", "--dir", "/tmp/x",
                       "--to", "subscription");
    assert_says(&run, 2, "--to subscription needs --target");
    run = moves_pghaul("handoff", "--source", "dbname=x", "--dir", "/tmp/x",
                       "--to", "debezium");
    assert_says(&run, 2, "--to debezium needs --output");
    run = moves_pghaul("handoff", "--source", "dbname=x", "--dir", "/tmp/x",
                       "--store-password");
    assert_says(&run, 2, "are used only with");
    run = moves_pghaul("handoff", "--source", "dbname=x", "--dir", "/tmp/x",
                       "--target", "dbname=y", "--to", "subscription",
                       "--subscription-option", "create_slot=true");
    assert_says(&run, 2, "create_slot=true");
}

/* ---- the hand-off ---- */

Test(handoff, to_a_subscription_goes_on_and_can_be_said_again)
{
    struct ready x = ready("pgoutput");
    struct server_run run;

    server_sql(x.source, "INSERT INTO a (t) VALUES ('late'); INSERT INTO b"
                         " VALUES (7); DELETE FROM bare WHERE ctid = '(0,1)'");
    run = handoff(&x, "--to", "subscription", "--json");
    assert_says(&run, 0, "\"followed_already\": false");
    cr_assert_str_eq(server_value(x.target, "SELECT (SELECT count(*) FROM a) +"
                                            " (SELECT count(*) FROM b) +"
                                            " (SELECT count(*) FROM bare)"),
                     "103");
    /* the last value: 101 */
    cr_assert_str_eq(server_value(x.target, "SELECT nextval('a_i_seq')"),
                     "102");
    server_sql(x.target, "SELECT setval('a_i_seq', 5000)");
    run = handoff(&x, "--to", "subscription");
    assert_says(&run, 0, "follows");
    cr_assert_str_eq(server_value(x.target, "SELECT nextval('a_i_seq')"),
                     "5001", "a sequence went back");
    run = check(&x);
    assert_says(&run, 0, "follows");
    /* disabled by somebody: it goes on */
    server_sql(x.target, sql_of(&x, "ALTER SUBSCRIPTION %s DISABLE"));
    server_sql(x.source, "INSERT INTO b VALUES (8)");
    run = handoff(&x, "--to", "subscription");
    assert_says(&run, 0, "behind");
    cr_assert_str_eq(server_value(x.target, "SELECT max(i) FROM b"), "8");
    end(&x);
    cr_assert_str_eq(server_value(x.target, "SELECT count(*) FROM"
                                            " pg_subscription"),
                     "0");
}

Test(handoff, between_databases_of_one_cluster_does_not_hang)
{
    struct ready x = exported("pgoutput");

    x.target = server_database("source");
    run_ok(
        moves_words("load", "--quiet", "--target", x.target, "--dir", x.dir));
    server_sql(x.source, "INSERT INTO b VALUES (7)");
    run_ok(moves_words("handoff", "--unproven", "--source", x.source,
                       "--target", x.target, "--dir", x.dir, "--to",
                       "subscription"));
    cr_assert_str_eq(server_value(x.target, "SELECT count(*) FROM b"), "1");
    end(&x);
}

Test(handoff, that_is_late_says_so_and_goes_on)
{
    struct ready x = ready("pgoutput");
    PGconn *conn = PQconnectdb(x.target);
    struct server_run run;

    PQclear(PQexec(conn, "BEGIN; LOCK TABLE b IN EXCLUSIVE MODE"));
    server_sql(x.source, "INSERT INTO b VALUES (7)");
    run = handoff(&x, "--to", "subscription", "--wait", "2");
    assert_says(&run, 6, "has not caught up within 2 s");
    PQfinish(conn);
    run = handoff(&x, "--to", "subscription");
    assert_says(&run, 0, "follows");
    cr_assert_str_eq(server_value(x.target, "SELECT count(*) FROM b"), "1");
    end(&x);
}

/* ---- other consumers ---- */

static const char *
written(const struct ready *x, const char *consumer, const char *file)
{
    const char *to = moves_path(x->dir, consumer);
    struct server_run run = handoff(x, "--to", consumer, "--output", to);
    struct stat st;

    cr_assert_eq(run.status, 0, "%s%s", run.output, run.errors);
    cr_assert_eq(stat(moves_path(to, file), &st), 0, "%s/%s", to, file);
    cr_assert_eq(st.st_mode & 0777, 0600);
    return moves_path(to, file);
}

static const char *
text_of(const char *file)
{
    return server_run((const char *const[]){"cat", file, NULL}).output;
}

/* The file is run as it is; what it printed. */
static const char *
received(const struct ready *x, const char *until)
{
    const char *file = written(x, "pg_recvlogical", "receive.sh");
    struct server_run run = server_run((const char *const[]){
        "bash", "-c",
        "set -o pipefail; PATH=\"$0:$PATH\" timeout 60 sh \"$@\" |"
        " tr '\\000' ' '",
        server_bin_dir(), file, "-", server_process_text("--endpos=%s", until),
        "--no-loop", NULL});

    cr_assert_eq(run.status, 0, "%s", run.errors);
    return run.output;
}

Test(handoff, to_pg_recvlogical_is_read_by_it)
{
    static const char *const plugins[][2] = {
        {"pgoutput", "late"},
        {"test_decoding", "t[text]:'late'"},
        {"wal2json", "\"late\""},
    };
    const char *has_wal2json = server_value(
        server_conninfo("source"),
        "SELECT count(*) FROM pg_ls_dir((SELECT setting FROM pg_config"
        " WHERE name = 'PKGLIBDIR')) AS f WHERE f = 'wal2json.so'");

    for (unsigned i = 0; i < 2u + (unsigned)atoi(has_wal2json); i++) {
        struct ready x = ready(plugins[i][0]);
        const char *end_lsn;

        server_sql(x.source, "INSERT INTO a (t) VALUES ('late')");
        server_sql(x.source, "INSERT INTO b VALUES (7)");
        end_lsn = server_value(x.source, "SELECT pg_current_wal_insert_lsn()");
        server_sql(x.source, "INSERT INTO b VALUES (8)");
        cr_assert(strstr(received(&x, end_lsn), plugins[i][1]), "%s",
                  plugins[i][0]);
        moves_pghaul("abort", "--yes", "--source", x.source, "--dir", x.dir);
    }
}

Test(handoff, to_others_is_filled_in)
{
    struct ready x = ready("pgoutput");
    const char *lsn = lsn_of(x.dir);
    const char *text = text_of(written(&x, "debezium", "debezium.properties"));

    cr_assert(strstr(text, sql_of(&x, "\nslot.name=%s\n")), "%s", text);
    cr_assert(strstr(text, sql_of(&x, "\npublication.name=%s\n")), "%s", text);
    cr_assert(strstr(text, "\npublication.autocreate.mode=disabled\n"));
    cr_assert_null(strchr(text, '@'), "a gap is left: %s", text);
    text = text_of(written(&x, "debezium", "offsets.json"));
    cr_assert(strstr(text, server_process_text(
                               "{\"lsn\": %s}",
                               server_value(
                                   x.source,
                                   server_process_text(
                                       "SELECT '%s'::pg_lsn - '0/0'", lsn)))),
              "%s", text);
    text = text_of(written(&x, "peerdb", "mirror.sql"));
    cr_assert(strstr(text, "do_initial_copy = false"), "%s", text);
    text = text_of(written(&x, "flink", "source.sql"));
    cr_assert(strstr(text, "'committed-offset'"), "%s", text);
    text = text_of(written(&x, "pgcopydb", "follow.sh"));
    cr_assert(strstr(text, "--not-consistent"), "%s", text);
    run_ok((const char *const[]){PYTHON, "-m", "json.tool",
                                 moves_path(x.dir, "handoff.json"), NULL});
    end(&x);
    x = ready("test_decoding");
    written(&x, "dms", "create-task.sh");
    text = text_of(written(&x, "dms", "table-mappings.json"));
    cr_assert(strstr(text, "\"table-name\":\"bare\""), "%s", text);
    run_ok((const char *const[]){
        PYTHON, "-m", "json.tool",
        moves_path(moves_path(x.dir, "dms"), "table-mappings.json"), NULL});
    run_ok((const char *const[]){
        PYTHON, "-m", "json.tool",
        moves_path(moves_path(x.dir, "dms"), "endpoint.json"), NULL});
    end(&x);
}
