/* SPDX-License-Identifier: PostgreSQL */
#include "loader/cli/proving_layers.h"

#include "loader/proof/schema_proof.h"
#include "loader/proof/sequence_proof.h"

int
proving_layers_has_rows(const struct options *o)
{
    return !o->drift &&
           o->layers & (OPTION_LAYER_COUNTS | OPTION_LAYER_AGGREGATES |
                        OPTION_LAYER_ROWS);
}

static int
prove_schema(const struct workplace *w, const struct proof_pair *pair,
             const struct proof_listener *listener, struct err *err)
{
    const struct options *o = w->ctx->options;
    const struct schema_proof_params p = {
        .pair = pair,
        .no_owner = o->no_owner,
        .no_acl = o->no_acl,
        .drift = o->drift,
        .listener = listener,
    };

    progress_phase_begin(w->progress, o->drift ? "drift" : "schema");
    return progress_phase_end(w->progress, schema_proof(&p, err), err);
}

static int
prove_sequences(const struct workplace *w, const struct proof_pair *pair,
                const struct proof_listener *listener, struct err *err)
{
    progress_phase_begin(w->progress, "sequences");
    return progress_phase_end(w->progress, sequence_proof(pair, listener, err),
                              err);
}

int
proving_layers(const struct workplace *w, const struct proof_pair *pair,
               const struct proof_listener *listener, struct err *err)
{
    const struct options *o = w->ctx->options;
    int r = 0;

    if (o->drift || o->layers & OPTION_LAYER_SCHEMA)
        r = prove_schema(w, pair, listener, err);
    if (!r && !o->drift && o->layers & OPTION_LAYER_SEQUENCES)
        r = prove_sequences(w, pair, listener, err);
    return r;
}
