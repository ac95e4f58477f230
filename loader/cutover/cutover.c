/* SPDX-License-Identifier: PostgreSQL */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/clock.h"
#include "loader/cutover/counts.h"
#include "loader/cutover/cutover_private.h"
#include "loader/cutover/drain.h"
#include "loader/cutover/hook.h"
#include "loader/handoff/carry.h"
#include "loader/progress/quantity.h"

#define STATE_KEY "cutover.state"

/* ---- opening ---- */

static int
open_sessions(struct cutover *c, struct err *err)
{
    /* Not ended by a stop: what was begun must be given back even then.  All
       waits are ours, and look at it. */
    struct session_params p = {
        .conninfo = c->params->source,
        .side = SESSION_SOURCE,
        .purpose = "cutover",
        .encoding = c->params->facts->encoding,
    };
    int r = session_open(&c->source, &p, err);

    p.conninfo = c->params->target;
    p.side = SESSION_TARGET;
    if (!r)
        r = session_open(&c->target, &p, err);
    return r ? r : cutover_let_write(c, err);
}

int
cutover_let_write(struct cutover *c, struct err *err)
{
    int r = still_let_write(c->source, err);

    return r ? r : still_let_write(c->target, err);
}

/* ---- the epochs ---- */

static int
refuse_slotless(struct err *err)
{
    err_set(err, ERR_REFUSED, "this run has no replication slot of pgoutput");
    return err_hint(err, "A cut-over goes from a target that follows its "
                         "source: \"pghaul export --cdc\", \"pghaul load\", "
                         "\"pghaul handoff --to subscription\".");
}

static int
read_legs(struct cutover *c, struct err *err)
{
    int r = captures_read(&c->captures, c->catalog, err);

    if (r)
        return r;
    /* A finish that was killed late, or is repeated. */
    if (c->captures.n == 0)
        return c->steps.rows[STEP_FINISH].state != STEP_PENDING
                   ? 0
                   : refuse_slotless(err);
    c->legs = calloc(c->captures.n, sizeof *c->legs);
    if (!c->legs)
        return err_nomem(err);
    for (; c->n_legs < c->captures.n; c->n_legs++) {
        const struct capture *m = &c->captures.list[c->n_legs];

        if (m->state != CAPTURE_MADE || !m->publication)
            return refuse_slotless(err);
        c->legs[c->n_legs].capture = m;
    }
    return 0;
}

/* Whoever made the subscription, it is the one with our slot. */
static int
find_subscription(struct cutover *c, struct cutover_leg *leg, struct err *err)
{
    const char *const values[] = {leg->capture->slot};
    cleanup_(session_clearp) PGresult *res = NULL;
    int r = session_query_params(
        c->target,
        "SELECT subname FROM pg_catalog.pg_subscription"
        " WHERE subslotname = $1 AND subdbid = (SELECT oid FROM"
        "  pg_catalog.pg_database WHERE datname ="
        "   pg_catalog.current_database())",
        1, values, &res, err);

    if (!r && PQntuples(res) > 0)
        snprintf(leg->name, sizeof leg->name, "%s", PQgetvalue(res, 0, 0));
    leg->subscription = (struct subscription){
        .name = leg->name,
        .run_id = c->params->facts->run_id,
        .publication = leg->capture->publication,
        .slot = leg->capture->slot,
    };
    return r;
}

static int
find_subscriptions(struct cutover *c, struct err *err)
{
    int r = 0;

    for (unsigned i = 0; i < c->n_legs && !r; i++)
        r = find_subscription(c, &c->legs[i], err);
    return r;
}

char *
cutover_publications(const struct cutover *c)
{
    char *text = NULL;
    size_t len;
    FILE *f = open_memstream(&text, &len);

    if (!f)
        return NULL;
    for (unsigned i = 0; i < c->n_legs; i++) {
        fputs(i ? ",\"" : "{\"", f);
        for (const char *s = c->legs[i].capture->publication; *s; s++)
            fprintf(f, *s == '"' || *s == '\\' ? "\\%c" : "%c", *s);
        fputc('"', f);
    }
    fputs(c->n_legs ? "}" : "{}", f);
    if (fclose(f) == 0)
        return text;
    free(text);
    return NULL;
}

