/* SPDX-License-Identifier: PostgreSQL */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "io/clock.h"
#include "loader/pg/copy_in.h"
#include "loader/pg/copy_out.h"
#include "tests/server.h"

SERVERS({"one"})

static struct err err;

static struct session *
open_session(const char *conninfo, const struct stop *stop)
{
    struct session *s = NULL;

    cr_assert_eq(session_open(&s,
                              &(struct session_params){.conninfo = conninfo,
                                                       .side = SESSION_TARGET,
                                                       .purpose = "test",
                                                       .stop = stop},
                              &err),
                 0, "%s", err.message);
    return s;
}

/* It can be used, and nothing runs on the server. */
static void
assert_ready(struct session *s)
{
    cr_assert_eq(PQtransactionStatus(session_conn(s)), PQTRANS_IDLE);
    cr_assert_eq(session_exec(s, "SELECT 1", &err), 0, "%s", err.message);
}

static void
kill_backend(struct session *s)
{
    char which[32];

    snprintf(which, sizeof which, "pid = %d", PQbackendPID(session_conn(s)));
    cr_assert_eq(server_terminate(server_conninfo("one"), which), 1);
}

static void
assert_nothing_active(const char *db)
{
    /* A cancelled backend needs a moment to say so. */
    for (unsigned i = 0; i < 20; i++) {
        if (strcmp(server_value(db, "SELECT count(*) FROM pg_stat_activity"
                                    " WHERE state = 'active'"
                                    " AND query LIKE 'COPY%'"),
                   "0") == 0)
            return;
        clock_nap_us(50000);
    }
    cr_assert_fail("a COPY still runs");
}

/* ---- out ---- */

/* Read to the end, or the failure; all bytes into *ret when given. */
static int
read_all(struct session *s, char **ret, size_t *ret_len)
{
    size_t len, total = 0, kept;
    FILE *all = ret ? open_memstream(ret, &kept) : NULL;
    char *data;
    int r;

    while ((r = copy_out_next(s, &data, &len, &err)) == 0) {
        if (all)
            fwrite(data, 1, len, all);
        total += len;
        PQfreemem(data);
    }
    if (all)
        fclose(all);
    if (ret_len)
        *ret_len = total;
    return r;
}

/* Not from a function: its rows would be stored before the first is sent. */
static const char big_copy[] =
    "COPY (SELECT generate_series(1, 20000000), repeat('x', 150)) TO STDOUT";

Test(copy_out, bytes_are_those_that_psql_gets)
{
    static const char sql[] =
        "COPY (SELECT g, repeat(chr(97 + g % 26), g % 3000)"
        " FROM generate_series(1, 5000) g) TO STDOUT";
    const char *db = server_database("one");
    cleanup_(session_freep) struct session *s = open_session(db, NULL);
    char psql[256], *all;
    struct server_run run;
    size_t len;

    snprintf(psql, sizeof psql, "%s/psql", server_bin_dir());
    run = server_run((const char *const[]){psql, "-Xqd", db, "-c", sql, NULL});
    cr_assert_eq(run.status, 0);

    cr_assert_eq(copy_out_begin(s, sql, &err), 0);
    cr_assert_eq(read_all(s, &all, &len), COPY_OUT_E_END);
    cr_assert_eq(len, strlen(run.output));
    cr_assert_eq(memcmp(all, run.output, len), 0);
    free(all);
    assert_ready(s);
}

Test(copy_out, nothing_at_all_is_a_copy_too)
{
    cleanup_(session_freep) struct session *s =
        open_session(server_database("one"), NULL);
    size_t len;

    cr_assert_eq(copy_out_begin(s, "COPY (SELECT WHERE false) TO STDOUT", &err),
                 0);
    cr_assert_eq(read_all(s, NULL, &len), COPY_OUT_E_END);
    cr_assert_eq(len, 0);
    assert_ready(s);
}

