/* SPDX-License-Identifier: PostgreSQL */
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/manifest.h"
#include "io/dir.h"
#include "io/fd.h"
#include "io/printable.h"
#include "loader/cli/copying.h"
#include "loader/cli/findings_print.h"
#include "loader/cli/handing.h"
#include "loader/handoff/check.h"
#include "loader/handoff/consumer.h"
#include "loader/handoff/contract.h"
#include "loader/handoff/follow.h"
#include "loader/progress/quantity.h"

static const char *const consumers[] = {
    [OPTION_TO_JSON] = "json",
    [OPTION_TO_SUBSCRIPTION] = "subscription",
    [OPTION_TO_DEBEZIUM] = "debezium",
    [OPTION_TO_DMS] = "dms",
    [OPTION_TO_PEERDB] = "peerdb",
    [OPTION_TO_FLINK] = "flink",
    [OPTION_TO_PGCOPYDB] = "pgcopydb",
    [OPTION_TO_PG_RECVLOGICAL] = "pg_recvlogical",
};

/* ---- what was asked for ---- */

static int
is_subscription(const struct options *o)
{
    return o->to == OPTION_TO_SUBSCRIPTION;
}

static int
check_subscription_options(const struct options *o, struct err *err)
{
    int r = 0;

    if (!o->target) {
        err_set(err, ERR_USAGE, "--to subscription needs --target");
        return err_hint(err, "The subscription is made there.");
    }
    for (unsigned i = 0; i < o->subscription_option.n && !r; i++)
        r = subscription_option_check(o->subscription_option.texts[i], 0, err);
    return r;
}

static int
check_words(const struct options *o, struct err *err)
{
    static const option_set of_subscriptions =
        OPTION_SET(subscription) | OPTION_SET(subscription_conninfo) |
        OPTION_SET(subscription_option) | OPTION_SET(store_password);

    if (is_subscription(o))
        return check_subscription_options(o, err);
    if (o->given & of_subscriptions)
        return err_set(err, ERR_USAGE,
                       "options of a subscription are used only with "
                       "\"--to subscription\"");
    if (o->to == OPTION_TO_JSON || o->output || o->check)
        return 0;
    err_set(err, ERR_USAGE, "--to %s needs --output", consumers[o->to]);
    return err_hint(err, "Its files are put into that directory.");
}

/* ---- does it fit? ---- */

static int
look_at_subscription(const struct handing *h, const struct hand *x,
                     int *ret_follows, struct err *err)
{
    struct subscription_look look;
    int r = subscription_look(h->target, &x->subscription, &look, err);

    *ret_follows = !r && (look.state == SUBSCRIPTION_ENABLED ||
                          (look.state != SUBSCRIPTION_FOREIGN &&
                           look.position > x->capture->lsn));
    return r;
}

static int
look_at_epochs(const struct handing *h, struct check_epoch *ret,
               struct err *err)
{
    int subscribes = is_subscription(h->workplace->ctx->options), r = 0;

    for (unsigned i = 0; i < h->n_hands && !r; i++) {
        const struct hand *x = &h->hands[i];

        ret[i] = (struct check_epoch){.capture = x->capture};
        if (!subscribes || !x->subscription.publication)
            continue;
        ret[i].subscription = &x->subscription;
        r = look_at_subscription(h, x, &ret[i].follows, err);
    }
    return r;
}

static int
look(const struct handing *h, struct findings *f, struct err *err)
{
    const struct workplace *w = h->workplace;
    const struct options *o = w->ctx->options;
    cleanup_(freep) struct check_epoch *epochs =
        calloc(h->n_hands, sizeof *epochs);
    const struct check_params p = {
        .dir = w->dir,
        .catalog = w->catalog,
        .facts = &h->facts,
        .epochs = epochs,
        .n_epochs = h->n_hands,
        .source = h->source,
        .target = h->target,
        .ledger_schema = o->ledger_schema,
        .unproven = o->unproven,
        .consumer = consumers[o->to],
        .plugins = consumer_plugins(consumers[o->to]),
        .by_localhost = h->by_localhost,
    };
    int r = epochs ? look_at_epochs(h, epochs, err) : err_nomem(err);

    return r ? r : check_handoff(&p, f, err);
}

