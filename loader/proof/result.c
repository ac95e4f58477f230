/* SPDX-License-Identifier: PostgreSQL */
#include "loader/proof/result.h"

static const char *const verdicts[PROOF_N_VERDICTS] = {
    [PROOF_EQUAL] = "equal",     [PROOF_ACCEPTED] = "accepted",
    [PROOF_DIFFERS] = "differs", [PROOF_MISSING] = "missing",
    [PROOF_FAILED] = "failed",
};

static const char *const layers[PROOF_N_LAYERS] = {
    [PROOF_COUNTS] = "counts",   [PROOF_AGGREGATES] = "aggregates",
    [PROOF_DIGESTS] = "digests", [PROOF_SCHEMA] = "schema",
    [PROOF_DRIFT] = "drift",     [PROOF_SEQUENCES] = "sequences",
    [PROOF_KEYS] = "keys",       [PROOF_INDEXES] = "indexes",
    [PROOF_FILES] = "files",
};

static const char *const row_kinds[PROOF_N_ROW_KINDS] = {
    [PROOF_ROW_MISSING] = "missing",
    [PROOF_ROW_EXTRA] = "extra",
    [PROOF_ROW_DIFFERING] = "differing",
};

const char *
proof_verdict_name(enum proof_verdict v)
{
    return verdicts[v];
}

int
proof_verdict_is_good(enum proof_verdict v)
{
    return v == PROOF_EQUAL || v == PROOF_ACCEPTED;
}

const char *
proof_layer_name(enum proof_layer l)
{
    return layers[l];
}

const char *
proof_row_kind_name(enum proof_row_kind k)
{
    return row_kinds[k];
}

void
proof_tell_table(const struct proof_listener *l,
                 const struct proof_table *table)
{
    if (l->table)
        l->table(l->arg, table);
}

void
proof_tell_row(const struct proof_listener *l, const struct proof_row *row)
{
    if (l->row)
        l->row(l->arg, row);
}

void
proof_tell_finding(const struct proof_listener *l,
                   const struct proof_finding *finding)
{
    if (l->finding)
        l->finding(l->arg, finding);
}