Test(copy_out, message_larger_than_all_buffers_comes_whole)
{
    cleanup_(session_freep) struct session *s =
        open_session(server_database("one"), NULL);
    size_t len;

    cr_assert_eq(copy_out_begin(s,
                                "COPY (SELECT repeat('x', 50000000))"
                                " TO STDOUT",
                                &err),
                 0);
    cr_assert_eq(read_all(s, NULL, &len), COPY_OUT_E_END);
    cr_assert_eq(len, 50000001);
}

Test(copy_out, statement_that_fails_at_once_leaves_the_session_ready)
{
    cleanup_(session_freep) struct session *s =
        open_session(server_database("one"), NULL);

    cr_assert_lt(copy_out_begin(s, "COPY public.nothing TO STDOUT", &err), 0);
    cr_assert_str_eq(err.message, "could not execute COPY on the target: "
                                  "relation \"public.nothing\" does not exist");
    assert_ready(s);
}

Test(copy_out, statement_that_is_no_copy_is_refused)
{
    cleanup_(session_freep) struct session *s =
        open_session(server_database("one"), NULL);

    cr_assert_lt(copy_out_begin(s, "SELECT 1", &err), 0);
    cr_assert_eq(session_retry_class(&err), SESSION_RETRY_NEVER);
    assert_ready(s);
}

Test(copy_out, failure_in_the_middle_is_the_servers_own)
{
    cleanup_(session_freep) struct session *s =
        open_session(server_database("one"), NULL);

    cr_assert_eq(copy_out_begin(s,
                                "COPY (SELECT 1/(50000 - g), repeat('x', 99)"
                                " FROM generate_series(1, 99999) g) TO STDOUT",
                                &err),
                 0);
    cr_assert_lt(read_all(s, NULL, NULL), 0);
    cr_assert_str_eq(err.message, "could not execute COPY on the target: "
                                  "division by zero");
    cr_assert_str_eq(err.sqlstate, "22012");
    assert_ready(s);
}

Test(copy_out, killed_backend_is_a_reason_to_reconnect)
{
    cleanup_(session_freep) struct session *s =
        open_session(server_database("one"), NULL);
    size_t len;
    char *data;

    cr_assert_eq(copy_out_begin(s, big_copy, &err), 0);
    cr_assert_eq(copy_out_next(s, &data, &len, &err), 0);
    PQfreemem(data);
    kill_backend(s);
    cr_assert_lt(read_all(s, NULL, NULL), 0);
    cr_assert_eq(session_retry_class(&err), SESSION_RETRY_RECONNECT, "%s",
                 err.message);
    cr_assert_eq(session_reopen(s, &err), 0);
    assert_ready(s);
}

Test(copy_out, crashed_server_is_a_reason_to_reconnect)
{
    cleanup_(session_freep) struct session *s =
        open_session(server_database("one"), NULL);

    cr_assert_eq(copy_out_begin(s, big_copy, &err), 0);
    server_crash("one");
    cr_assert_lt(read_all(s, NULL, NULL), 0);
    cr_assert_eq(session_retry_class(&err), SESSION_RETRY_RECONNECT, "%s",
                 err.message);
    server_start("one");
    cr_assert_eq(session_reopen(s, &err), 0);
    assert_ready(s);
}

Test(copy_out, abandoned_one_ends_on_the_server_too)
{
    const char *db = server_database("one");
    cleanup_(session_freep) struct session *s = open_session(db, NULL);
    uint64_t begin;
    size_t len;
    char *data;

    cr_assert_eq(copy_out_begin(s, big_copy, &err), 0);
    cr_assert_eq(copy_out_next(s, &data, &len, &err), 0);
    PQfreemem(data);
    begin = clock_ms();
    copy_out_abandon(s);
    cr_assert_lt(clock_ms() - begin, 4000);
    assert_ready(s);
    copy_out_abandon(s); /* nothing to do */
    assert_ready(s);
}

static void *
stop_soon(void *arg)
{
    clock_nap_us(300000);
    stop_now(arg);
    return NULL;
}