static void
print_findings(const struct findings *f, const struct options *o)
{
    json_t *all;

    if (!o->json) {
        findings_print(f, o->quiet);
        return;
    }
    all = json_pack("{s:o}", "findings", findings_json(f));
    json_dumpf(all, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(all);
}

static int
misfit(const struct handing *h, const struct findings *f, struct err *err)
{
    if (f->n_errors == 0)
        return 0;
    *h->workplace->ctx->told = 1;
    return err_set(err, ERR_REFUSED, "%u finding%s in the way of the hand-off",
                   f->n_errors, f->n_errors == 1 ? " is" : "s are");
}

/* ---- the hand-off ---- */

static const struct capture *
newest(const struct handing *h)
{
    return h->hands[h->n_hands - 1].capture;
}

static int
write_contract(const struct handing *h, int fd, struct err *err)
{
    const struct contract c = {
        .dir = h->workplace->dir,
        .catalog = h->workplace->catalog,
        .facts = &h->facts,
        .capture = newest(h),
        .source = h->source,
    };

    return contract_write(&c, fd, err);
}

static int
write_hand(const struct handing *h, const struct hand *x, int fd,
           struct err *err)
{
    const struct options *o = h->workplace->ctx->options;
    const struct consumer c = {
        .name = consumers[o->to],
        .conninfo = o->source,
        .catalog = h->workplace->catalog,
        .facts = &h->facts,
        .capture = x->capture,
    };
    cleanup_(fd_closep) int own = -1;
    char name[32];
    int r;

    /* One of several slots is a consumer of its own. */
    if (h->n_hands == 1)
        return consumer_write(&c, fd, err);
    snprintf(name, sizeof name, "epoch-%u", x->capture->epoch);
    r = dir_open_private(&own, fd, name, 1, err);
    return r ? r : consumer_write(&c, own, err);
}

/* The consumer's own, and the contract beside them. */
static int
write_files(const struct handing *h, struct err *err)
{
    cleanup_(fd_closep) int fd = -1;
    int r = dir_open_private(&fd, AT_FDCWD, h->workplace->ctx->options->output,
                             1, err);

    for (unsigned i = 0; i < h->n_hands && !r; i++)
        r = write_hand(h, &h->hands[i], fd, err);
    return r ? r : write_contract(h, fd, err);
}

static int
subscribe(const struct handing *h, struct follow_result *ret, struct err *err)
{
    const struct workplace *w = h->workplace;
    cleanup_(freep) const struct subscription **all =
        calloc(h->n_hands + 1, sizeof *all);
    const struct follow_params p = {
        .source = h->source,
        .target = h->target,
        .subscriptions = all,
        .catalog = w->catalog,
        .progress = w->progress,
        .stop = w->ctx->stop,
        .wait_s = w->ctx->options->wait,
        .max_lag = w->ctx->options->max_lag,
    };

    if (!all)
        return err_nomem(err);
    for (unsigned i = 0; i < h->n_hands; i++)
        all[i] = &h->hands[i].subscription;
    return follow(&p, ret, err);
}

static json_t *
hand_json(const struct hand *x, int subscribed)
{
    char lsn[CAPTURE_LSN], shown[PRINTABLE_SIZE(1024)];
    json_t *o =
        json_pack("{s:i,s:s,s:s}", "epoch", (int)x->capture->epoch, "slot",
                  x->capture->slot, "lsn", capture_lsn(lsn, x->capture->lsn));

    if (subscribed)
        json_object_set_new(
            o, "subscription",
            json_string(printable(shown, sizeof shown, x->subscription.name)));
    return o;
}

/* The members of the newest epoch stand at the top as well. */
static void
tell_json(const struct handing *h, const struct follow_result *x)
{
    const struct options *o = h->workplace->ctx->options;
    json_t *all = hand_json(&h->hands[h->n_hands - 1], x != NULL);
    json_t *epochs = json_array();

    json_object_set_new(all, "to", json_string(consumers[o->to]));
    json_object_set_new(all, "run", json_string(h->facts.run_id));
    for (unsigned i = 0; i < h->n_hands; i++)
        json_array_append_new(epochs, hand_json(&h->hands[i], x != NULL));
    json_object_set_new(all, "epochs", epochs);
    if (x) {
        json_object_set_new(all, "followed_already",
                            json_boolean(x->was_enabled));
        json_object_set_new(all, "lag", manifest_u64_json(x->lag));
        json_object_set_new(all, "sequences",
                            manifest_u64_json(x->n_sequences));
    }
    json_dumpf(all, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(all);
}

static void
tell_follows(const struct handing *h, const struct follow_result *x)
{
    char lag[QUANTITY_SIZE], shown[PRINTABLE_SIZE(1024)];

    for (unsigned i = 0; i < h->n_hands; i++)
        printf("subscription \"%s\" %s\n",
               printable(shown, sizeof shown, h->hands[i].subscription.name),
               x->was_enabled ? "follows" : "is handed over to");
    printf("%s behind, %" PRIu64 " sequence%s carried over\n",
           quantity_bytes(lag, x->lag), x->n_sequences,
           x->n_sequences == 1 ? "" : "s");
}

static void
tell_text(const struct handing *h, const struct follow_result *x)
{
    const struct options *o = h->workplace->ctx->options;

    if (x)
        tell_follows(h, x);
    else
        printf("all fits: handoff.json is written%s%s\n",
               o->output ? ", and files in " : "", o->output ? o->output : "");
}

static int
hand_over(const struct handing *h, struct err *err)
{
    const struct options *o = h->workplace->ctx->options;
    struct follow_result x;
    int r;

    r = write_contract(h, run_dir_fd(h->workplace->dir), err);
    if (!r && o->output)
        r = write_files(h, err);
    if (!r && is_subscription(o))
        r = subscribe(h, &x, err);
    if (r)
        return r;
    if (o->json)
        tell_json(h, is_subscription(o) ? &x : NULL);
    else if (!o->quiet)
        tell_text(h, is_subscription(o) ? &x : NULL);
    return 0;
}

/* With findings in the way they are the result, whatever was asked for. */
static int
check_then_hand_over(const struct handing *h, struct err *err)
{
    cleanup_(findings_clear) struct findings f = {0};
    const struct options *o = h->workplace->ctx->options;
    int r = look(h, &f, err);

    if (r)
        return r;
    if (o->check || f.n_errors > 0)
        print_findings(&f, o);
    r = misfit(h, &f, err);
    return r || o->check ? r : hand_over(h, err);
}

static int
handoff(struct workplace *w, struct err *err)
{
    struct handing h;
    int r = handing_begin(&h, w, err);

    if (!r)
        r = check_then_hand_over(&h, err);
    handing_end(&h);
    return r;
}

static int
run(const struct command_context *ctx, struct err *err)
{
    int r = check_words(ctx->options, err);

    return r ? r : workplace_do(ctx, RUN_DIR_OPEN, handoff, err);
}

const struct command command_handoff = {
    .name = "handoff",
    .summary = "let change data capture go on where the files end",
    .description =
        "Looks whether all still fits: the slot is where the files end, its "
        "log is kept, the publication is what it was then, each table's "
        "replica identity is of use, the target is loaded and was verified.  "
        "Anything that does not fit is named, with what to do, and nothing is "
        "handed over (status 6).  With --check that is all.\n\n"
        "Then RUN/handoff.json is written anew, and for the consumer that "
        "--to names, files and commands are put into --output.\n\n"
        "--to subscription does it: a subscription is made on the target, "
        "disabled, its origin placed at the slot's position, enabled, and "
        "waited for until no more than --max-lag is missing; sequences are "
        "moved to where they are at the source.  A run of several epochs gets "
        "one subscription each.  The same command again goes "
        "on wherever it was, or says how far behind the target is.\n\n"
        "The target's server connects to the source by itself, with what "
        "--source says, or --subscription-conninfo.  Its password is the "
        "server's to know (a passfile of the user who runs it); "
        "--store-password puts the one that is used here into the "
        "subscription, where superusers of the target can read it.",
    .requires = OPTION_SET(source) | OPTION_SET(dir),
    .takes = OPTION_SET(target) | OPTION_SET(check) | OPTION_SET(to) |
             OPTION_SET(unproven) | OPTION_SET(output) |
             OPTION_SET(subscription) | OPTION_SET(subscription_conninfo) |
             OPTION_SET(subscription_option) | OPTION_SET(store_password) |
             OPTION_SET(wait) | OPTION_SET(max_lag) |
             OPTION_SET(ledger_schema) | COPYING_TALK_OPTIONS,
    .run = run,
};
