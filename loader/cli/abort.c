/* SPDX-License-Identifier: PostgreSQL */
#include <stdio.h>
#include <string.h>

#include "loader/cli/confirm.h"
#include "loader/cli/handing.h"
#include "loader/cli/workplace.h"
#include "loader/cutover/cutover.h"
#include "loader/handoff/subscription.h"
#include "loader/source/capture/capturing.h"
#include "loader/source/keeper/keeper.h"
#include "loader/target/abandon.h"

/* 1: there was none. */
static int
end_keeper(struct workplace *w, struct err *err)
{
    struct keeper_look keeper;
    int r;

    r = keeper_look(w->dir, &keeper, err);
    if (r)
        return r;
    r = keeper_end(w->dir, err);
    if (!r)
        printf("keeper %d has ended: the snapshot is gone, what is staged "
               "stays\n",
               (int)keeper.pid);
    return r;
}

/* ---- what is at the source ---- */

static void
name_capture(const struct capture *m)
{
    printf("at the source, database \"%s\":\n", m->database);
    printf("  replication slot \"%s\"\n", m->slot);
    if (m->publication && !m->found)
        printf("  publication \"%s\"\n", m->publication);
}

/* Text for a human's psql: names have passed the option's check or ours, but
   a quote in a publication's name must not end the literal. */
static void
print_quoted(const char *text, char quote)
{
    putchar(quote);
    for (; *text; text++) {
        if (*text == quote)
            putchar(quote);
        putchar((unsigned char)*text < ' ' ? '?' : *text);
    }
    putchar(quote);
}

/* A table whose identity was changed; 1: there are more than can be listed by
   hand. */
static int
has_identities(struct workplace *w, unsigned epoch, int *ret, struct err *err)
{
    uint32_t last = 0;
    int r = 0;

    *ret = 0;
    while (!r && !*ret) {
        cleanup_(capture_table_freep) struct capture_table *t = NULL;

        r = capture_next_table(w->catalog, epoch, last, &t, err);
        if (r)
            break;
        last = t->oid;
        *ret = t->identity != '\0';
    }
    return r == CATALOG_E_NONE ? 0 : r;
}

static int
tell_what_is_left(struct workplace *w, const struct capture *m, struct err *err)
{
    int identities, r = has_identities(w, m->epoch, &identities, err);

    if (r)
        return r;
    name_capture(m);
    puts("are left, and the slot keeps the source's log until it is dropped: "
         "give --source,\nor run there");
    printf("  SELECT pg_drop_replication_slot(");
    print_quoted(m->slot, '\'');
    puts(");");
    if (m->publication && !m->found) {
        printf("  DROP PUBLICATION ");
        print_quoted(m->publication, '"');
        puts(";");
    }
    if (identities)
        puts("Replica identities that were made FULL are put back with "
             "--source only.");
    return 0;
}

static void
tell(void *arg, const char *what)
{
    (void)arg;
    puts(what);
}

static void
tell_and_count(void *arg, const char *what)
{
    ++*(int *)arg;
    puts(what);
}

/* Of each epoch, the first one's first. */
static int
each_capture(struct workplace *w,
             int (*visit)(struct workplace *w, const struct capture *m,
                          struct err *err),
             struct err *err)
{
    struct captures all = {0};
    int r = captures_read(&all, w->catalog, err);

    for (unsigned i = 0; i < all.n && !r; i++)
        r = visit(w, &all.list[i], err);
    captures_clear(&all);
    return r;
}

static int
name_to_be_dropped(struct workplace *w, const struct capture *m,
                   struct err *err)
{
    (void)w;
    (void)err;
    name_capture(m);
    return 0;
}

static int
confirm_undo(struct workplace *w, struct err *err)
{
    int r;

    if (w->ctx->options->yes)
        return 0;
    r = each_capture(w, name_to_be_dropped, err);
    return r ? r
             : confirm("will be dropped; no change can be captured after "
                       "that.  Go on?",
                       err);
}

static int
undo(struct workplace *w, struct err *err)
{
    const struct capturing_undo u = {
        .conninfo = w->ctx->options->source,
        .force = 1,
        .tell = tell,
    };
    int r = confirm_undo(w, err);

    if (!r)
        r = capturing_undo(&u, w->catalog, err);
    return r ? r : handing_forget(w, err);
}

/* ---- what is at both ---- */

static int
refuse_one_side(const char *state, struct err *err)
{
    err_set(err, ERR_REFUSED, "the run has a cut-over that is %s", state);
    return err_hint(err, "Give both --source and --target, or go back first: "
                         "\"pghaul cutover --rollback\".");
}

static void
hear(void *arg, const char *what)
{
    (void)arg;
    puts(what);
}

static int
undo_cutover(struct workplace *w, const struct facts *f, struct err *err)
{
    const struct options *o = w->ctx->options;
    const struct cutover_params p = {
        .source = o->source,
        .target = o->target,
        .ledger_schema = o->ledger_schema,
        .facts = f,
        .calls = {.tell = hear},
    };
    cleanup_(cutover_freep) struct cutover *c = NULL;
    int r = cutover_open(&c, &p, w->catalog, err);

    if (!r)
        r = cutover_abandon(c, err);
    if (!r)
        puts("what the cut-over has left on both servers is taken away");
    return r;
}

