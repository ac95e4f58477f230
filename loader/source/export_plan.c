/* SPDX-License-Identifier: PostgreSQL */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loader/bag/staged.h"
#include "loader/inventory/inventory.h"
#include "loader/inventory/inventory_compare.h"
#include "loader/source/environment.h"
#include "loader/source/export_private.h"
#include "loader/source/plan/left_out.h"
#include "loader/source/roles.h"
#include "loader/source/schema_dump.h"
#include "loader/source/schema_text.h"

/* What the database consists of, for who compares it with others. */
static int
write_inventory(struct export *x, struct facts *now, struct err *err)
{
    cleanup_(freep) char *gone = left_out_gone(x->params.selection);

    return gone ? inventory_write(x->dir, x->session, gone,
                                  x->params.recipients, now, err)
                : err_nomem(err);
}

/* The first few of what is another than it was. */
struct changes {
    unsigned n;
    char text[400];
};

static void
note_change(void *arg, const struct inventory_difference *d)
{
    struct changes *c = arg;
    size_t len = strlen(c->text);

    if (c->n++ < EXPORT_NAMED)
        snprintf(c->text + len, sizeof c->text - len, "%s%s %s%s%s",
                 len ? ", " : "", d->kind, d->name, d->part[0] ? " " : "",
                 d->part);
}

static int
find_changes(struct export *x, struct changes *ret, struct err *err)
{
    cleanup_(freep) char *gone = left_out_gone(x->params.selection);
    struct inventory_comparison c = {.tell = note_change, .arg = ret};
    int r = gone ? inventory_of_run(&c.left, x->dir, &x->facts,
                                    x->params.identities, err)
                 : err_nomem(err);

    if (!r)
        r = inventory_of_session(&c.right, x->session, gone, err);
    if (!r)
        r = inventory_compare(&c, err);
    inventory_free(c.left);
    inventory_free(c.right);
    return r;
}

/* Tables of two epochs are loaded into one schema. */
static int
require_same_schema(struct export *x, struct err *err)
{
    struct changes c = {0};
    int r = find_changes(x, &c, err);

    if (r || c.n == 0)
        return r;
    err_set(err, ERR_REFUSED,
            "the schema has changed since the first snapshot of this run");
    err_detail(err, "Another than it was is: %s%s", c.text,
               c.n > EXPORT_NAMED ? "..." : "");
    return err_hint(err, "Undo the change and give --new-epoch again, or give "
                         "--start-over to throw away what is staged.");
}

/* Nobody misses them much: a load gathers its own where there are none. */
static int
dump_statistics(struct export *x, const struct schema_dump_params *schema,
                struct facts *now, struct err *err)
{
    struct schema_dump_params p = *schema;
    int *present = &now->documents[FACTS_STATISTICS].present;
    int r;

    p.file = facts_document_file(now, FACTS_STATISTICS);
    r = schema_dump_statistics(x->dir, &p, present, err);
    return r || !*present
               ? r
               : staged_digest(x->dir, p.file,
                               now->documents[FACTS_STATISTICS].sha256, err);
}

static int
dump_schema(struct export *x, const struct keeper_look *keeper,
            struct facts *now, struct err *err)
{
    const struct schema_dump_params p = {
        .conninfo = x->params.conninfo,
        .snapshot = keeper->snapshots[0],
        .session = x->session,
        .selection = x->params.selection,
        .file = facts_schema_file(now),
        .recipients = x->params.recipients,
        .publications = x->params.plan.publications,
        .stop = x->params.stop,
    };
    int r;

    progress_phase_begin(x->params.progress, "schema");
    r = now->epoch > 1 ? require_same_schema(x, err) : 0;
    if (!r)
        r = write_inventory(x, now, err);
    if (!r)
        r = environment_write(x->dir, x->session, x->params.recipients, now,
                              err);
    if (!r)
        r = schema_dump(x->dir, &p, &x->dump_fd, err);
    if (!r)
        r = dump_statistics(x, &p, now, err);
    return progress_phase_end(x->params.progress, r, err);
}

/* What is to be copied, and the schema, out of the keeper's snapshot. */
int
export_plan(struct export *x, const struct keeper_look *keeper,
            struct facts *now, struct err *err)
{
    const struct session_params p = export_session_params(x);
    int r;

    progress_phase_begin(x->params.progress, "plan");
    r = keeper_join(x->dir, keeper->origin, &x->session, &p, err);
    if (!r)
        r = planner_run(&x->params.plan, x->session, x->catalog, err);
    if (!r && x->params.roles)
        r = roles_write(x->dir, x->session, x->params.recipients, now, err);
    if (progress_phase_end(x->params.progress, r, err))
        return r;
    return dump_schema(x, keeper, now, err);
}

int
export_write_down(struct export *x, const struct keeper_look *keeper,
                  struct facts *now, struct err *err)
{
    const struct schema_text_params text = {
        .dir = x->dir,
        .dump_fd = x->dump_fd,
        .recipients = x->params.recipients,
        .stop = x->params.stop,
    };
    int r;

    r = staged_digest(x->dir, facts_schema_file(now), now->schema_sha256, err);
    if (!r)
        r = schema_text(&text, now, err);
    if (r)
        return r;
    now->snapshot = strdup(keeper->origin);
    if (!now->snapshot)
        return err_nomem(err);
    now->discards = x->params.discard;
    now->state = FACTS_EXPORTING;
    r = catalog_begin(x->catalog, err);
    if (!r)
        r = facts_write(now, x->catalog, err);
    return r ? r : catalog_commit(x->catalog, err);
}

/* In a transaction, as every plan is, which must not be open any more when
   something is made. */
int
export_plan_for_now(struct export *x, struct err *err)
{
    int r = session_exec(
        x->session, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", err);

    if (!r)
        r = planner_run(&x->params.plan, x->session, x->catalog, err);
    return r ? r : session_exec(x->session, "COMMIT", err);
}

/* A plan of this epoch is thrown away. */
int
export_forget_plan(struct export *x, const struct facts *now, struct err *err)
{
    return now->epoch == 1
               ? catalog_clear(x->catalog, err)
               : catalog_keep_staged(x->catalog, now->epoch - 1, err);
}
