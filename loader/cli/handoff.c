/* SPDX-License-Identifier: PostgreSQL */
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
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
look_at_subscription(const struct handing *h, int *ret_follows, struct err *err)
{
    struct subscription_look look;
    int r;

    *ret_follows = 0;
    if (!is_subscription(h->workplace->ctx->options) ||
        !h->subscription.publication)
        return 0;
    r = subscription_look(h->target, &h->subscription, &look, err);
    if (!r)
        *ret_follows = look.state == SUBSCRIPTION_ENABLED ||
                       (look.state != SUBSCRIPTION_FOREIGN &&
                        look.position > h->capture.lsn);
    return r;
}

static int
look(const struct handing *h, int follows, struct source_now *now,
     struct findings *f, struct err *err)
{
    const struct workplace *w = h->workplace;
    const struct options *o = w->ctx->options;
    const struct check_params p = {
        .dir = w->dir,
        .catalog = w->catalog,
        .facts = &h->facts,
        .capture = &h->capture,
        .source = h->source,
        .target = h->target,
        .ledger_schema = o->ledger_schema,
        .unproven = o->unproven,
        .consumer = consumers[o->to],
        .plugins = consumer_plugins(consumers[o->to]),
        .subscription = is_subscription(o) && h->subscription.publication
                            ? &h->subscription
                            : NULL,
        .follows = follows,
        .by_localhost = h->by_localhost,
    };

    return check_handoff(&p, now, f, err);
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

static int
write_contract(const struct handing *h, const struct source_now *now, int fd,
               struct err *err)
{
    const struct contract c = {
        .dir = h->workplace->dir,
        .catalog = h->workplace->catalog,
        .facts = &h->facts,
        .capture = &h->capture,
        .now = now,
        .source = h->source,
    };

    return contract_write(&c, fd, err);
}

/* The consumer's own, and the contract beside them. */
static int
write_files(const struct handing *h, const struct source_now *now,
            struct err *err)
{
    const struct options *o = h->workplace->ctx->options;
    const struct consumer c = {
        .name = consumers[o->to],
        .conninfo = o->source,
        .catalog = h->workplace->catalog,
        .facts = &h->facts,
        .capture = &h->capture,
    };
    cleanup_(fd_closep) int fd = -1;
    int r = dir_open_private(&fd, AT_FDCWD, o->output, 1, err);

    if (!r)
        r = consumer_write(&c, fd, err);
    return r ? r : write_contract(h, now, fd, err);
}

static int
subscribe(const struct handing *h, struct follow_result *ret, struct err *err)
{
    const struct workplace *w = h->workplace;
    const struct follow_params p = {
        .source = h->source,
        .target = h->target,
        .subscription = &h->subscription,
        .catalog = w->catalog,
        .progress = w->progress,
        .stop = w->ctx->stop,
        .wait_s = w->ctx->options->wait,
        .max_lag = w->ctx->options->max_lag,
    };

    return follow(&p, ret, err);
}

static void
tell_json(const struct handing *h, const struct follow_result *x)
{
    const struct options *o = h->workplace->ctx->options;
    char lsn[CAPTURE_LSN], shown[PRINTABLE_SIZE(1024)];
    json_t *all = json_pack("{s:s,s:s,s:s,s:s}", "to", consumers[o->to], "run",
                            h->facts.run_id, "slot", h->capture.slot, "lsn",
                            capture_lsn(lsn, h->capture.lsn));

    if (x) {
        json_object_set_new(
            all, "subscription",
            json_string(printable(shown, sizeof shown, h->subscription.name)));
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
tell_text(const struct handing *h, const struct follow_result *x)
{
    const struct options *o = h->workplace->ctx->options;
    char lag[QUANTITY_SIZE], shown[PRINTABLE_SIZE(1024)];

    if (x)
        printf("subscription \"%s\" %s: %s behind, %" PRIu64
               " sequence%s carried over\n",
               printable(shown, sizeof shown, h->subscription.name),
               x->was_enabled ? "follows" : "is handed over to",
               quantity_bytes(lag, x->lag), x->n_sequences,
               x->n_sequences == 1 ? "" : "s");
    else
        printf("all fits: handoff.json is written%s%s\n",
               o->output ? ", and files in " : "", o->output ? o->output : "");
}

static int
hand_over(const struct handing *h, const struct source_now *now,
          struct err *err)
{
    const struct options *o = h->workplace->ctx->options;
    struct follow_result x;
    int r;

    r = write_contract(h, now, run_dir_fd(h->workplace->dir), err);
    if (!r && o->output)
        r = write_files(h, now, err);
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
    struct source_now now = {0};
    int follows, r;

    r = look_at_subscription(h, &follows, err);
    if (!r)
        r = look(h, follows, &now, &f, err);
    if (r)
        return r;
    if (o->check || f.n_errors > 0)
        print_findings(&f, o);
    r = misfit(h, &f, err);
    return r || o->check ? r : hand_over(h, &now, err);
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
        "moved to where they are at the source.  The same command again goes "
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
