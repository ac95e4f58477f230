/* SPDX-License-Identifier: PostgreSQL */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/clock.h"
#include "loader/pg/pins.h"
#include "loader/pg/session.h"
#include "tests/server.h"

SERVERS({"one", .hba = "local all guarded scram-sha-256"})

static struct err err;

static struct session *
open_as(const char *conninfo, enum session_side side, const struct stop *stop)
{
    struct session *s = NULL;

    cr_assert_eq(session_open(&s,
                              &(struct session_params){.conninfo = conninfo,
                                                       .side = side,
                                                       .purpose = "test",
                                                       .stop = stop},
                              &err),
                 0, "%s (%s)", err.message, err.detail);
    return s;
}

static struct session *
open_source(const char *conninfo)
{
    return open_as(conninfo, SESSION_SOURCE, NULL);
}

/* The connection must fail; what it says is in err. */
static void
open_fails(const char *conninfo)
{
    struct session *s = NULL;

    cr_assert_lt(session_open(&s,
                              &(struct session_params){.conninfo = conninfo,
                                                       .purpose = "test"},
                              &err),
                 0);
    cr_assert_null(s);
}

static const char *
with(const char *conninfo, const char *more)
{
    static char text[1024];

    snprintf(text, sizeof text, "%s %s", conninfo, more);
    return text;
}

static void
assert_value(struct session *s, const char *sql, const char *expected)
{
    cleanup_(session_clearp) PGresult *res = NULL;

    cr_assert_eq(session_query(s, sql, &res, &err), 0, "%s", err.message);
    cr_assert_str_eq(PQgetvalue(res, 0, 0), expected, "%s: %s", sql,
                     PQgetvalue(res, 0, 0));
}

/* ---- pins ---- */

static void
assert_pinned(struct session *s)
{
    char sql[128];

    assert_value(s, "SHOW search_path", "");
    assert_value(s, "SHOW client_encoding", "UTF8");
    for (const struct pin *p = pins; p->name; p++) {
        if (session_server_version(s) < p->min_version)
            continue;
        snprintf(sql, sizeof sql, "SHOW %s", p->name);
        assert_value(s, sql, p->value);
    }
}

#define OPTIONS                                                                \
    "-c row_security=on -c lock_timeout=1000 -c array_nulls=off"               \
    " -c synchronize_seqscans=on -c transform_null_equals=on"                  \
    " -c gin_fuzzy_search_limit=5 -c standard_conforming_strings=off"
#define OPTIONS_14 OPTIONS " -c idle_session_timeout=9000"
#define OPTIONS_17 OPTIONS_14 " -c transaction_timeout=9000"

/* Each is set to something else, by one of the three ways. */
static void
set_all_otherwise(const char *db)
{
    server_sql(db, "ALTER ROLE postgres SET datestyle = 'SQL, DMY';"
                   "ALTER ROLE postgres SET intervalstyle = 'iso_8601';"
                   "ALTER ROLE postgres SET timezone = 'Asia/Kolkata';"
                   "ALTER ROLE postgres SET extra_float_digits = -5;"
                   "ALTER ROLE postgres SET bytea_output = 'escape';"
                   "ALTER ROLE postgres SET search_path = 'evil, public';"
                   "ALTER ROLE postgres SET xmloption = 'document';"
                   "ALTER ROLE postgres SET quote_all_identifiers = on;"
                   "ALTER ROLE postgres SET client_encoding = 'LATIN1';"
                   "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET"
                   " statement_timeout = 1000', current_database()); END $$;"
                   "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET"
                   " default_transaction_isolation = serializable',"
                   " current_database()); END $$");
    setenv("PGOPTIONS",
           server_version(db) < 140000   ? OPTIONS
           : server_version(db) < 170000 ? OPTIONS_14
                                         : OPTIONS_17,
           1);
}

Test(session, pins_hold_against_role_database_and_pgoptions)
{
    cleanup_(session_freep) struct session *s = NULL;
    const char *db = server_database("one");

    set_all_otherwise(db);
    cr_assert_str_eq(server_value(db, "SHOW datestyle"), "SQL, DMY");
    cr_assert_str_eq(server_value(db, "SHOW statement_timeout"), "1s");
    cr_assert_str_eq(server_value(db, "SHOW gin_fuzzy_search_limit"), "5");

    s = open_source(db);
    assert_pinned(s);
    server_sql(db, "ALTER ROLE postgres RESET ALL");
}