/* ---- the servers ---- */

static int
require_same_source(struct cutover *c, struct err *err)
{
    const struct facts *f = c->params->facts;
    const char *const values[] = {f->system_id, f->database};
    cleanup_(session_clearp) PGresult *res = NULL;
    int r = session_query_params(c->source,
                                 "SELECT system_identifier::text = $1"
                                 " AND pg_catalog.current_database() = $2"
                                 " FROM pg_catalog.pg_control_system()",
                                 2, values, &res, err);

    if (r || PQgetvalue(res, 0, 0)[0] == 't')
        return r;
    return err_set(err, ERR_REFUSED, "this is not the source of run %s",
                   f->run_id);
}

static int
find_ledger(struct cutover *c, struct err *err)
{
    int r;

    c->ledger = (struct ledger){.schema = c->params->ledger_schema,
                                .run = c->params->facts->run_id};
    r = ledger_find(&c->ledger, c->target, err);
    if (r != LEDGER_E_NONE)
        return r;
    err_set(err, ERR_REFUSED, "run %s was not loaded into this target",
            c->ledger.run);
    return err_hint(err, "Give the target, and the --ledger-schema, of the "
                         "load.");
}

static void
describe(struct cutover *c)
{
    const char *run = c->params->facts->run_id;

    snprintf(c->reverse_name, sizeof c->reverse_name, "pghaul_%.8s_back", run);
    c->reverse_option = "origin=none";
    c->reverse = (struct subscription){
        .name = c->reverse_name,
        .run_id = run,
        .conninfo = c->params->reverse ? c->params->reverse : c->params->target,
        .publication = c->reverse_name,
        .slot = c->reverse_name,
        .options = &c->reverse_option,
        .n_options = session_server_version(c->source) >= 160000,
    };
}

int
cutover_open(struct cutover **ret, const struct cutover_params *p,
             struct catalog *catalog, struct err *err)
{
    cleanup_(cutover_freep) struct cutover *c = calloc(1, sizeof *c);
    int r;

    if (!c)
        return err_nomem(err);
    c->params = p;
    c->catalog = catalog;
    r = open_sessions(c, err);
    if (!r)
        r = require_same_source(c, err);
    if (!r)
        r = find_ledger(c, err);
    if (!r)
        r = steps_open(&c->steps, c->target, c->ledger.schema, c->ledger.run, 0,
                       err);
    if (!r)
        r = read_legs(c, err);
    if (!r)
        r = find_subscriptions(c, err);
    if (r)
        return r;
    describe(c);
    *ret = take(c);
    return 0;
}

struct cutover *
cutover_free(struct cutover *c)
{
    if (!c)
        return NULL;
    steps_clear(&c->steps);
    session_free(c->source);
    session_free(c->target);
    free(c->legs);
    captures_clear(&c->captures);
    free(c);
    return NULL;
}

uint64_t
cutover_read_only_ms(const struct cutover *c)
{
    return c->read_only_ms;
}

const struct step_row *
cutover_rows(const struct cutover *c)
{
    return c->steps.rows;
}

int
cutover_is_begun(const struct cutover *c)
{
    for (unsigned i = 0; i < N_STEPS; i++)
        if (c->steps.rows[i].state != STEP_PENDING)
            return 1;
    return 0;
}

int
cutover_state(struct catalog *c, char **ret, struct err *err)
{
    return catalog_get(c, STATE_KEY, ret, err);
}

int
cutover_set_state(struct cutover *c, const char *state, struct err *err)
{
    return catalog_set(c->catalog, STATE_KEY, state, err);
}

/* ---- steps ---- */

void
cutover_tell(struct cutover *c, const char *fmt, ...)
{
    char text[1024];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    c->params->calls.tell(c->params->calls.arg, text);
}

static int
say_where(struct cutover *c, enum step step, struct err *err)
{
    char state[64];

    snprintf(state, sizeof state, "under way: %s", step_name(step));
    return cutover_set_state(c, state, err);
}

