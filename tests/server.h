/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Throw-away PostgreSQL clusters for tests.
 *
 * A test program that includes this names its clusters once, at file level:
 *
 *     SERVERS({"source"}, {"target", .conf = "wal_level = minimal\n..."})
 *
 * They are started before its first test, in a temporary directory, by an
 * unprivileged user when the tests run as root, listening on a unix socket
 * only; and stopped and removed after the last, also when the program is
 * killed.  Each test gets databases of its own, but roles are the cluster's.
 * Failures end the test (cr_assert).
 *
 * The programs are those of $PGBIN, else the newest in /usr/lib/postgresql.
 * The server "target" is of another version when PGHAUL_TEST_TARGET is a
 * directory of PostgreSQL's programs, and all others when PGHAUL_TEST_SOURCE
 * is; what the tests start finds both in its PATH.
 */

#include <libpq-fe.h>
#include <sys/types.h>

struct server_spec {
    const char *name;
    const char *conf; /* further lines of postgresql.conf; may be NULL */
    const char *hba;  /* lines before pg_hba.conf's "all may"; may be NULL */
    const char *standby_of; /* streams from this one; NULL: stands alone */
};

extern const struct server_spec server_specs[];
extern const unsigned server_n_specs;

#define SERVERS(...)                                                           \
    const struct server_spec server_specs[] = {__VA_ARGS__};                   \
    const unsigned server_n_specs = sizeof server_specs / sizeof *server_specs;

/* A fresh, empty database; the conninfo string lives as long as the test. */
const char *server_database(const char *server);
/* The same, with these words after CREATE DATABASE name ("ENCODING 'LATIN1'
   TEMPLATE template0 ..."). */
const char *server_database_with(const char *server, const char *words);

/* Conninfo of the superuser's database "postgres", and parts of it. */
const char *server_conninfo(const char *server);
const char *server_conninfo_of(const char *server, const char *database);
const char *server_socket_dir(const char *server);
const char *server_data_dir(const char *server);
/* What the server has logged. */
const char *server_log_file(const char *server);
/* Directory of programs that can speak to all of them: psql, pg_dump... */
const char *server_bin_dir(void);
/* Directory of one server's own: initdb, pg_ctl. */
const char *server_own_bin_dir(const char *server);

/* Run SQL (several statements) as superuser; fails the test on an error. */
void server_sql(const char *conninfo, const char *sql);
/* First column of the first row, as text that lives as long as the test;
   NULL for SQL's NULL or no row. */
const char *server_value(const char *conninfo, const char *sql);

/* Wait until the query says "t"; two minutes at most. */
void server_await(const char *conninfo, const char *condition);

/* 150018 for 15.18. */
int server_version(const char *conninfo);

/* End the sessions that the condition on pg_stat_activity chooses, and wait
   until they have ended; how many. */
int server_terminate(const char *conninfo, const char *which);

/* pg_ctl stop -m immediate; pg_ctl start.  Tests of one program run one after
   the other, so nobody else is hurt. */
void server_crash(const char *server);
void server_start(const char *server);

/*
 * The order-free fingerprint of a table's own rows, computed by the server
 * alone: count and two sums of 64-bit hashes of the rows' text.  The judge in
 * all tests that claim equality.  The name is given as SQL wants it, quoted.
 */
const char *server_fingerprint(const char *conninfo, const char *table);
/* Those of all tables that the condition on pg_class chooses, which must be
   some; a line each, with the name.  Cheaper than one by one. */
const char *server_fingerprints(const char *conninfo, const char *which);

/* Run a program (argv ends in NULL) and wait; output is caught, and lives as
   long as the test. */
struct server_run {
    int status;   /* exit status, or 128 + signal */
    char *output; /* stdout */
    char *errors; /* stderr */
};
struct server_run server_run(const char *const argv[]);

/* The same in two steps, for programs that are disturbed meanwhile. */
struct server_program {
    pid_t pid;
    int out_fd, err_fd;
};
struct server_program server_program_start(const char *const argv[]);
struct server_run server_program_wait(struct server_program *p);
/* Wait until its stderr (the first 4 kB) has the text; two minutes at most. */
void server_program_await(const struct server_program *p, const char *text);

/* The pghaul under test. */
const char *server_pghaul(void);
/* A new temporary directory, removed together with the clusters. */
const char *server_tmp_dir(void);