Test(session, values_are_the_same_bytes_whatever_the_role_prefers)
{
    cleanup_(session_freep) struct session *s = NULL;
    const char *db = server_database("one");

    set_all_otherwise(db);
    s = open_source(db);
    assert_value(s, "SELECT timestamptz '2024-02-01 12:00+00'",
                 "2024-02-01 12:00:00+00");
    assert_value(s, "SELECT interval '1 day 2 hours'", "1 day 02:00:00");
    assert_value(s, "SELECT 0.1::float8 + 0.2", "0.30000000000000004");
    assert_value(s, "SELECT '\\x00ff'::bytea", "\\x00ff");
    assert_value(s, "SELECT 12.5::numeric::money", "$12.50");
    server_sql(db, "ALTER ROLE postgres RESET ALL");
}

Test(session, any_role_may_be_pinned)
{
    cleanup_(session_freep) struct session *s = NULL;
    const char *db = server_database("one");

    server_sql(db, "CREATE ROLE nobody_special LOGIN");
    s = open_source(with(db, "user=nobody_special"));
    assert_pinned(s);
}

Test(session, bytes_come_in_the_databases_own_encoding)
{
    cleanup_(session_freep) struct session *latin = NULL, *raw = NULL;

    latin = open_source(server_database_with(
        "one", "ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0"));
    cr_assert_str_eq(session_encoding(latin), "LATIN1");
    assert_value(latin, "SELECT chr(228)", "\xe4");

    raw = open_source(server_database_with(
        "one", "ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0"));
    cr_assert_str_eq(session_encoding(raw), "SQL_ASCII");
    assert_value(raw, "SELECT E'\\xe4\\xff'", "\xe4\xff");
}

Test(session, row_security_is_an_error_rather_than_fewer_rows)
{
    cleanup_(session_freep) struct session *s = NULL;
    const char *db = server_database("one");

    server_sql(db, "CREATE TABLE t (x int); INSERT INTO t VALUES (1), (2);"
                   "ALTER TABLE t ENABLE ROW LEVEL SECURITY;"
                   "CREATE POLICY p ON t USING (x = 1);"
                   "CREATE ROLE filtered LOGIN; GRANT SELECT ON t TO filtered");
    s = open_source(with(db, "user=filtered"));
    cr_assert_lt(session_exec(s, "SELECT * FROM public.t", &err), 0);
    cr_assert_str_eq(err.message,
                     "could not execute SELECT on the source: query would be "
                     "affected by row-level security policy for table \"t\"");
    cr_assert_eq(session_retry_class(&err), SESSION_RETRY_NEVER);
}

Test(session, view_in_a_tables_place_is_not_read_from_a_source)
{
    cleanup_(session_freep) struct session *source = NULL, *target = NULL;
    const char *db = server_database("one");

    server_sql(db, "CREATE VIEW v AS SELECT 1 AS x");
    source = open_source(db);
    cr_assert_lt(session_exec(source, "SELECT * FROM public.v", &err), 0);
    cr_assert_str_eq(err.message, "could not execute SELECT on the source: "
                                  "access to non-system view \"v\" is "
                                  "restricted");
    target = open_as(db, SESSION_TARGET, NULL);
    assert_value(target, "SELECT x FROM public.v", "1");
}

Test(session, shows_its_purpose_on_the_server)
{
    cleanup_(session_freep) struct session *s =
        open_source(with(server_conninfo("one"), "application_name=mine"));

    assert_value(s, "SHOW application_name", "pghaul: test");
}

/* ---- connecting ---- */

static const char canary[] = "c4n4ry-in-the-mine";

static void
assert_no_canary(void)
{
    cr_assert_null(strstr(err.message, canary));
    cr_assert_null(strstr(err.detail, canary));
    cr_assert_null(strstr(err.hint, canary));
}

Test(session, wrong_password_is_said_without_it)
{
    const char *db = server_database("one");
    char conninfo[512];

    server_sql(db, "DROP ROLE IF EXISTS guarded;"
                   "CREATE ROLE guarded LOGIN PASSWORD 'right'");
    snprintf(conninfo, sizeof conninfo, "%s user=guarded password=%s", db,
             canary);
    open_fails(conninfo);
    cr_assert_eq(err.class, ERR_SERVER);
    cr_assert_str_eq(err.sqlstate, "28P01");
    cr_assert_eq(session_retry_class(&err), SESSION_RETRY_NEVER);
    cr_assert_eq(strncmp(err.message, "could not connect to the source: ", 33),
                 0);
    cr_assert_not_null(strstr(err.message, "FATAL:  password authentication "
                                           "failed for user \"guarded\""),
                       "%s", err.message);
    cr_assert_not_null(strstr(err.detail, "postgresql://guarded@%2Ftmp"), "%s",
                       err.detail);
    cr_assert_str_not_empty(err.hint);
    assert_no_canary();
}

