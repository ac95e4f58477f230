/* SPDX-License-Identifier: PostgreSQL */
#include "loader/source/check/preflight.h"
#include "loader/source/check/question.h"
#include "loader/source/plan/relations.h"
#include "loader/source/plan/where.h"

#define NAMES_OF_RELATIONS                                                     \
    "SELECT format('%I.%I', n.nspname, c.relname) " RELATIONS_FROM             \
    "AND" SELECTION_KEEPS
#define KEPT " AND c.relpersistence <> 't'"

static const struct question about_rights[] = {
    {
        .name = "privileges",
        .sql = NAMES_OF_RELATIONS KEPT
        " AND c.relkind IN ('r', 'p', 'S')"
        " AND NOT (has_table_privilege(c.oid, 'SELECT')"
        "          AND has_schema_privilege(n.oid, 'USAGE'))",
        .none = "every table and sequence can be read",
        .what = "tables or sequences cannot be read",
        .one = "table or sequence cannot be read",
        .level = FINDING_ERROR,
        .advice = "Grant SELECT on them and USAGE on their schemas, or grant "
                  "pg_read_all_data (since PostgreSQL 14).",
    },
    {
        .name = "row security",
        .sql = NAMES_OF_RELATIONS KEPT " AND c.relkind IN ('r', 'p')"
                                       " AND row_security_active(c.oid)",
        .none = "hides no row from this role",
        .what = "tables would show only some of their rows",
        .one = "table would show only some of its rows",
        .level = FINDING_ERROR,
        .advice = "Read as a superuser or as a role with BYPASSRLS.",
    },
    {
        /* There is no function for this before PostgreSQL 18. */
        .name = "large objects",
        .sql = "SELECT CASE WHEN hidden > 0 THEN 2 ELSE 0 END,"
               " CASE WHEN hidden > 0 THEN format('%s of %s cannot be read,"
               " %s first', hidden, n, first) WHEN n > 0 THEN format('%s, all"
               " can be read', n) ELSE 'none' END FROM (SELECT count(*) AS n,"
               " count(*) FILTER (WHERE is_hidden) AS hidden,"
               " min(oid) FILTER (WHERE is_hidden) AS first"
               " FROM (SELECT oid, NOT (current_setting('is_superuser') = 'on'"
               "  OR current_setting('lo_compat_privileges') = 'on'"
               "  OR pg_has_role(lomowner, 'USAGE')"
               "  OR EXISTS (SELECT FROM aclexplode(lomacl) AS a"
               "   WHERE a.privilege_type = 'SELECT' AND (a.grantee = 0"
               "    OR pg_has_role(a.grantee, 'USAGE')))) AS is_hidden"
               "  FROM pg_largeobject_metadata) AS x) AS y",
        .advice = "Grant SELECT on them (GRANT SELECT ON LARGE OBJECT), or "
                  "read as a superuser.",
    },
    {.name = NULL},
};