Test(copy_out, stop_ends_a_copy_that_never_waits)
{
    cleanup_(stop_freep) struct stop *stop = NULL;
    cleanup_(session_freep) struct session *s = NULL;
    const char *db = server_database("one");
    uint64_t begin;
    pthread_t thread;

    cr_assert_eq(stop_new(&stop, &err), 0);
    s = open_session(db, stop);
    cr_assert_eq(copy_out_begin(s, big_copy, &err), 0);
    begin = clock_ms();
    pthread_create(&thread, NULL, stop_soon, stop);
    cr_assert_lt(read_all(s, NULL, NULL), 0);
    cr_assert_eq(err.class, ERR_CANCELLED);
    cr_assert_lt(clock_ms() - begin, 4000);
    pthread_join(thread, NULL);
    assert_nothing_active(db);
}

/* ---- in ---- */

/* Rows "<n>\t<text>\n", in pieces that end anywhere. */
static int
send_rows(struct session *s, unsigned n_rows, size_t piece)
{
    size_t len = 0;
    char *rows = malloc((size_t)n_rows * 64);
    int r = 0;

    for (unsigned i = 1; i <= n_rows; i++)
        len += (size_t)sprintf(rows + len, "%u\trow number %u\n", i, i);
    for (size_t at = 0; !r && at < len; at += piece)
        r = copy_in_send(s, rows + at, at + piece < len ? piece : len - at,
                         &err);
    free(rows);
    return r;
}

static void
make_table(const char *db)
{
    server_sql(db, "CREATE TABLE t (x int, y text)");
}

static const char copy_t[] = "COPY public.t FROM STDIN";

Test(copy_in, rows_arrive_whatever_the_pieces)
{
    static const size_t pieces[] = {7, 4096, COPY_IN_MESSAGE,
                                    COPY_IN_MESSAGE + 1, 10000000};
    const char *db = server_database("one");
    cleanup_(session_freep) struct session *s = open_session(db, NULL);
    const char *expected;
    uint64_t n_rows;

    make_table(db);
    server_sql(db, "CREATE TABLE e AS SELECT g AS x, 'row number ' || g AS y"
                   " FROM generate_series(1, 20000) g");
    expected = server_fingerprint(db, "e");
    for (unsigned i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        cr_assert_eq(session_exec(s, "TRUNCATE public.t", &err), 0);
        cr_assert_eq(copy_in_begin(s, copy_t, &err), 0, "%s", err.message);
        cr_assert_eq(send_rows(s, 20000, pieces[i]), 0, "%s", err.message);
        cr_assert_eq(copy_in_end(s, &n_rows, &err), 0, "%s", err.message);
        cr_assert_eq(n_rows, 20000);
        cr_assert_str_eq(server_fingerprint(db, "t"), expected);
        assert_ready(s);
    }
}

Test(copy_in, bad_row_is_named_by_the_server)
{
    const char *db = server_database("one");
    cleanup_(session_freep) struct session *s = open_session(db, NULL);
    uint64_t n_rows;

    make_table(db);
    cr_assert_eq(copy_in_begin(s, copy_t, &err), 0);
    cr_assert_eq(copy_in_send(s, "1\ta\nzwei\tb\n", 11, &err), 0);
    cr_assert_lt(copy_in_end(s, &n_rows, &err), 0);
    cr_assert_str_eq(err.message,
                     "could not execute COPY on the target: invalid input "
                     "syntax for type integer: \"zwei\"");
    cr_assert_str_eq(err.detail, "COPY t, line 2, column x: \"zwei\"");
    cr_assert_eq(session_retry_class(&err), SESSION_RETRY_NEVER);
    assert_ready(s);
}