static int
do_step(struct cutover *c, enum step step, cutover_do *run,
        char what[CUTOVER_WHAT], struct err *err)
{
    uint64_t begun = clock_ms();
    int r = step_begin(&c->steps, step, err);

    if (!r)
        r = say_where(c, step, err);
    if (!r)
        r = run(c, what, err);
    return r ? r : step_done(&c->steps, step, clock_ms() - begun, err);
}

int
cutover_step(struct cutover *c, enum step step, cutover_do *run,
             struct err *err)
{
    const struct cutover_calls *calls = &c->params->calls;
    char what[CUTOVER_WHAT] = "";
    int r;

    calls->begun(calls->arg, step_name(step));
    r = do_step(c, step, run, what, err);
    calls->ended(calls->arg, step_name(step), c->steps.rows[step].ms, what,
                 r ? err : NULL);
    return r;
}

int
cutover_step_once(struct cutover *c, enum step step, cutover_do *run,
                  struct err *err)
{
    return c->steps.rows[step].state == STEP_DONE
               ? 0
               : cutover_step(c, step, run, err);
}

/* ---- what both directions do ---- */

static void
tell_wait(void *arg, const char *what)
{
    cutover_tell(arg, "%s", what);
}

/* How the setting was is noted before it is changed, and only once: later it
   is ours that would be noted. */
static int
make_read_only(struct cutover *c, struct session *s, enum step step,
               struct err *err)
{
    struct step_row *row = &c->steps.rows[step];
    char now[STILL_VALUE], since[STILL_VALUE];
    int r = still_look(s, now, err);

    if (!r && !row->was[0])
        r = step_note_was(&c->steps, step, now, err);
    if (r || (row->since[0] && strcmp(now, "on") == 0))
        return r;
    if (row->since[0]) /* it was put back meanwhile */
        r = step_restart(&c->steps, step, err);
    if (!r)
        r = still_set(s, since, err);
    return r ? r : step_note_since(&c->steps, step, since, err);
}

int
cutover_still(struct cutover *c, struct session *s, enum step step,
              char what[CUTOVER_WHAT], struct err *err)
{
    const struct still_params p = {
        .writers = c->params->writers,
        .timeout_ms =
            c->params->writers_timeout_ms < c->params->max_read_only_ms
                ? c->params->writers_timeout_ms
                : c->params->max_read_only_ms,
        .stop = c->params->stop,
        .tell = tell_wait,
        .arg = c,
    };
    int r = make_read_only(c, s, step, err);

    if (!r)
        r = still_wait(s, &p, c->steps.rows[step].since, err);
    snprintf(what, CUTOVER_WHAT, "nobody can write to \"%s\" any more",
             PQdb(session_conn(s)));
    return r;
}

static int
refuse_late(uint64_t lag, const struct subscription *x, struct err *err)
{
    char missing[QUANTITY_SIZE];

    err_set(err, ERR_REFUSED, "subscription \"%s\" does not catch up in time",
            x->name);
    err_detail(err, "%s of log are not confirmed.",
               lag == UINT64_MAX ? "Some" : quantity_bytes(missing, lag));
    return err_hint(err, "If its worker is not at work, the log of the server "
                         "that it is on says why.");
}

int
cutover_drain(struct cutover *c, const struct cutover_drain *d,
              char what[CUTOVER_WHAT], struct err *err)
{
    char at[CAPTURE_LSN];
    uint64_t lsn, lag;
    int r = drain_mark(d->publisher, &lsn, err);

    if (!r) {
        const struct subscription_wait wait = {
            .subscriber = d->subscriber,
            .publisher = d->publisher,
            .lsn = lsn,
            .seconds = (unsigned)((d->timeout_ms + 999) / 1000),
            .stop = c->params->stop,
        };

        r = subscription_wait(&wait, d->subscription, &lag, err);
    }
    if (r == SUBSCRIPTION_E_LATE)
        r = refuse_late(lag, d->subscription, err);
    if (!r)
        r = cutover_let_write(c, err);
    snprintf(what, CUTOVER_WHAT, "all up to %s is there", capture_lsn(at, lsn));
    return r;
}

/* Its worker notices that when something comes, or a second later: so a mark
   comes. */
