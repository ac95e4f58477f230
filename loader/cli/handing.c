/* SPDX-License-Identifier: PostgreSQL */
#include "loader/cli/handing.h"

#include <stdio.h>
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
choose_conninfo(struct handing *h, struct err *err)
{
    const struct options *o = h->workplace->ctx->options;
    int r;

    r = conninfo_for_server(&h->conninfo,
                            o->subscription_conninfo ? o->subscription_conninfo
                                                     : o->source,
                            o->store_password, err);
    return r ? r : look_for_localhost(h, err);
}

/* The slot's, which is another one in each epoch; or as asked for, with the
   epoch's number from the second on. */
static int
choose_name(struct hand *x, const char *asked, struct err *err)
{
    int n = asked && x->capture->epoch > 1
                ? asprintf(&x->name, "%s_%u", asked, x->capture->epoch)
                : asprintf(&x->name, "%s", asked ? asked : x->capture->slot);

    if (n < 0)
        x->name = NULL;
    return n < 0 ? err_nomem(err) : 0;
}

static int
choose_subscription(struct handing *h, struct hand *x, struct err *err)
{
    const struct options *o = h->workplace->ctx->options;
    const struct capture *m = x->capture;
    int r = choose_name(x, o->subscription, err);

    x->subscription = (struct subscription){
        .name = x->name,
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

/* ---- the epochs ---- */

static int
refuse_slotless(struct err *err)
{
    err_set(err, ERR_REFUSED, "this run has no replication slot");
    return err_hint(err, "Only a run that was exported with --cdc can be "
                         "handed over.");
}

static int
read_hands(struct handing *h, struct err *err)
{
    int r = captures_read(&h->captures, h->workplace->catalog, err);

    if (!r && h->captures.n == 0)
        return refuse_slotless(err);
    if (r)
        return r;
    h->hands = calloc(h->captures.n, sizeof *h->hands);
    if (!h->hands)
        return err_nomem(err);
    for (; h->n_hands < h->captures.n; h->n_hands++) {
        const struct capture *m = &h->captures.list[h->n_hands];

        if (m->state != CAPTURE_MADE)
            return refuse_slotless(err);
        h->hands[h->n_hands].capture = m;
    }
    return 0;
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
        r = read_hands(h, err);
    if (!r)
        r = choose_conninfo(h, err);
    for (unsigned i = 0; i < h->n_hands && !r; i++)
        r = choose_subscription(h, &h->hands[i], err);
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
    for (unsigned i = 0; i < h->n_hands; i++)
        free(h->hands[i].name);
    free(h->hands);
    captures_clear(&h->captures);
    facts_clear(&h->facts);
}

/* ---- the contract ---- */

/* That the source cannot be asked now is no failure of an export that is
   complete: what is not known is not said. */
static int
write_contract(struct handing *h, const struct capture *newest, struct err *err)
{
    struct contract c = {
        .dir = h->workplace->dir,
        .catalog = h->workplace->catalog,
        .facts = &h->facts,
        .capture = newest,
    };
    struct err why;

    if (open_source(h, &why) == 0) {
        c.source = h->source;
        if (contract_write(&c, run_dir_fd(c.dir), &why) == 0)
            return 0;
        c.source = NULL;
    }
    progress_note(h->workplace->progress,
                  "handoff.json says nothing of the source as it is now: %s",
                  why.message);
    return contract_write(&c, run_dir_fd(c.dir), err);
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
    struct capture m = {0};
    int r = facts_read(&h.facts, w->catalog, err);

    if (!r)
        r = capture_read(&m, w->catalog, err);
    if (!r && h.facts.state == FACTS_STAGED && m.state == CAPTURE_MADE)
        r = write_contract(&h, &m, err);
    capture_clear(&m);
    handing_end(&h);
    return r;
}
