/* SPDX-License-Identifier: PostgreSQL */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "loader/cutover/cutover_private.h"
#include "loader/cutover/drain.h"
#include "loader/source/capture/capturing.h"
#include "loader/source/keeper/slot.h"

/* ---- finish ---- */

/* Somebody may have written at the source after the switch: that is not in the
   target, and when the slot is gone nobody will ever know. */
static int
require_no_strays(struct cutover *c, const struct subscription *x,
                  struct err *err)
{
    struct slot_look look;
    int r = slot_look(c->source, x->slot, &look, err);

    if (r || look.lost[0])
        return r == SLOT_E_NONE ? 0 : r;
    r = cutover_refuse_strays(c, c->source, x, err);
    if (r && err->class == ERR_REFUSED)
        err_hint(err,
                 "pg_logical_slot_peek_binary_changes() shows them.  Bring "
                 "them to the target by hand, then say so at the source: "
                 "SELECT pg_replication_slot_advance('%s', "
                 "pg_current_wal_flush_lsn()).",
                 x->slot);
    return r;
}

static void
tell_undo(void *arg, const char *what)
{
    cutover_tell(arg, "at the source, %s", what);
}

static int
drop_leg(struct cutover *c, const struct cutover_leg *leg, struct err *err)
{
    int r = leg->name[0] ? subscription_drop(c->target, &leg->subscription, err)
                         : 0;

    return r ? r
             : subscription_slot_is_free(c->source, leg->subscription.slot,
                                         err);
}

static int
drop_all(struct cutover *c, struct err *err)
{
    const struct capturing_undo u = {
        .conninfo = c->params->source,
        .force = 1,
        .tell = tell_undo,
        .arg = c,
    };
    int r = reverse_drop(c, err);

    for (unsigned i = 0; i < c->n_legs && !r; i++)
        r = drop_leg(c, &c->legs[i], err);
    return r ? r : capturing_undo(&u, c->catalog, err);
}

static int
release_source(struct cutover *c, struct err *err)
{
    const char *was = c->steps.rows[STEP_READ_ONLY].was;
    cleanup_(freep) char *sql = NULL;

    if (!was[0])
        return 0;
    if (c->params->release_source)
        return still_put_back(c->source, was, err);
    sql = still_put_back_sql(c->source, was);
    if (!sql)
        return err_nomem(err);
    cutover_tell(c,
                 "the old source stays read only, so that nobody writes "
                 "there by mistake; to change that, there: %s",
                 sql);
    return 0;
}

static int
do_finish(struct cutover *c, char what[CUTOVER_WHAT], struct err *err)
{
    int r = drop_all(c, err);

    if (!r)
        r = release_source(c, err);
    snprintf(what, CUTOVER_WHAT, "nothing of the run is left at the source%s",
             c->params->drop_ledger ? "" : ", and in the target its ledger");
    return r;
}

static int
drop_ledger(struct cutover *c, struct err *err)
{
    int r =
        c->params->drop_ledger ? ledger_drop(&c->ledger, c->target, err) : 0;

    return r ? r : cutover_set_state(c, CUTOVER_FINISHED, err);
}

int
cutover_finish(struct cutover *c, struct err *err)
{
    const struct step_row *rows = c->steps.rows;
    int r = 0;

    if (rows[STEP_FINISH].state == STEP_PENDING &&
        rows[STEP_SWITCH].state != STEP_DONE) {
        err_set(err, ERR_REFUSED, "the cut-over has not been made");
        return err_hint(err, "What the run has left on its servers is for "
                             "\"pghaul abort\".");
    }
    if (rows[STEP_BACK_READ_ONLY].state != STEP_PENDING)
        return err_set(err, ERR_REFUSED, "the cut-over is being rolled back");
    for (unsigned i = 0;
         i < c->n_legs && rows[STEP_FINISH].state == STEP_PENDING && !r; i++)
        r = require_no_strays(c, &c->legs[i].subscription, err);
    if (!r)
        r = cutover_step(c, STEP_FINISH, do_finish, err);
    return r ? r : drop_ledger(c, err);
}

/* ---- abort ---- */

static int
put_back_target(struct cutover *c, struct err *err)
{
    const struct step_row *row = &c->steps.rows[STEP_TARGET_READ_ONLY];

    return row->state == STEP_PENDING
               ? 0
               : still_put_back(c->target, row->was, err);
}

int
cutover_abandon(struct cutover *c, struct err *err)
{
    const struct step_row *rows = c->steps.rows;
    int r;

    if (rows[STEP_FINISH].state != STEP_PENDING)
        return 0;
    if (rows[STEP_SWITCH].state != STEP_PENDING ||
        rows[STEP_BACK_READ_ONLY].state != STEP_PENDING) {
        err_set(err, ERR_REFUSED, "the run is cut over");
        return err_hint(err, "\"pghaul cutover --rollback\" goes back to the "
                             "source, \"pghaul cutover --finish\" stays at the "
                             "target.");
    }
    r = put_back_target(c, err);
    if (!r && rows[STEP_LAG].state != STEP_PENDING)
        r = cutover_give_back(c, err);
    if (!r)
        r = steps_forget(&c->steps, N_STEPS, N_STEPS, err);
    return r ? r : cutover_set_state(c, NULL, err);
}
