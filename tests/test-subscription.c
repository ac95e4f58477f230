/* SPDX-License-Identifier: PostgreSQL */

/* A subscription that goes on from a slot which is there already. */

#include "loader/handoff/subscription.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "loader/catalog/capture.h"
#include "loader/source/keeper/slot.h"
#include "tests/moves.h"
#include "tests/server_process.h"

SERVERS({"source"}, {"target"})

static struct err err;

#define ok(r) cr_assert_eq((r), 0, "%s: %s", err.message, err.detail)

/* Rows as of the slot, in both databases. */
struct pair {
    const char *publisher, *subscriber;
    struct session *from, *to;
    struct subscription x;
};

static struct session *
open_session(const char *conninfo, enum session_side side)
{
    const struct session_params p = {
        .conninfo = conninfo, .side = side, .purpose = "test"};
    struct session *s;

    ok(session_open(&s, &p, &err));
    return s;
}

static struct pair
pair_of(const char *subscriber_server)
{
    const char *from = server_database("source");
    const char *to = server_database(subscriber_server);
    struct pair p = {.publisher = from, .subscriber = to};

    server_sql(from, "CREATE TABLE t (i int PRIMARY KEY);"
                     "INSERT INTO t VALUES (1);"
                     "CREATE PUBLICATION \"p'u\"\"b\" FOR TABLE t");
    server_sql(to, "CREATE TABLE t (i int PRIMARY KEY);"
                   "INSERT INTO t VALUES (1)");
    p.x = (struct subscription){
        .name = server_process_text("s \"%s",
                                    server_value(from, "SELECT "
                                                       "current_database()")),
        .run_id = "00000000-0000-0000-0000-000000000001",
        .conninfo = from,
        .publication = "p'u\"b",
        .slot = server_value(from, "SELECT slot_name FROM"
                                   " pg_create_logical_replication_slot("
                                   "  current_database(), 'pgoutput')"),
    };
    cr_assert_eq(capture_parse_lsn(
                     server_value(from, "SELECT confirmed_flush_lsn FROM"
                                        " pg_replication_slots WHERE database ="
                                        " current_database()"),
                     &p.x.lsn),
                 0);
    p.from = open_session(from, SESSION_SOURCE);
    p.to = open_session(to, SESSION_TARGET);
    return p;
}

static enum subscription_state
state(const struct pair *p)
{
    struct subscription_look look;

    ok(subscription_look(p->to, &p->x, &look, &err));
    return look.state;
}

static int
wait(const struct pair *p, unsigned seconds)
{
    struct subscription_wait w = {
        .subscriber = p->to, .publisher = p->from, .seconds = seconds};
    uint64_t lag;

    ok(subscription_end_of_log(p->from, &w.lsn, &err));
    return subscription_wait(&w, &p->x, &lag, &err);
}

static void
end(struct pair *p)
{
    ok(subscription_drop(p->to, &p->x, &err));
    ok(subscription_drop(p->to, &p->x, &err));
    cr_assert_eq(state(p), SUBSCRIPTION_NONE);
    ok(subscription_slot_is_free(p->from, p->x.slot, &err));
    ok(slot_drop(p->from, p->x.slot, &err));
    session_free(p->from);
    session_free(p->to);
}

/* Each step twice: the second time it is nothing. */
static void
follow(struct pair *p)
{
    struct subscription_look look;

    server_sql(p->publisher, "INSERT INTO t VALUES (2)");
    cr_assert_eq(state(p), SUBSCRIPTION_NONE);
    ok(subscription_try(p->to, &p->x, &err));
    cr_assert_eq(state(p), SUBSCRIPTION_NONE);
    for (int i = 0; i < 2; i++)
        ok(subscription_make(p->to, &p->x, &err));
    cr_assert_eq(state(p), SUBSCRIPTION_MADE);
    for (int i = 0; i < 2; i++)
        ok(subscription_place(p->to, &p->x, &err));
    cr_assert_eq(state(p), SUBSCRIPTION_PLACED);
    ok(subscription_look(p->to, &p->x, &look, &err));
    cr_assert_eq(look.position, p->x.lsn);
    for (int i = 0; i < 2; i++)
        ok(subscription_enable(p->to, &p->x, &err));
    cr_assert_eq(state(p), SUBSCRIPTION_ENABLED);
    ok(subscription_place(p->to, &p->x, &err));
    ok(wait(p, 120));
    cr_assert_str_eq(server_value(p->subscriber, "SELECT sum(i) FROM t"), "3");
}

Test(subscription, goes_on_where_the_rows_end)
{
    struct pair p = pair_of("target");
    struct subscription_look look;
    uint64_t lag;

    follow(&p);
    ok(subscription_disable(p.to, &p.x, &err));
    cr_assert_eq(state(&p), SUBSCRIPTION_PLACED);
    server_sql(p.publisher, "INSERT INTO t VALUES (3)");
    cr_assert_lt(wait(&p, 1), 0);
    cr_assert_eq(err.class, ERR_REFUSED);
    ok(subscription_lag(p.from, p.x.slot, &lag, &err));
    cr_assert_gt(lag, 0);
    ok(subscription_look(p.to, &p.x, &look, &err));
    cr_assert_gt(look.position, p.x.lsn);
    ok(subscription_place(p.to, &p.x, &err)); /* never back */
    ok(subscription_enable(p.to, &p.x, &err));
    ok(wait(&p, 120));
    cr_assert_str_eq(server_value(p.subscriber, "SELECT sum(i) FROM t"), "6");
    end(&p);
}

