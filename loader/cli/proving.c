/* SPDX-License-Identifier: PostgreSQL */
#include "loader/cli/proving.h"

#include <string.h>

#include "loader/bag/catalog_json.h"
#include "loader/bag/seal.h"
#include "loader/bag/staged.h"
#include "loader/cli/keying.h"
#include "loader/cli/proving_layers.h"
#include "loader/cli/selecting.h"
#include "loader/source/keeper/keeper.h"

enum { RANGE_SIZE = 128 << 20 };

int
proving_check_options(const struct options *o, struct err *err)
{
    if (o->drift && !(o->dir && o->source))
        return err_set(err, ERR_USAGE,
                       "option \"--drift\" is used only with \"--dir\" and "
                       "\"--source\"");
    if (!!o->dir + !!o->other_dir + !!o->source + !!o->target < 2) {
        err_set(err, ERR_USAGE, "there are no two to be compared");
        return err_hint(err, "Give two of --dir, --source and --target, or "
                             "--dir and --other-dir.");
    }
    if (o->distinct && !(o->layers & OPTION_LAYER_AGGREGATES))
        return err_set(err, ERR_USAGE,
                       "option \"--distinct\" is used only with \"--layers "
                       "aggregates\"");
    if (o->deep && !o->dir)
        return err_set(err, ERR_USAGE,
                       "option \"--deep\" is used only with \"--dir\"");
    if (o->repair_sql && !o->target)
        return err_set(
            err, ERR_USAGE,
            "option \"--repair-sql\" is used only with \"--target\"");
    return 0;
}

static int
is_between_servers(const struct options *o)
{
    return o->source && o->target;
}

/* ---- bags ---- */

static int
needs_files(const struct options *o)
{
    return o->deep || o->sample || o->layers & OPTION_LAYER_AGGREGATES;
}

/* The identities, where something encrypted will be read. */
static int
open_keys(struct proving *p, const struct facts *f, const struct run_dir *dir,
          struct err *err)
{
    struct workplace *w = p->workplace;
    const struct options *o = w->ctx->options;
    int r = 0;

    if (!f->recipients)
        return 0;
    if (!w->identities)
        r = keying_identities(&w->identities, w->ctx, err);
    if (r || !(needs_files(o) || o->drift || o->layers & OPTION_LAYER_SCHEMA))
        return r;
    return staged_check_key(dir, facts_schema_file(f), w->identities, err);
}

static int
require_bag(const struct facts *f, const struct run_dir *dir, int deep,
            struct err *err)
{
    int r = facts_require_staged(f, err);

    if (!r)
        r = seal_check(dir, err);
    return r || !deep ? r : facts_require_files(f, err);
}

static int
open_bag(struct proving *p, struct err *err)
{
    const struct options *o = p->workplace->ctx->options;
    struct proof_side_params side = {
        .name = "bag",
        .stop = p->workplace->ctx->stop,
        .dir = p->workplace->dir,
        .catalog = p->workplace->catalog,
        .facts = &p->facts,
    };
    int r = require_bag(&p->facts, p->workplace->dir, needs_files(o), err);

    if (!r)
        r = open_keys(p, &p->facts, p->workplace->dir, err);
    side.identities = p->workplace->identities;

    p->pair.is_partial = p->facts.selection && p->facts.selection[0];
    return r ? r : proof_side_open(&p->pair.at[PROOF_LEFT], &side, err);
}

static int
open_other_bag(struct proving *p, struct err *err)
{
    const struct options *o = p->workplace->ctx->options;
    struct proof_side_params side = {
        .name = "other bag",
        .stop = p->workplace->ctx->stop,
        .facts = &p->other_facts,
    };
    int r;

    r = run_dir_open(&p->other_dir, o->other_dir, RUN_DIR_OPEN, err);
    if (!r)
        r = catalog_open(&p->other_catalog, p->other_dir, 1, err);
    if (!r)
        r = catalog_json_restore(p->other_catalog, p->other_dir, err);
    if (!r)
        r = facts_read(&p->other_facts, p->other_catalog, err);
    if (!r)
        r = require_bag(&p->other_facts, p->other_dir, needs_files(o), err);
    if (!r)
        r = open_keys(p, &p->other_facts, p->other_dir, err);
    side.identities = p->workplace->identities;
    side.dir = p->other_dir;
    side.catalog = p->other_catalog;
    p->pair.is_partial = 0;
    return r ? r : proof_side_open(&p->pair.at[PROOF_RIGHT], &side, err);
}

