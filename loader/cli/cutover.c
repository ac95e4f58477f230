/* SPDX-License-Identifier: PostgreSQL */
#include "loader/cutover/cutover.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "formats/manifest.h"
#include "io/printable.h"
#include "loader/cli/confirm.h"
#include "loader/cli/copying.h"
#include "loader/cli/cutover_plan.h"
#include "loader/cli/cutover_verify.h"
#include "loader/cli/findings_print.h"
#include "loader/cutover/survey.h"
#include "loader/pg/conninfo.h"

static const enum still_writers writers[] = {
    [OPTION_WRITERS_WAIT] = STILL_WAIT,
    [OPTION_WRITERS_TERMINATE] = STILL_TERMINATE,
    [OPTION_WRITERS_REFUSE] = STILL_REFUSE,
};

static const enum cutover_verify layers[] = {
    [OPTION_VERIFY_COUNTS] = CUTOVER_COUNTS,
    [OPTION_VERIFY_ROWS] = CUTOVER_ROWS,
    [OPTION_VERIFY_NONE] = CUTOVER_NOTHING,
};

struct work {
    struct workplace *workplace;
    const struct options *options;
    struct facts facts;
    struct cutover *cutover;
};

/* ---- what the steps ask for, and say ---- */

static void
tell(void *arg, const char *what)
{
    const struct work *w = arg;

    progress_note(w->workplace->progress, "%s", what);
}

static void
step_begun(void *arg, const char *step)
{
    const struct work *w = arg;

    events_phase_begin(w->workplace->events, step);
}

static void
step_ended(void *arg, const char *step, uint64_t ms, const char *what,
           const struct err *why)
{
    const struct work *w = arg;
    char shown[PRINTABLE_SIZE(1024)];

    events_phase_end(w->workplace->events, why);
    if (why || w->options->json || w->options->quiet)
        return;
    printf("  %-16s%6.2f s  %s\n", step, (double)ms / 1000,
           printable(shown, sizeof shown, what));
    fflush(stdout);
}

/* Before the source is read only it has been seen to that somebody can
   answer. */
static int
ask_switch(void *arg, enum cutover_direction to, struct err *err)
{
    const struct work *w = arg;

    fprintf(stderr,
            "Now let the clients go to the %s; nobody writes to the other any "
            "more.\n",
            to == CUTOVER_TO_TARGET ? "target" : "source");
    return w->options->yes ? 0 : confirm("Do they?", err);
}

static int
compare(void *arg, enum cutover_direction to, struct err *err)
{
    const struct work *w = arg;

    return cutover_verify(w->workplace, &w->facts, to, err);
}

static struct cutover_params
params(struct work *w)
{
    const struct options *o = w->options;

    return (struct cutover_params){
        .source = o->source,
        .target = o->target,
        .reverse = o->reverse_conninfo,
        .ledger_schema = o->ledger_schema,
        .facts = &w->facts,
        .no_reverse = o->no_reverse,
        .max_lag = o->max_lag,
        .lag_timeout_ms = o->lag_timeout,
        .max_read_only_ms = o->max_read_only,
        .writers = writers[o->writers],
        .writers_timeout_ms = o->writers_timeout,
        .sequence_margin = o->sequence_margin,
        .verify = layers[o->verify],
        .hook = o->hook,
        .release_source = o->release_source,
        .drop_ledger = o->drop_ledger,
        .stop = w->workplace->ctx->stop,
        .calls = {.verify = compare,
                  .confirm = ask_switch,
                  .begun = step_begun,
                  .ended = step_ended,
                  .tell = tell,
                  .arg = w},
    };
}

/* ---- the plan ---- */

static void
show_plan(const struct work *w, const struct findings *f,
          const struct survey_estimate *e)
{
    const struct options *o = w->options;
    json_t *all;

    if (o->json && o->dry_run) {
        all = json_pack("{s:s,s:o,s:o}", "did", "plan", "findings",
                        findings_json(f), "plan", cutover_plan_json(e));
        json_dumpf(all, stdout, JSON_INDENT(2));
        putchar('\n');
        json_decref(all);
    } else if (!o->json) {
        findings_print(f, o->quiet || !o->dry_run);
        if (!o->quiet)
            cutover_plan_print(o, e);
    }
}

