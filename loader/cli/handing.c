/* SPDX-License-Identifier: PostgreSQL */
#include "loader/cli/handing.h"

#include <stdlib.h>
#include <string.h>

#include "loader/handoff/contract.h"
#include "loader/pg/conninfo.h"

static int
open_source(struct handing *h, struct err *err)
{
    const struct command_context *ctx = h->workplace->ctx;
    const struct session_params p = {
        .conninfo = ctx->options->source,
        .side = SESSION_SOURCE,
        .purpose = "handoff",
        .stop = ctx->stop,
    };

    return session_open(&h->source, &p, err);
}

/* Names are the source's, in its encoding. */
static int
open_target(struct handing *h, struct err *err)
{
    const struct command_context *ctx = h->workplace->ctx;
    const struct session_params p = {
        .conninfo = ctx->options->target,
        .side = SESSION_TARGET,
        .purpose = "handoff",
        .encoding = h->facts.encoding,
        .stop = ctx->stop,
    };
    int r;

    if (!ctx->options->target)
        return 0;
    r = session_open(&h->target, &p, err);
    return r ? r
             : session_exec(h->target,
                            "SET default_transaction_read_only = off", err);
}

/* A string of one's own was made for the target's server. */
static int
look_for_localhost(struct handing *h, struct err *err)
{
    const struct options *o = h->workplace->ctx->options;
    int source = 0, target = 1, r = 0;

    if (o->subscription_conninfo || !o->target)
        return 0;
    r = conninfo_is_local(&source, o->source, err);
    if (!r)
        r = conninfo_is_local(&target, o->target, err);
    h->by_localhost = source && !target;
    return r;
}

static int
choose_subscription(struct handing *h, struct err *err)
{
    const struct options *o = h->workplace->ctx->options;
    const struct capture *m = &h->capture;
    int r;

    r = conninfo_for_server(&h->conninfo,
                            o->subscription_conninfo ? o->subscription_conninfo
                                                     : o->source,
                            o->store_password, err);
    if (!r)
        r = look_for_localhost(h, err);
    h->subscription = (struct subscription){
        .name = o->subscription ? o->subscription : m->slot,
        .run_id = m->run_id,
        .conninfo = h->conninfo,
        .publication = m->publication,
        .slot = m->slot,
        .lsn = m->lsn,
        .options = o->subscription_option.texts,
        .n_options = o->subscription_option.n,
    };
    return r;
}

/* One subscription an epoch would be needed, each with its own tables and its
   own point at which it has caught up with the others. */
static int
require_one_epoch(const struct handing *h, struct err *err)
{
    struct capture first = {0};
    int r = capture_next(h->workplace->catalog, 0, &first, err);
    int is_one = !r && first.epoch == h->capture.epoch;

    capture_clear(&first);
    if (r || is_one)
        return r;
    err_set(err, ERR_REFUSED, "this run has more than one epoch");
    return err_hint(err, "Make a consumer for each: handoff.json has the slot, "
                         "the publication and the position of each.");
}

static int
require_slot(const struct handing *h, struct err *err)
{
    if (h->capture.state == CAPTURE_MADE)
        return require_one_epoch(h, err);
    err_set(err, ERR_REFUSED, "this run has no replication slot");
    return err_hint(err, "Only a run that was exported with --cdc can be "
                         "handed over.");
}

int
handing_begin(struct handing *h, struct workplace *w, struct err *err)
{
    int r;

    *h = (struct handing){.workplace = w};
    r = facts_read(&h->facts, w->catalog, err);
    if (!r)
        r = facts_require_staged(&h->facts, err);
    if (!r)
        r = capture_read(&h->capture, w->catalog, err);
    if (!r)
        r = require_slot(h, err);
    if (!r)
        r = choose_subscription(h, err);
    if (!r)
        r = open_source(h, err);
    return r ? r : open_target(h, err);
}

void
handing_end(struct handing *h)
{
    session_free(h->source);
    session_free(h->target);
    if (h->conninfo)
        explicit_bzero(h->conninfo, strlen(h->conninfo));
    free(h->conninfo);
    capture_clear(&h->capture);
    facts_clear(&h->facts);
}

/* ---- the contract ---- */

/* That the source cannot be asked now is no failure of an export that is
   complete: what is not known is not said. */
static void
ask_source(struct handing *h, struct source_now *now)
{
    struct err err;

    if (open_source(h, &err) == 0 &&
        source_now_ask(now, h->source, &h->capture, &err) == 0)
        return;
    h->source = session_free(h->source);
    progress_note(h->workplace->progress,
                  "handoff.json says nothing of the source as it is now: %s",
                  err.message);
}

static int
write_contract(struct handing *h, struct err *err)
{
    struct source_now now = {0};
    struct contract c = {
        .dir = h->workplace->dir,
        .catalog = h->workplace->catalog,
        .facts = &h->facts,
        .capture = &h->capture,
        .now = &now,
    };

    ask_source(h, &now);
    c.source = h->source;
    return contract_write(&c, run_dir_fd(h->workplace->dir), err);
}

int
handing_forget(struct workplace *w, struct err *err)
{
    struct capture m = {0};
    struct facts f = {0};
    int stays, r = facts_read(&f, w->catalog, err);

    if (!r)
        r = capture_read(&m, w->catalog, err);
    stays = f.state == FACTS_STAGED && m.state == CAPTURE_MADE;
    capture_clear(&m);
    facts_clear(&f);
    return r || stays ? r : contract_remove(w->dir, err);
}

int
handing_write(struct workplace *w, struct err *err)
{
    struct handing h = {.workplace = w};
    int r = facts_read(&h.facts, w->catalog, err);

    if (!r)
        r = capture_read(&h.capture, w->catalog, err);
    if (!r && h.facts.state == FACTS_STAGED && h.capture.state == CAPTURE_MADE)
        r = write_contract(&h, err);
    handing_end(&h);
    return r;
}