static const struct question about_source[] = {
    {
        .name = "transactions",
        .sql = "SELECT format('pid %s (%s), %s', pid, application_name,"
               " date_trunc('second', now() - xact_start))"
               " FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
               " AND backend_type = 'client backend'"
               " AND application_name <> 'pghaul: check'"
               " AND now() - xact_start > '1 minute'",
        .none = "none is older than a minute",
        .what = "older than a minute",
        .level = FINDING_WARNING,
        .advice = "They hold back vacuum, and the creation of a replication "
                  "slot would wait for them.",
    },
    {
        .name = "prepared transactions",
        .sql = "SELECT format('%s of %s, %s', gid, owner,"
               " date_trunc('second', now() - prepared))"
               " FROM pg_prepared_xacts",
        .none = "none",
        .what = "waiting to be committed",
        .level = FINDING_WARNING,
        .advice = "They hold back vacuum, and the creation of a replication "
                  "slot would wait for them: COMMIT PREPARED or ROLLBACK "
                  "PREPARED.",
    },
    {
        .name = "wal_level",
        .sql = "SELECT CASE current_setting('wal_level') WHEN 'logical'"
               " THEN 0 ELSE 1 END, current_setting('wal_level')",
        .advice = "Only for change data capture: set wal_level = logical and "
                  "restart the server.",
    },
    {
        .name = "replication",
        .sql = "SELECT CASE WHEN slots > 0 AND senders > 0 THEN 0 ELSE 1 END,"
               " format('%s slots and %s senders are free', slots, senders)"
               " FROM (SELECT current_setting('max_replication_slots')::int"
               "  - (SELECT count(*) FROM pg_replication_slots) AS slots,"
               "  current_setting('max_wal_senders')::int"
               "  - (SELECT count(*) FROM pg_stat_replication) AS senders)"
               " AS x",
        .advice = "Only for change data capture: raise max_replication_slots "
                  "and max_wal_senders.",
    },
    {
        .name = "replica identity",
        .sql = NAMES_OF_RELATIONS
        "AND c.relkind = 'r' AND c.relpersistence = 'p'"
        " AND (c.relreplident = 'n'"
        "  OR c.relreplident = 'd' AND NOT EXISTS (SELECT FROM pg_index i"
        "      WHERE i.indrelid = c.oid AND i.indisprimary)"
        "  OR c.relreplident = 'i' AND NOT EXISTS (SELECT FROM pg_index i"
        "      WHERE i.indrelid = c.oid AND i.indisreplident))",
        .none = "every table has one",
        .what = "tables have none",
        .one = "table has none",
        .level = FINDING_WARNING,
        .advice = "Only for change data capture: once published, UPDATE and "
                  "DELETE on them fail.  Add a primary key, or set REPLICA "
                  "IDENTITY.",
    },
    {
        .name = "conditions",
        .sql = WHERE_OPEN_KEYS,
        .none = "no foreign key points to a table of which rows are left out",
        .what = "foreign keys point to tables of which rows are left out",
        .one = "foreign key points to a table of which rows are left out",
        .level = FINDING_WARNING,
        .advice = "Where a row is missing the key cannot be made in the "
                  "target.  Give the tables that refer to it a --where, too.",
    },
    {
        .name = "unlogged tables",
        .sql = NAMES_OF_RELATIONS "AND c.relkind = 'r'"
                                  " AND c.relpersistence = 'u'",
        .none = "none",
        .what = "unlogged tables",
        .one = "unlogged table",
        .level = FINDING_WARNING,
        .advice = "They are copied, unless the source is a standby, but no "
                  "publication has their changes.",
    },
    {
        .name = "foreign tables",
        .sql = NAMES_OF_RELATIONS "AND c.relkind = 'f'",
        .none = "none",
        .what = "foreign tables",
        .one = "foreign table",
        .level = FINDING_WARNING,
        .advice = "Their definition is copied, their rows stay where they "
                  "are.",
    },
    {
        .name = "temporary tables",
        .sql = "SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c"
               " JOIN pg_namespace n ON n.oid = c.relnamespace"
               " WHERE c.relpersistence = 't' AND c.relkind IN ('r', 'p')",
        .none = "none",
        .what = "tables are other sessions' own",
        .one = "table is another session's own",
        .level = FINDING_WARNING,
        .advice = "They are not copied: nobody else can read them.",
    },
    {
        .name = "invalid indexes",
        .sql = NAMES_OF_RELATIONS
        "AND EXISTS (SELECT FROM pg_index i"
        " WHERE i.indexrelid = c.oid AND NOT i.indisvalid)",
        .none = "none",
        .what = "invalid indexes",
        .one = "invalid index",
        .level = FINDING_WARNING,
        .advice = "They are not copied: REINDEX or drop them.",
    },
    {
        .name = "collation",
        .sql = QUESTION_COLLATION,
        .none = "is of the version that was recorded",
        .what = "has another version now",
        .level = FINDING_WARNING,
        .advice = "Indexes on text may be out of order here: REINDEX them, "
                  "then ALTER DATABASE ... REFRESH COLLATION VERSION.  The "
                  "copy does not read them.",
        .min_version = 150000,
    },
    {
        .name = "transaction age",
        .sql = "SELECT CASE WHEN n > 1000000000 THEN 1 ELSE 0 END,"
               " format('%s million', n / 1000000)"
               " FROM (SELECT max(age(datfrozenxid)) AS n FROM pg_database)"
               " AS x",
        .advice = "Let VACUUM FREEZE run first: the export holds it back for "
                  "as long as it takes.",
    },
    {
        .name = "standby",
        .sql = "SELECT CASE WHEN pg_is_in_recovery() THEN 1 ELSE 0 END,"
               " CASE WHEN pg_is_in_recovery() THEN format('is one:"
               " hot_standby_feedback %s, max_standby_streaming_delay %s',"
               " current_setting('hot_standby_feedback'),"
               " current_setting('max_standby_streaming_delay'))"
               " ELSE 'is none' END",
        .advice = "Set hot_standby_feedback = on or "
                  "max_standby_streaming_delay = -1, else replay ends the "
                  "snapshot.  Unlogged tables cannot be read there, and "
                  "before PostgreSQL 16 there is no logical slot.",
    },
    {
        /* One lock for each table, whoever shares it. */
        .name = "lock table",
        .sql = "SELECT CASE WHEN n > room THEN 2 WHEN n > room / 2 THEN 1"
               " ELSE 0 END, format('%s tables, room for %s locks;"
               " max_locks_per_transaction is %s, %s would do', n, room, per,"
               " greatest(64, ceil(2.0 * n * per / room)))"
               " FROM (SELECT current_setting('max_locks_per_transaction')"
               "  ::bigint AS per, current_setting('max_locks_per_transaction')"
               "  ::bigint * (current_setting('max_connections')::int"
               "  + current_setting('max_prepared_transactions')::int) AS room)"
               " AS x, (SELECT count(*) AS n " RELATIONS_FROM KEPT
               " AND" SELECTION_KEEPS " AND c.relkind IN ('r', 'p')) AS y",
        .advice = "Every table is locked for the time of the export: raise "
                  "max_locks_per_transaction and restart the server.",
    },
    {.name = NULL},
};

/* Of what the selection keeps. */
static int
ask_all(const struct question *list, const struct selection *selection,
        struct session *s, struct findings *f, struct err *err)
{
    int r = 0;

    for (; list->name && !r; list++) {
        cleanup_(freep) char *sql = where_query(selection, list->sql);
        struct question q = *list;

        if (!sql)
            return err_nomem(err);
        q.sql = sql;
        r = question_ask(&q, s, NULL, f, err);
    }
    return r;
}

int
preflight_ask_rights(const struct preflight_params *p, struct session *source,
                     struct findings *f, struct err *err)
{
    return ask_all(about_rights, p->selection, source, f, err);
}

int
preflight_ask_source(const struct preflight_params *p, struct session *source,
                     struct findings *f, struct err *err)
{
    return ask_all(about_source, p->selection, source, f, err);
}
