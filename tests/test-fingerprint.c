/* SPDX-License-Identifier: PostgreSQL */
#include "loader/source/plan/fingerprint.h"

#include <criterion/criterion.h>
#include <string.h>

#include "loader/pg/snapshot.h"
#include "loader/source/plan/planner.h"
#include "tests/run.h"
#include "tests/server.h"

SERVERS({"source"})

TestSuite(fingerprint, .init = run_set_up, .fini = run_tear_down);

/*
 * A session that has planned public.t and holds no lock on it, as when the
 * keeper's locks are lost; and the plan.
 */
struct planned {
    const char *source;
    struct session *session;
    struct snapshot *snapshot;
    struct catalog_table *table;
};

static struct planned
plan(const char *sql)
{
    static const struct planner_params params = {.chunk_size = 1 << 20};
    struct planned p = {.source = server_database("source")};
    const struct session_params session = {
        .conninfo = p.source,
        .side = SESSION_SOURCE,
        .purpose = "plan",
    };
    uint64_t id = 0;

    server_sql(p.source, sql);
    ok(session_open(&p.session, &session, &err));
    ok(snapshot_take(&p.snapshot, p.session, &err));
    ok(planner_run(&params, p.session, c, &err));
    do {
        catalog_table_free(p.table);
        ok(catalog_next_table(c, id, &p.table, &err));
        id = p.table->id;
    } while (strcmp(p.table->name, "t") != 0);
    return p;
}

static void
forget(struct planned *p)
{
    snapshot_free(p->snapshot);
    session_free(p->session);
    catalog_table_free(p->table);
}

/* What is said when this is done between the plan and the reading. */
static const char *
checked(const char *before, const char *change)
{
    static char said[4096];
    struct planned p = plan(before);
    int r;

    if (change)
        server_sql(p.source, change);
    r = fingerprint_check(p.session, p.table, &err);
    if (r)
        snprintf(said, sizeof said, "%d: %s: %s", err.class, err.message,
                 err.detail);
    else
        said[0] = '\0';
    forget(&p);
    return said;
}

#define MIXED                                                                  \
    "CREATE TYPE e AS ENUM ('a'); CREATE DOMAIN d AS e; CREATE DOMAIN dd AS "  \
    "d;"                                                                       \
    "CREATE TABLE t (gone int, \"A b\" int, v varchar(10), d dd, x text[],"    \
    "  g int GENERATED ALWAYS AS (1) STORED, n numeric(4, 2));"                \
    "ALTER TABLE t DROP gone;"

Test(fingerprint, untouched_table_is_the_same)
{
    cr_assert_str_empty(checked(MIXED, NULL));
}

Test(fingerprint, table_without_columns_is_the_same)
{
    cr_assert_str_empty(checked("CREATE TABLE t ()", NULL));
}

Test(fingerprint, leaf_with_its_columns_in_another_order_is_the_same)
{
    cr_assert_str_empty(
        checked("CREATE TYPE e AS ENUM ('a');"
                "CREATE TABLE r (a e, b int, c text) PARTITION BY HASH (a);"
                "CREATE TABLE t (c text, gone int, b int, a e);"
                "ALTER TABLE t DROP gone;"
                "ALTER TABLE r ATTACH PARTITION t FOR VALUES"
                "  WITH (MODULUS 1, REMAINDER 0)",
                NULL));
}

Test(fingerprint, what_does_not_change_rows_does_not_matter)
{
    cr_assert_str_empty(checked(MIXED, "ALTER TABLE t ADD z int,"
                                       "  ALTER v SET DEFAULT 'x';"
                                       "CREATE INDEX ON t (v);"
                                       "COMMENT ON TABLE t IS 'x';"
                                       "INSERT INTO t VALUES (1)"));
}

struct change {
    const char *sql, *says;
};

static const struct change changes[] = {
    {"TRUNCATE t",
     "6: table \"public.t\" was truncated, rewritten or replaced after the "
     "snapshot was taken: "},
    {"VACUUM FULL t", "truncated, rewritten or replaced"},
    {"ALTER TABLE t ALTER n TYPE int", "truncated, rewritten or replaced"},
    {"ALTER TABLE t DROP v, ADD v varchar(10)",
     "6: table \"public.t\" was altered after the snapshot was taken: Its lock "
     "was lost; column \"v\" was dropped, renamed or given another type."},
    {"ALTER TABLE t RENAME v TO w; ALTER TABLE t ADD v text", "column \"v\""},
    {"ALTER TABLE t DROP n, ADD n numeric(4, 2)", "column \"n\""},
    {"ALTER TABLE t ALTER v TYPE text", "column \"v\""},
    {"ALTER TABLE t RENAME TO old; CREATE TABLE t (LIKE old)",
     "truncated, rewritten or replaced"},
};

Test(fingerprint, what_changes_rows_is_refused_and_named)
{
    for (unsigned i = 0; i < sizeof changes / sizeof *changes; i++) {
        const char *said = checked(MIXED, changes[i].sql);

        cr_assert_not_null(strstr(said, changes[i].says), "%s: \"%s\"",
                           changes[i].sql, said);
        ok(catalog_clear(c, &err));
    }
}