/* ---- servers ---- */

/* Whether the run's keeper still holds its snapshot; it is said which one is
   seen. */
static int
choose_snapshot(struct proving *p, struct proof_side_params *side,
                struct err *err)
{
    const struct workplace *w = p->workplace;
    struct keeper_look look;
    int r;

    if (!w->dir)
        return 0;
    r = keeper_look(w->dir, &look, err);
    if (r < 0)
        return r;
    if (r == 0 && p->facts.snapshot && !look.lost[0] &&
        strcmp(look.origin, p->facts.snapshot) == 0) {
        side->keeper = w->dir;
        side->origin = p->facts.snapshot;
        progress_note(w->progress,
                      "the source is seen in the run's snapshot %s",
                      p->facts.snapshot);
    } else {
        progress_note(w->progress, "the run's snapshot is gone: the source is "
                                   "seen as it is now");
    }
    return 0;
}

static int
open_left_server(struct proving *p, struct err *err)
{
    const struct options *o = p->workplace->ctx->options;
    struct proof_side_params side = {
        .name = "source",
        .conninfo = o->source,
        .side = SESSION_SOURCE,
        .plan = {.chunk_size = RANGE_SIZE},
        .no_plan = !proving_layers_has_rows(o),
        .stop = p->workplace->ctx->stop,
    };
    int r = choose_snapshot(p, &side, err);

    if (!r)
        r = selecting(&p->selection, o, err);
    side.selection = p->selection;
    p->pair.is_partial = !r && !selection_is_all(p->selection);
    return r ? r : proof_side_open(&p->pair.at[PROOF_LEFT], &side, err);
}

static int
open_right_server(struct proving *p, struct err *err)
{
    const struct options *o = p->workplace->ctx->options;
    struct proof_side_params side = {
        .name = o->target ? "target" : "source",
        .conninfo = o->target ? o->target : o->source,
        .side = o->target ? SESSION_TARGET : SESSION_SOURCE,
        .encoding = proof_side_encoding(p->pair.at[PROOF_LEFT]),
        .plan = {.chunk_size = RANGE_SIZE, .no_large_objects = 1},
        .no_plan = !proving_layers_has_rows(o),
        .stop = p->workplace->ctx->stop,
    };
    int r = 0;

    /* The source again: what was left out of it is none of it, what would be
       copied now is. */
    if (o->drift) {
        r = selection_of_text(&p->selection, p->facts.selection, err);
        side.selection = p->selection;
        p->pair.is_partial = 0;
    }
    return r ? r : proof_side_open(&p->pair.at[PROOF_RIGHT], &side, err);
}

/* ---- both ---- */

int
proving_open(struct proving *p, struct workplace *w, struct err *err)
{
    const struct options *o = w->ctx->options;
    int r = 0;

    p->workplace = w;
    if (w->catalog)
        r = facts_read(&p->facts, w->catalog, err);
    if (!r)
        r = is_between_servers(o) ? open_left_server(p, err) : open_bag(p, err);
    if (!r)
        r = o->other_dir ? open_other_bag(p, err) : open_right_server(p, err);
    return r;
}

void
proving_close(struct proving *p)
{
    for (int end = 0; end < PROOF_ENDS; end++)
        proof_side_free(p->pair.at[end]);
    selection_free(p->selection);
    catalog_free(p->other_catalog);
    run_dir_free(p->other_dir);
    facts_clear(&p->other_facts);
    facts_clear(&p->facts);
    *p = (struct proving){0};
}
