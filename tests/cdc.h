/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * What the tests of --cdc share: a bank of two tables, and how to see what is
 * left of slots and publications.
 */

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "tests/moves.h"
#include "tests/server_process.h"

static const char bank[] =
    "CREATE TABLE a (i int PRIMARY KEY, n bigint, t text);"
    "CREATE TABLE b (i int PRIMARY KEY, n bigint, t text);"
    "INSERT INTO a SELECT i, 1000, md5(i::text) FROM"
    "  generate_series(1, 30000) AS i;"
    "INSERT INTO b SELECT i, 1000, md5(i::text) FROM"
    "  generate_series(1, 30000) AS i;";

static inline const char *
bank_database(void)
{
    const char *source = server_database("source");

    server_sql(source, bank);
    return source;
}

static inline const char *
run_dir(void)
{
    return moves_path(server_tmp_dir(), "run");
}

/* (source, "--dir", dir, ...) */
#define cdc_words(...)                                                         \
    moves_words("export", "--cdc", "--chunk-size", "1MB", "--source",          \
                __VA_ARGS__)

/* Of this database only: slots are the cluster's. */
static const char n_left[] = "SELECT (SELECT count(*) FROM pg_replication_slots"
                             "  WHERE database = current_database()) || ' '"
                             " || (SELECT count(*) FROM pg_publication)";

static inline void
drop_slots(const char *source)
{
    server_sql(source, "SELECT pg_drop_replication_slot(slot_name)"
                       " FROM pg_replication_slots"
                       " WHERE database = current_database()");
}

static inline void
assert_left(const char *source, const char *what)
{
    cr_assert_str_eq(server_value(source, n_left), what, "left: %s, not %s",
                     server_value(source, n_left), what);
}

static inline void
assert_says(const struct server_run *run, int status, const char *says)
{
    cr_assert_eq(run->status, status, "status %d: %s%s", run->status,
                 run->output, run->errors);
    cr_assert(strstr(run->errors, says) || strstr(run->output, says),
              "\"%s\" is not in: %s%s", says, run->output, run->errors);
}

static inline const char *
value(const char *conninfo, const char *fmt, const char *arg)
{
    return server_value(conninfo, server_process_text(fmt, arg));
}

/* A session of the test's own, which stays. */
static inline PGconn *
session(const char *conninfo, const char *sql)
{
    PGconn *conn = PQconnectdb(conninfo);
    PGresult *res = PQexec(conn, sql);

    cr_assert_eq(PQresultStatus(res), PGRES_COMMAND_OK, "%s",
                 PQerrorMessage(conn));
    PQclear(res);
    return conn;
}

static inline const char *
pid_of(PGconn *conn)
{
    return server_process_text("pid %d ", PQbackendPID(conn));
}

/* "0/1A2B3C": what the run says its slot begins at. */
static inline const char *
lsn_of(const char *dir)
{
    struct server_run run = moves_pghaul("status", "--dir", dir, "--json");
    char *at = strstr(run.output, "\"lsn\": \"");

    cr_assert_not_null(at, "%s", run.output);
    at += strlen("\"lsn\": \"");
    at[strcspn(at, "\"")] = '\0';
    return at;
}

static const char slot_waits[] =
    "SELECT count(*) = 1 FROM pg_stat_activity"
    " WHERE application_name = 'pghaul: slot' AND wait_event_type = 'Lock'";

static const char no_slot_waits[] = "SELECT count(*) = 0 FROM pg_stat_activity"
                                    " WHERE application_name = 'pghaul: slot'";