Test(session, password_that_is_asked_for_and_missing_is_as_bad_as_a_wrong_one)
{
    const char *db = server_database("one");

    server_sql(db, "DROP ROLE IF EXISTS guarded;"
                   "CREATE ROLE guarded LOGIN PASSWORD 'right'");
    open_fails(with(db, "user=guarded"));
    cr_assert_not_null(strstr(err.message, "no password supplied"), "%s",
                       err.message);
    cr_assert_eq(session_retry_class(&err), SESSION_RETRY_NEVER);
    cr_assert_str_not_empty(err.hint);
}

Test(session, missing_database_and_role_are_named)
{
    open_fails(with(server_conninfo("one"), "dbname=nowhere"));
    cr_assert_str_eq(err.sqlstate, "3D000");
    cr_assert_not_null(
        strstr(err.message, "database \"nowhere\" does not exist"));
    open_fails(with(server_conninfo("one"), "user=nobody_at_all"));
    cr_assert_str_eq(err.sqlstate, "28000");
}

Test(session, server_that_is_not_there_may_be_tried_again)
{
    open_fails("host=/nowhere-at-all dbname=x");
    cr_assert_eq(err.class, ERR_SERVER);
    cr_assert_str_empty(err.sqlstate);
    cr_assert_eq(session_retry_class(&err), SESSION_RETRY_RECONNECT);
    cr_assert_not_null(strstr(err.hint, "Is the server running"), "%s",
                       err.hint);
}

Test(session, unreadable_string_is_not_repeated)
{
    static const char *const wrong[] = {
        "host=x password=two c4n4ry-in-the-mine",
        "postgresql://u:c4n4ry-in-the-mine@[::1",
        "postgresql://u:c4n4ry-in-the-mine@h:1/d?what=c4n4ry-in-the-mine",
        "c4n4ry-in-the-mine",
    };

    for (unsigned i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        open_fails(wrong[i]);
        cr_assert_eq(err.class, ERR_USAGE);
        cr_assert_str_not_empty(err.detail);
        assert_no_canary();
    }
}

/* A server that lets us in and then says nothing. */
static int
listen_silently(char conninfo[128])
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    cr_assert(bind(fd, (struct sockaddr *)&at, len) == 0);
    cr_assert(listen(fd, 5) == 0);
    cr_assert(getsockname(fd, (struct sockaddr *)&at, &len) == 0);
    snprintf(conninfo, 128, "host=127.0.0.1 port=%d connect_timeout=1",
             ntohs(at.sin_port));
    return fd;
}

Test(session, silent_server_is_given_up, .timeout = 60)
{
    char conninfo[128];
    int fd = listen_silently(conninfo);

    open_fails(conninfo);
    cr_assert_str_eq(err.message,
                     "could not connect to the source: timeout expired");
    cr_assert_eq(session_retry_class(&err), SESSION_RETRY_RECONNECT);
    close(fd);
}

/* Somebody in between who answers that there is no TLS; the bytes that come
   after his answer are counted. */
static void *
deny_tls(void *arg)
{
    int fd = accept(*(int *)arg, NULL, NULL);
    char bytes[64];
    intptr_t n_after = 0;
    ssize_t n;

    cr_assert_eq(read(fd, bytes, sizeof bytes), 8); /* SSLRequest */
    cr_assert_eq(write(fd, "N", 1), 1);
    while ((n = read(fd, bytes, sizeof bytes)) > 0)
        n_after += n;
    close(fd);
    return (void *)n_after;
}

Test(session, nothing_is_said_in_clear_where_tls_is_wanted, .timeout = 60)
{
    char conninfo[128];
    int fd = listen_silently(conninfo);
    void *n_after = NULL;
    pthread_t thread;

    pthread_create(&thread, NULL, deny_tls, &fd);
    open_fails(with(conninfo, "user=me sslmode=require gssencmode=disable"));
    pthread_join(thread, &n_after);
    cr_assert_null(n_after);
    cr_assert_not_null(strstr(err.message, "SSL was required"));
    cr_assert_not_null(strstr(err.hint, "sslmode=prefer"));
    close(fd);
}