static int
plan(const struct work *w, struct err *err)
{
    cleanup_(findings_clear) struct findings f = {0};
    struct survey_estimate e;
    int r = survey(w->cutover, &f, &e, err);

    if (r)
        return r;
    show_plan(w, &f, &e);
    if (f.n_errors == 0)
        return 0;
    err_set(err, ERR_REFUSED, "%u finding%s in the way of a cut-over",
            f.n_errors, f.n_errors == 1 ? " is" : "s are");
    for (unsigned i = 0; i < f.n; i++)
        if (f.list[i].level == FINDING_ERROR) {
            err_detail(err, "%s: %s", f.list[i].name, f.list[i].seen);
            return err_hint(err, "%s", f.list[i].advice);
        }
    return -1;
}

/* ---- the account ---- */

static void
print_json(const struct work *w, const char *state)
{
    const struct step_row *rows = cutover_rows(w->cutover);
    json_t *steps = json_array(), *all;

    for (unsigned i = 0; i < N_STEPS; i++)
        if (rows[i].state != STEP_PENDING)
            json_array_append_new(
                steps,
                json_pack("{s:s,s:s,s:o}", "step", step_name((enum step)i),
                          "state",
                          rows[i].state == STEP_DONE ? "done" : "begun",
                          "milliseconds", manifest_u64_json(rows[i].ms)));
    all = json_pack("{s:s,s:s,s:s,s:o,s:o}", "did", "cutover", "run",
                    w->facts.run_id, "state", state, "read_only_ms",
                    manifest_u64_json(cutover_read_only_ms(w->cutover)),
                    "steps", steps);
    json_dumpf(all, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(all);
}

static void
account(const struct work *w, const char *state, const char *then)
{
    uint64_t ms = cutover_read_only_ms(w->cutover);

    if (w->options->json) {
        print_json(w, state);
        return;
    }
    if (w->options->quiet)
        return;
    printf("%s", state);
    if (ms)
        printf(": nobody could write for %.2f s", (double)ms / 1000);
    printf("\n%s", then);
}

/* ---- the three ---- */

static int
require_answers(const struct work *w, struct err *err)
{
    if (w->options->yes || isatty(STDIN_FILENO))
        return 0;
    err_set(err, ERR_REFUSED, "this needs a yes, and nobody can be asked");
    return err_hint(err, "Give --yes, and with --hook the command that moves "
                         "the traffic.");
}

static int
begin(const struct work *w, struct err *err)
{
    int r = plan(w, err);

    if (!r)
        r = require_answers(w, err);
    if (!r && !w->options->yes)
        r = confirm("Go on?", err);
    return r;
}

static int
go_forward(struct work *w, struct err *err)
{
    const struct step_row *rows = cutover_rows(w->cutover);
    int r = 0;

    if (w->options->dry_run)
        return plan(w, err);
    if (rows[STEP_TURN].state != STEP_DONE)
        r = begin(w, err);
    if (!r)
        r = cutover_forward(w->cutover, err);
    if (r < 0)
        return r;
    account(w, "switched",
            w->options->no_reverse
                ? "\"pghaul cutover --finish\" takes away what is left of the "
                  "run\n"
                : "the source follows the target until \"pghaul cutover "
                  "--finish\"; --rollback goes back\n");
    return 0;
}

static int
go_back(struct work *w, struct err *err)
{
    int r = require_answers(w, err);

    if (!r)
        r = cutover_back(w->cutover, err);
    if (r < 0)
        return r;
    account(w, r ? "nothing to go back from" : "rolled back",
            r ? "" : "the target follows the source\n");
    return 0;
}

static int
go_home(struct work *w, struct err *err)
{
    int r = 0;

    if (!w->options->yes)
        r = confirm("After this there is no way back to the source.  Go on?",
                    err);
    if (!r)
        r = cutover_finish(w->cutover, err);
    if (!r)
        account(w, "finished", "");
    return r;
}

static int
has_finished(const struct work *w, int *ret, struct err *err)
{
    cleanup_(freep) char *state = NULL;
    int r = cutover_state(w->workplace->catalog, &state, err);

    *ret = !r && strcmp(state, CUTOVER_FINISHED) == 0;
    return r < 0 ? r : 0;
}

static int
work(struct work *w, struct err *err)
{
    const struct cutover_params p = params(w);
    int r, finished;

    r = has_finished(w, &finished, err);
    if (!r && finished && w->options->finish && !w->options->release_source &&
        !w->options->drop_ledger)
        return puts("finished already") < 0;
    if (!r)
        r = cutover_open(&w->cutover, &p, w->workplace->catalog, err);
    if (!r)
        r = w->options->rollback ? go_back(w, err)
            : w->options->finish ? go_home(w, err)
                                 : go_forward(w, err);
    w->cutover = cutover_free(w->cutover);
    return r;
}

/* What the source's server is given is stored there, for superusers to read,
   and files of this machine are not there. */
static int
check_reverse(const struct options *o, struct err *err)
{
    static const char *const ours[] = {"password", "passfile", "service",
                                       "sslkey"};
    cleanup_(conninfo_options_freep) PQconninfoOption *all = NULL;
    int r;

    if (o->reverse_conninfo || o->no_reverse || o->finish || o->rollback)
        return 0;
    r = conninfo_options(&all, o->target, err);
    for (unsigned i = 0; i < sizeof ours / sizeof *ours && !r; i++) {
        if (!conninfo_value(all, ours[i]))
            continue;
        r = err_set(err, ERR_REFUSED,
                    "the source's server cannot be given the target's %s",
                    ours[i]);
        err_hint(err, "Say with --reverse-conninfo how the source's server "
                      "connects to the target, or give --no-reverse.");
    }
    return r;
}

static int
cut_over(struct workplace *workplace, struct err *err)
{
    struct work w = {.workplace = workplace,
                     .options = workplace->ctx->options};
    int r = facts_read(&w.facts, workplace->catalog, err);

    if (!r)
        r = facts_require_staged(&w.facts, err);
    if (!r)
        r = check_reverse(w.options, err);
    if (!r)
        r = work(&w, err);
    facts_clear(&w.facts);
    return r;
}

static int
run(const struct command_context *ctx, struct err *err)
{
    return workplace_do(ctx, RUN_DIR_OPEN, cut_over, err);
}

const struct command command_cutover = {
    .name = "cutover",
    .summary = "move the users from the source to the target",
    .description =
        "For a target that follows its source (handoff --to subscription).  "
        "Shows a plan, waits until the target is not far behind, prepares the "
        "way back, makes the source read only, waits for or ends sessions "
        "that can still write, waits until the target has all, sets its "
        "sequences, compares the two, lets the source follow the target, and "
        "then has the traffic switched: by --hook, or by whoever answers.  "
        "Until then every failure gives the source back.\n\n"
        "--dry-run checks all and shows the plan; --rollback goes back to the "
        "source, also after the switch, with what was written at the target; "
        "--finish ends that possibility and takes away what the run has left "
        "on both servers.  Killed anywhere, the same command goes on.",
    .requires = OPTION_SET(source) | OPTION_SET(target) | OPTION_SET(dir),
    .takes = OPTION_SET(dry_run) | OPTION_SET(rollback) | OPTION_SET(finish) |
             OPTION_SET(max_lag) | OPTION_SET(lag_timeout) |
             OPTION_SET(writers) | OPTION_SET(writers_timeout) |
             OPTION_SET(max_read_only) | OPTION_SET(sequence_margin) |
             OPTION_SET(verify) | OPTION_SET(sample) | OPTION_SET(no_reverse) |
             OPTION_SET(reverse_conninfo) | OPTION_SET(jobs) |
             OPTION_SET(hook) | OPTION_SET(release_source) |
             OPTION_SET(drop_ledger) | OPTION_SET(ledger_schema) |
             OPTION_SET(yes) | COPYING_TALK_OPTIONS,
    .run = run,
};