/* A run that is cut over is not to be given up without a word. */
static int
abandon_cutover(struct workplace *w, struct err *err)
{
    const struct options *o = w->ctx->options;
    cleanup_(freep) char *state = NULL;
    struct facts f = {0};
    int r = cutover_state(w->catalog, &state, err);

    if (r)
        return r == CATALOG_E_NONE ? 0 : r;
    if (strcmp(state, CUTOVER_FINISHED) == 0 ||
        strcmp(state, CUTOVER_GIVEN_BACK) == 0)
        return 0;
    if (!o->source || !o->target)
        return refuse_one_side(state, err);
    r = facts_read(&f, w->catalog, err);
    if (!r)
        r = undo_cutover(w, &f, err);
    facts_clear(&f);
    return r;
}

/* ---- what is in the target ---- */

static int
confirm_drop(const struct options *o, struct err *err)
{
    return !o->drop_data || o->yes
               ? 0
               : confirm("All rows of the run's tables in the target will be "
                         "removed, whoever wrote them.  Go on?",
                         err);
}

static int
abandon(struct workplace *w, struct err *err)
{
    const struct options *o = w->ctx->options;
    struct facts f = {0};
    const struct abandon_params p = {
        .conninfo = o->target,
        .ledger_schema = o->ledger_schema,
        .facts = &f,
        .drop_data = o->drop_data,
        .stop = w->ctx->stop,
        .tell = tell,
    };
    int r;

    if (!o->target)
        return 0;
    r = confirm_drop(o, err);
    if (!r)
        r = facts_read(&f, w->catalog, err);
    if (!r && f.run_id)
        r = abandon_load(&p, w->catalog, err);
    if (r == ABANDON_E_NONE || (!r && !f.run_id)) {
        puts("the target knows nothing of this run");
        r = 0;
    }
    facts_clear(&f);
    return r;
}

/* The walsender may take a moment to notice. */
static int
wait_for_slot(struct workplace *w, const struct capture *m, struct err *err)
{
    const struct session_params p = {
        .conninfo = w->ctx->options->source,
        .side = SESSION_SOURCE,
        .purpose = "undo",
    };
    cleanup_(session_freep) struct session *s = NULL;
    int r = p.conninfo ? session_open(&s, &p, err) : 0;

    return r || !s ? r : subscription_slot_is_free(s, m->slot, err);
}

/* It reads from the slot that is to go. */
static int
unsubscribe(struct workplace *w, struct err *err)
{
    const struct session_params p = {
        .conninfo = w->ctx->options->target,
        .side = SESSION_TARGET,
        .purpose = "undo",
    };
    cleanup_(session_freep) struct session *s = NULL;
    struct capture m = {0};
    int n = 0, r = capture_read(&m, w->catalog, err);

    if (!r && m.state == CAPTURE_MADE && p.conninfo) {
        r = session_open(&s, &p, err);
        if (!r)
            r = subscription_drop_of_run(s, m.run_id, tell_and_count, &n, err);
        if (!r && n > 0)
            r = wait_for_slot(w, &m, err);
    }
    capture_clear(&m);
    return r;
}

static int
abort_run(struct workplace *w, struct err *err)
{
    struct capture m = {0};
    int had_keeper, r;

    r = abandon_cutover(w, err);
    if (!r)
        r = unsubscribe(w, err);
    if (!r)
        r = abandon(w, err);
    if (r)
        return r;
    r = end_keeper(w, err);
    had_keeper = r == 0;
    if (r >= 0)
        r = capture_read(&m, w->catalog, err);
    if (r)
        return r;
    if (m.state != CAPTURE_NONE)
        r = w->ctx->options->source ? undo(w, err)
                                    : each_capture(w, tell_what_is_left, err);
    else if (!had_keeper && !w->ctx->options->target)
        puts("nothing to abort: no snapshot is held for this run, and nothing "
             "of it is at the source");
    capture_clear(&m);
    return r;
}

static int
run(const struct command_context *ctx, struct err *err)
{
    return workplace_do(ctx, RUN_DIR_OPEN, abort_run, err);
}

const struct command command_abort = {
    .name = "abort",
    .summary = "undo what a run has left on its servers",
    .description =
        "Ends the process that holds the snapshot of an unfinished export, "
        "and with it the locks and the transactions at the source.  The "
        "export cannot go on after that, only begin again (--start-over).\n\n"
        "What --cdc made at the source is named; with --source it is taken "
        "away: the slot and the publication are dropped, and replica "
        "identities are put back.  It asks before; --yes answers.\n\n"
        "With --target a load is given up: triggers, keys and indexes that it "
        "has put aside (--into-existing) are put back as they were, and the "
        "target's ledger forgets the run, and a subscription that it was "
        "handed "
        "over to is dropped.  What was created and loaded stays; "
        "--drop-data empties the run's tables.",
    .requires = OPTION_SET(dir),
    .takes = OPTION_SET(source) | OPTION_SET(target) | OPTION_SET(yes) |
             OPTION_SET(drop_data) | OPTION_SET(ledger_schema),
    .run = run,
};