/* ---- stopping ---- */

struct stopper {
    struct stop *stop;
    int drain_only;
};

static void *
stop_soon(void *arg)
{
    struct stopper *s = arg;

    clock_nap_us(300000);
    if (s->drain_only)
        stop_request(s->stop);
    else
        stop_now(s->stop);
    return NULL;
}

/* How long sql takes when it is stopped 300 ms after its begin. */
static uint64_t
ms_until_stopped(struct session *s, struct stopper stopper, const char *sql,
                 int expected)
{
    uint64_t begin = clock_ms();
    pthread_t thread;

    pthread_create(&thread, NULL, stop_soon, &stopper);
    cr_assert_eq(session_exec(s, sql, &err), expected, "%s", err.message);
    pthread_join(thread, NULL);
    return clock_ms() - begin;
}

Test(session, stop_cancels_the_statement_on_the_server)
{
    cleanup_(stop_freep) struct stop *stop = NULL;
    cleanup_(session_freep) struct session *s = NULL;
    const char *db = server_database("one");
    uint64_t ms, begin = clock_ms();

    cr_assert_eq(stop_new(&stop, &err), 0);
    s = open_as(db, SESSION_SOURCE, stop);
    ms = ms_until_stopped(s, (struct stopper){.stop = stop},
                          "SELECT pg_sleep(60)", -1);
    cr_assert_eq(err.class, ERR_CANCELLED);
    cr_assert_lt(ms, 30000);
    server_await(db, "SELECT count(*) = 0 FROM pg_stat_activity"
                     " WHERE state = 'active'"
                     " AND query LIKE 'SELECT pg_sleep%'");
    cr_assert_lt(clock_ms() - begin, 50000, "it has not slept to its end");
    cr_assert_lt(session_exec(s, "SELECT 1", &err), 0);
    cr_assert_eq(err.class, ERR_CANCELLED);
}

Test(session, request_to_drain_lets_the_statement_finish)
{
    cleanup_(stop_freep) struct stop *stop = NULL;
    cleanup_(session_freep) struct session *s = NULL;

    cr_assert_eq(stop_new(&stop, &err), 0);
    s = open_as(server_conninfo("one"), SESSION_SOURCE, stop);
    ms_until_stopped(s, (struct stopper){.stop = stop, .drain_only = 1},
                     "SELECT pg_sleep(0.6)", 0);
    cr_assert_eq(stop_level(stop), STOP_DRAIN);
}

Test(session, stop_ends_a_wait_for_a_silent_server, .timeout = 60)
{
    cleanup_(stop_freep) struct stop *stop = NULL;
    struct session *s = NULL;
    char conninfo[128];
    int fd = listen_silently(conninfo);
    pthread_t thread;

    cr_assert_eq(stop_new(&stop, &err), 0);
    pthread_create(&thread, NULL, stop_soon, &(struct stopper){.stop = stop});
    cr_assert_lt(session_open(&s,
                              &(struct session_params){.conninfo = conninfo,
                                                       .purpose = "test",
                                                       .stop = stop},
                              &err),
                 0);
    cr_assert_eq(err.class, ERR_CANCELLED);
    pthread_join(thread, NULL);
    close(fd);
}

/* ---- loss ---- */

static void
kill_backend(struct session *s, const char *db)
{
    char which[32];

    snprintf(which, sizeof which, "pid = %d", PQbackendPID(session_conn(s)));
    cr_assert_eq(server_terminate(db, which), 1);
}

Test(session, reopens_after_its_backend_was_killed)
{
    const char *db = server_database("one");
    cleanup_(session_freep) struct session *s = open_source(db);

    set_all_otherwise(db);
    kill_backend(s, server_conninfo("one"));
    cr_assert_lt(session_exec(s, "SELECT 1", &err), 0);
    cr_assert_str_eq(err.sqlstate, "57P01");
    cr_assert_eq(session_retry_class(&err), SESSION_RETRY_RECONNECT);

    cr_assert_lt(session_exec(s, "SELECT 1", &err), 0);
    cr_assert_str_eq(err.message, "the connection to the source is lost");
    cr_assert_eq(session_retry_class(&err), SESSION_RETRY_RECONNECT);

    cr_assert_eq(session_reopen(s, &err), 0, "%s", err.message);
    assert_pinned(s);
    server_sql(db, "ALTER ROLE postgres RESET ALL");
}

