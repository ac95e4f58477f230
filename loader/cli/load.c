/* SPDX-License-Identifier: PostgreSQL */
#include "loader/bag/seal.h"
#include "loader/cli/account.h"
#include "loader/cli/copying.h"
#include "loader/cli/loading.h"

static int
load_from(struct workplace *w, struct err *err)
{
    struct facts f = {0};
    enum account_end end;
    int r;

    r = facts_read(&f, w->catalog, err);
    if (!r)
        r = facts_require_files(&f, err);
    if (!r)
        r = seal_check(w->dir, err);
    if (!r)
        r = copying_open_keys(w, &f, err);
    if (!r)
        r = loading_all(w, &f, NULL, &end, err);
    if (!r)
        r = account_copy(w, &f, "loaded", end, err);
    facts_clear(&f);
    return r ? r : workplace_check_skips(w, err);
}

static int
run(const struct command_context *ctx, struct err *err)
{
    return workplace_do(ctx, RUN_DIR_OPEN, load_from, err);
}

const struct command command_load = {
    .name = "load",
    .summary = "load a run directory into a database",
    .description =
        "Creates the schema in the target, which must be an empty database, "
        "loads every chunk exactly once, builds indexes and keys as soon as "
        "their table is complete, then all that pg_dump restores after the "
        "data, and sets the sequences.\n\n"
        "With --source, of a run with a replication slot, the slot is watched "
        "meanwhile: when it is lost the load ends at once (status 6).\n\n"
        "What is done is recorded in the target itself (--ledger-schema), in "
        "the transactions that do it.  Interrupted at any instant, the same "
        "command goes on where it was.\n\n"
        "With --into-existing the rows go into tables that are there.  Columns "
        "are found by name; all that does not fit is listed before the first "
        "row.  A table that holds rows is an error, unless --truncate or "
        "--append is given.  Triggers do not fire: what they are, and how they "
        "were, is kept in the target and put back at the end, or by "
        "abort.  "
        "Where the role may not set session_replication_role, foreign keys "
        "are dropped for the time of the load and added again; else they are "
        "checked when all rows are there.  --rebuild-indexes drops indexes "
        "that serve no constraint, and makes them again as soon as their "
        "table is loaded.  Materialized views are refreshed, unless "
        "--no-refresh is given.  --before-sql and --after-sql are run once, "
        "each "
        "in one transaction.",
    .requires = OPTION_SET(target) | OPTION_SET(dir),
    .takes = COPYING_LOAD_OPTIONS | COPYING_TALK_OPTIONS | OPTION_SET(source),
    .run = run,
};