int
cutover_disable(const struct cutover_end *e, struct err *err)
{
    cleanup_(session_freememp) char *name =
        session_ident(e->subscriber, e->subscription->name);
    struct subscription_look look;
    uint64_t mark;
    int r = subscription_look(e->subscriber, e->subscription, &look, err);

    if (!r && look.state == SUBSCRIPTION_ENABLED)
        r = session_execf(e->subscriber, err, "ALTER SUBSCRIPTION %s DISABLE",
                          name);
    if (!r && look.state == SUBSCRIPTION_ENABLED)
        r = drain_mark(e->publisher, &mark, err);
    if (!r)
        r = subscription_disable(e->subscriber, e->subscription, err);
    return r ? r
             : subscription_slot_is_free(e->publisher, e->subscription->slot,
                                         err);
}

int
cutover_carry(struct cutover *c, enum cutover_direction to,
              char what[CUTOVER_WHAT], struct err *err)
{
    const struct carry x = {
        .from = to == CUTOVER_TO_TARGET ? c->source : c->target,
        .to = to == CUTOVER_TO_TARGET ? c->target : c->source,
        .margin = c->params->sequence_margin,
    };
    struct carried n;
    int r = carry_sequences(&x, c->catalog, &n, err);

    if (r)
        return r;
    snprintf(what, CUTOVER_WHAT, "%" PRIu64 " set", n.n);
    if (n.n_missing > 0)
        cutover_tell(c,
                     "%" PRIu64 " sequence%s of the run %s not on both sides "
                     "any more",
                     n.n_missing, n.n_missing == 1 ? "" : "s",
                     n.n_missing == 1 ? "is" : "are");
    return 0;
}

static int
compare_counts(struct cutover *c, char what[CUTOVER_WHAT], struct err *err)
{
    cleanup_(freep) char *publications = cutover_publications(c);
    const struct counts x = {.source = c->source,
                             .target = c->target,
                             .publications = publications,
                             .stop = c->params->stop};
    uint64_t n;
    int r = publications ? counts_compare(&x, &n, err) : err_nomem(err);

    if (!r)
        snprintf(what, CUTOVER_WHAT,
                 "as many rows in each of %" PRIu64 " tables", n);
    return r;
}

int
cutover_compare(struct cutover *c, enum cutover_direction to,
                char what[CUTOVER_WHAT], struct err *err)
{
    const struct cutover_calls *calls = &c->params->calls;

    switch (c->params->verify) {
    case CUTOVER_COUNTS:
        return compare_counts(c, what, err);
    case CUTOVER_ROWS:
        snprintf(what, CUTOVER_WHAT, "every row is the same on both sides");
        return calls->verify(calls->arg, to, err);
    default:
        snprintf(what, CUTOVER_WHAT, "not asked for");
        return 0;
    }
}

int
cutover_switch(struct cutover *c, enum cutover_direction to,
               char what[CUTOVER_WHAT], struct err *err)
{
    const struct cutover_params *p = c->params;
    const struct hook hook = {
        .command = p->hook,
        .traffic = to == CUTOVER_TO_TARGET ? "target" : "source",
        .run = c->ledger.run,
        .source = p->source,
        .target = p->target,
    };

    snprintf(what, CUTOVER_WHAT, p->hook ? "the hook says so" : "as confirmed");
    return p->hook ? hook_run(&hook, err)
                   : p->calls.confirm(p->calls.arg, to, err);
}

int
cutover_refuse_strays(struct cutover *c, struct session *s,
                      const struct subscription *x, struct err *err)
{
    char at[CAPTURE_LSN];
    uint64_t n, first;
    int r = drain_strays(s, x->slot, x->publication, &n, &first, err);

    (void)c;
    if (r || n == 0)
        return r;
    err_set(err, ERR_REFUSED,
            "%" PRIu64 " transaction%s wrote to database \"%s\" after it was "
            "read only",
            n, n == 1 ? "" : "s", PQdb(session_conn(s)));
    err_detail(err, "The first one is at %s of the log.",
               capture_lsn(at, first));
    return err_hint(err, "Some client asks for transactions that may write "
                         "(SET default_transaction_read_only, BEGIN READ "
                         "WRITE): stop it.");
}