Test(session, reopens_when_the_crashed_server_is_back)
{
    cleanup_(session_freep) struct session *s =
        open_source(server_database("one"));

    server_crash("one");
    cr_assert_lt(session_exec(s, "SELECT 1", &err), 0);
    cr_assert_eq(session_retry_class(&err), SESSION_RETRY_RECONNECT);
    cr_assert_lt(session_reopen(s, &err), 0);
    cr_assert_eq(session_retry_class(&err), SESSION_RETRY_RECONNECT);
    server_start("one");
    cr_assert_eq(session_reopen(s, &err), 0, "%s", err.message);
    assert_pinned(s);
}

Test(session, retry_class_follows_the_sqlstate)
{
    static const struct {
        const char *sqlstate;
        enum session_retry expected;
    } cases[] = {
        {"40001", SESSION_RETRY_SAME},      {"40P01", SESSION_RETRY_SAME},
        {"55P03", SESSION_RETRY_SAME},      {"08006", SESSION_RETRY_RECONNECT},
        {"57P01", SESSION_RETRY_RECONNECT}, {"57P02", SESSION_RETRY_RECONNECT},
        {"57P03", SESSION_RETRY_RECONNECT}, {"53300", SESSION_RETRY_RECONNECT},
        {"", SESSION_RETRY_RECONNECT},      {"57014", SESSION_RETRY_NEVER},
        {"57P04", SESSION_RETRY_NEVER},     {"53100", SESSION_RETRY_NEVER},
        {"23505", SESSION_RETRY_NEVER},     {"42P01", SESSION_RETRY_NEVER},
        {"40003", SESSION_RETRY_NEVER},     {"08P01", SESSION_RETRY_NEVER},
    };

    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        err_set(&err, ERR_SERVER, "x");
        strcpy(err.sqlstate, cases[i].sqlstate);
        cr_assert_eq(session_retry_class(&err), cases[i].expected, "%s",
                     cases[i].sqlstate);
    }
    err_set(&err, ERR_SYSTEM, "x");
    cr_assert_eq(session_retry_class(&err), SESSION_RETRY_NEVER);
}

/* ---- statements ---- */

Test(session, error_has_the_servers_words_and_not_the_statements)
{
    cleanup_(session_freep) struct session *s =
        open_as(server_database("one"), SESSION_TARGET, NULL);

    cr_assert_eq(session_exec(s,
                              "CREATE TABLE public.t (x int PRIMARY KEY);"
                              "INSERT INTO public.t VALUES (1)",
                              &err),
                 0, "%s", err.message);
    cr_assert_lt(session_exec(s, "INSERT INTO public.t VALUES (1)", &err), 0);
    cr_assert_str_eq(err.message,
                     "could not execute INSERT INTO on the target: duplicate "
                     "key value violates unique constraint \"t_pkey\"");
    cr_assert_str_eq(err.detail, "Key (x)=(1) already exists.");
    cr_assert_str_eq(err.sqlstate, "23505");

    cr_assert_lt(session_execf(s, &err,
                               "CREATE SUBSCRIPTION s CONNECTION"
                               " 'host=/nowhere password=%s' PUBLICATION p",
                               canary),
                 0);
    cr_assert_not_null(strstr(err.message, "could not execute CREATE "
                                           "SUBSCRIPTION on the target: "));
    assert_no_canary();
}

Test(session, first_of_several_failures_is_the_error)
{
    cleanup_(session_freep) struct session *s =
        open_source(server_database("one"));

    cr_assert_lt(session_exec(s, "SELECT 1; SELECT 1/0; SELECT nothing", &err),
                 0);
    cr_assert_str_eq(err.sqlstate, "22012");
    assert_value(s, "SELECT 7", "7");
}

Test(session, copy_among_statements_is_refused)
{
    static const char *const sql[] = {
        "SELECT 1; COPY public.t FROM STDIN; SELECT 2",
        "COPY public.t TO STDOUT",
    };
    const char *db = server_database("one");
    cleanup_(session_freep) struct session *s = open_source(db);

    server_sql(db, "CREATE TABLE t AS SELECT generate_series(1, 100000)");
    for (unsigned i = 0; i < 2; i++) {
        cr_assert_lt(session_exec(s, sql[i], &err), 0);
        cr_assert_eq(strncmp(err.message, "unexpected answer to", 20), 0);
        cr_assert_eq(session_retry_class(&err), SESSION_RETRY_NEVER);
        assert_value(s, "SELECT 7", "7");
    }
}