Test(subscription, of_another_database_of_the_same_cluster_does_not_hang)
{
    struct pair p = pair_of("source");

    follow(&p);
    end(&p);
}

Test(subscription, of_that_name_but_anothers_is_not_touched)
{
    struct pair p = pair_of("target");
    struct subscription mine = p.x;

    ok(subscription_make(p.to, &p.x, &err));
    mine.run_id = "00000000-0000-0000-0000-000000000002";
    cr_assert_lt(subscription_make(p.to, &mine, &err), 0);
    cr_assert_eq(err.class, ERR_REFUSED);
    cr_assert_lt(subscription_drop(p.to, &mine, &err), 0);
    cr_assert_eq(err.class, ERR_REFUSED);
    mine = p.x;
    mine.slot = "another";
    cr_assert_lt(subscription_enable(p.to, &mine, &err), 0);
    cr_assert(strstr(err.message, "another slot"), "%s", err.message);
    end(&p);
}

Test(subscription, that_cannot_reach_its_publisher_is_refused)
{
    struct pair p = pair_of("target");
    struct subscription lost = p.x;

    lost.conninfo = "host=/nowhere dbname=x";
    cr_assert_lt(subscription_make(p.to, &lost, &err), 0);
    cr_assert_eq(err.class, ERR_REFUSED);
    cr_assert_eq(state(&p), SUBSCRIPTION_NONE);
    ok(subscription_make(p.to, &p.x, &err)); /* the session is of use still */
    end(&p);
}

Test(subscription, password_in_its_string_is_not_logged)
{
    struct pair p = pair_of("target");
    const char *secret = "geheim-1234";

    server_sql(p.subscriber, "ALTER SYSTEM SET log_statement = 'all'");
    server_sql(p.subscriber, "SELECT pg_reload_conf()");
    moves_wait_until(p.subscriber, "SELECT current_setting('log_statement')"
                                   " = 'all'");
    session_reopen(p.to, &err);
    p.x.conninfo = server_process_text("%s password=%s", p.publisher, secret);
    ok(subscription_make(p.to, &p.x, &err));
    p.x.name = "other";
    p.x.conninfo = server_process_text("host=/nowhere password=%s", secret);
    cr_assert_lt(subscription_make(p.to, &p.x, &err), 0);
    cr_assert_null(strstr(err.detail, secret));
    cr_assert_eq(
        server_run((const char *const[]){"grep", "-q", "-F", secret,
                                         server_log_file("target"), NULL})
            .status,
        1);
    cr_assert_eq(
        server_run((const char *const[]){"grep", "-q", "-F", ": BEGIN",
                                         server_log_file("target"), NULL})
            .status,
        0, "nothing is logged at all");
    server_sql(p.subscriber, "ALTER SYSTEM RESET log_statement");
    server_sql(p.subscriber, "SELECT pg_reload_conf()");
    p.x.name = server_value(p.subscriber, "SELECT subname FROM pg_subscription"
                                          " JOIN pg_database d ON d.oid ="
                                          " subdbid WHERE datname ="
                                          " current_database()");
    end(&p);
}

Test(subscription, options_are_those_that_the_server_knows)
{
    struct pair p = pair_of("target");
    const char *const good[] = {"streaming=on", "synchronous_commit=on"};
    const char *const bad[] = {"create_slot=true", "streaming",
                               "streaming=", "nonsense=1"};

    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++)
        cr_assert_lt(subscription_option_check(bad[i], 0, &err), 0, "%s",
                     bad[i]);
    cr_assert_lt(subscription_option_check("failover=true", 160004, &err), 0);
    ok(subscription_option_check("failover=true", 170000, &err));
    ok(subscription_option_check("failover=true", 0, &err));
    p.x.options = good;
    p.x.n_options = 2;
    if (session_server_version(p.to) >= 140000) {
        ok(subscription_make(p.to, &p.x, &err));
        cr_assert_str_eq(server_value(p.subscriber,
                                      "SELECT substream::text IN ('t', 'true')"
                                      " FROM pg_subscription"),
                         "t");
    }
    end(&p);
}

Test(subscription, that_is_late_is_said_to_be)
{
    struct pair p = pair_of("target");
    PGconn *conn = PQconnectdb(p.subscriber);

    ok(subscription_make(p.to, &p.x, &err));
    ok(subscription_enable(p.to, &p.x, &err));
    PQclear(PQexec(conn, "BEGIN; LOCK TABLE t"));
    server_sql(p.publisher, "INSERT INTO t VALUES (2)");
    cr_assert_eq(wait(&p, 1), SUBSCRIPTION_E_LATE);
    PQfinish(conn);
    ok(wait(&p, 120));
    end(&p);
}

Test(subscription, that_has_lost_its_slot_is_not_waited_for)
{
    struct pair p = pair_of("target");

    ok(subscription_make(p.to, &p.x, &err));
    ok(slot_drop(p.from, p.x.slot, &err));
    ok(subscription_enable(p.to, &p.x, &err));
    cr_assert_lt(wait(&p, 60), 0);
    cr_assert_eq(err.class, ERR_REFUSED);
    end(&p);
}