Test(copy_in, killed_backend_is_noticed_within_a_few_messages)
{
    const char *db = server_database("one");
    cleanup_(session_freep) struct session *s = open_session(db, NULL);
    char *rows = malloc(1 << 20);
    unsigned n_sent = 0;

    make_table(db);
    memset(rows, 'x', 1 << 20);
    memcpy(rows, "1\t", 2);
    rows[(1 << 20) - 1] = '\n';
    cr_assert_eq(copy_in_begin(s, copy_t, &err), 0);
    cr_assert_eq(copy_in_send(s, rows, 1 << 20, &err), 0);
    kill_backend(s);
    while (copy_in_send(s, rows, 1 << 20, &err) == 0 && n_sent < 100)
        n_sent++;
    free(rows);
    cr_assert_lt(n_sent, 4);
    cr_assert_str_eq(err.sqlstate, "57P01", "%s", err.message);
    cr_assert_eq(session_retry_class(&err), SESSION_RETRY_RECONNECT);
    cr_assert_eq(session_reopen(s, &err), 0);
    cr_assert_str_eq(server_value(db, "SELECT count(*) FROM t"), "0");
}

Test(copy_in, backend_killed_before_the_end_is_not_success)
{
    const char *db = server_database("one");
    cleanup_(session_freep) struct session *s = open_session(db, NULL);
    uint64_t n_rows;

    make_table(db);
    cr_assert_eq(copy_in_begin(s, copy_t, &err), 0);
    cr_assert_eq(send_rows(s, 10, 100), 0);
    kill_backend(s);
    cr_assert_lt(copy_in_end(s, &n_rows, &err), 0);
    cr_assert_str_eq(err.sqlstate, "57P01", "%s", err.message);
    cr_assert_str_eq(server_value(db, "SELECT count(*) FROM t"), "0");
}

Test(copy_in, crashed_server_is_a_reason_to_reconnect)
{
    const char *db = server_database("one");
    cleanup_(session_freep) struct session *s = open_session(db, NULL);
    int r = 0;

    make_table(db);
    cr_assert_eq(copy_in_begin(s, copy_t, &err), 0);
    server_crash("one");
    for (unsigned i = 0; !r && i < 50; i++)
        r = send_rows(s, 10000, 1000000);
    cr_assert_lt(r, 0);
    cr_assert_eq(session_retry_class(&err), SESSION_RETRY_RECONNECT, "%s",
                 err.message);
    server_start("one");
    cr_assert_eq(session_reopen(s, &err), 0);
    cr_assert_str_eq(server_value(db, "SELECT count(*) FROM t"), "0");
}

Test(copy_in, nothing_stays_of_an_abandoned_one)
{
    const char *db = server_database("one");
    cleanup_(session_freep) struct session *s = open_session(db, NULL);

    make_table(db);
    cr_assert_eq(copy_in_begin(s, copy_t, &err), 0);
    cr_assert_eq(send_rows(s, 1000, 5000), 0);
    copy_in_abandon(s, "the file is damaged");
    assert_ready(s);
    cr_assert_str_eq(server_value(db, "SELECT count(*) FROM t"), "0");
}

/* The trigger makes the server deaf while our data fill the socket. */
Test(copy_in, stop_ends_a_send_that_the_server_does_not_take)
{
    cleanup_(stop_freep) struct stop *stop = NULL;
    cleanup_(session_freep) struct session *s = NULL;
    const char *db = server_database("one");
    uint64_t begin = clock_ms();
    pthread_t thread;

    make_table(db);
    server_sql(db, "CREATE FUNCTION nap() RETURNS trigger LANGUAGE plpgsql AS"
                   " $$ BEGIN PERFORM pg_sleep(60); RETURN NEW; END $$;"
                   "CREATE TRIGGER nap BEFORE INSERT ON t"
                   " FOR EACH ROW EXECUTE FUNCTION nap()");
    cr_assert_eq(stop_new(&stop, &err), 0);
    s = open_session(db, stop);
    cr_assert_eq(copy_in_begin(s, copy_t, &err), 0);
    pthread_create(&thread, NULL, stop_soon, stop);
    cr_assert_lt(send_rows(s, 1000000, 1000000), 0);
    cr_assert_eq(err.class, ERR_CANCELLED);
    cr_assert_lt(clock_ms() - begin, 30000);
    pthread_join(thread, NULL);
    assert_nothing_active(db);
}