Test(session, parameters_are_values_or_null)
{
    cleanup_(session_freep) struct session *s =
        open_source(server_database("one"));
    cleanup_(session_clearp) PGresult *res = NULL;

    cr_assert_eq(
        session_query_params(s, "SELECT $1::text, $2::int IS NULL", 2,
                             (const char *const[]){"'; DROP TABLE x --", NULL},
                             &res, &err),
        0);
    cr_assert_str_eq(PQgetvalue(res, 0, 0), "'; DROP TABLE x --");
    cr_assert_str_eq(PQgetvalue(res, 0, 1), "t");
}

static int
sum_until_five(void *arg, const PGresult *row, struct err *e)
{
    int *sum = arg;

    (void)e;
    cr_assert_eq(PQntuples(row), 1);
    *sum += atoi(PQgetvalue(row, 0, 0));
    return *sum >= 15 ? 42 : 0;
}

Test(session, each_row_is_visited_until_the_visitor_has_enough)
{
    cleanup_(session_freep) struct session *s =
        open_source(server_database("one"));
    int sum = 0;

    cr_assert_eq(session_each(s, "SELECT generate_series(1, 4)", sum_until_five,
                              &sum, &err),
                 0);
    cr_assert_eq(sum, 10);
    sum = 0;
    cr_assert_eq(session_each(s, "SELECT generate_series(1, 100000000)",
                              sum_until_five, &sum, &err),
                 42);
    cr_assert_eq(sum, 15);
    assert_value(s, "SELECT 7", "7");

    sum = -1000000;
    cr_assert_lt(session_each(s, "SELECT 1/(100 - generate_series(1, 200))",
                              sum_until_five, &sum, &err),
                 0);
    cr_assert_str_eq(err.sqlstate, "22012");
}

Test(session, hostile_names_are_quoted)
{
    static const char *const names[] = {
        "a\"b",
        "\"; DROP TABLE x; --",
        "new\nline",
        "%s%n",
        "../..",
        "select",
        "\\",
        "'",
        "\xe2\x80\xaetxet",
        "Case",
        "sp ace",
        "$1",
    };
    const char *db = server_database("one");
    cleanup_(session_freep) struct session *s = open_as(db, SESSION_TARGET, 0);

    for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
        cleanup_(session_freememp) char *schema = session_ident(s, names[i]);
        cleanup_(session_freememp) char *table =
            session_qualified(s, names[i], names[i]);
        cleanup_(session_freememp) char *text = session_literal(s, names[i]);
        char sql[512];

        cr_assert_eq(session_execf(s, &err, "CREATE SCHEMA %s", schema), 0);
        cr_assert_eq(session_execf(s, &err, "CREATE TABLE %s (x int)", table),
                     0);
        snprintf(sql, sizeof sql,
                 "SELECT count(*) FROM pg_class c JOIN pg_namespace n"
                 " ON n.oid = relnamespace"
                 " WHERE relname = %s AND nspname = %s",
                 text, text);
        assert_value(s, sql, "1");
    }
}

Test(session, name_in_a_wrong_encoding_makes_the_statement_fail)
{
    cleanup_(session_freep) struct session *s =
        open_as(server_database("one"), SESSION_TARGET, NULL);
    cleanup_(session_freememp) char *name = session_ident(s, "a\xff\"b");

    cr_assert_lt(session_execf(s, &err, "CREATE TABLE public.%s ()", name), 0);
    cr_assert_eq(session_retry_class(&err), SESSION_RETRY_NEVER);
}

Test(session, replication_connection_is_not_pinned)
{
    cleanup_(session_freep) struct session *s = NULL;
    const struct session_params params = {
        .conninfo = server_conninfo("one"),
        .purpose = "slot",
        .replication = 1,
    };

    cr_assert_eq(session_open(&s, &params, &err), 0, "%s", err.message);
    assert_value(s, "SHOW search_path", "\"$user\", public");
    cr_assert_eq(session_exec(s, "IDENTIFY_SYSTEM", &err), 0, "%s",
                 err.message);
}
