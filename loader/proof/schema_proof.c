/* SPDX-License-Identifier: PostgreSQL */
#include "loader/proof/schema_proof.h"

#include <stdio.h>
#include <string.h>

#include "loader/inventory/inventory_compare.h"
#include "loader/source/plan/left_out.h"

struct proof {
    const struct schema_proof_params *params;
    const char *names[PROOF_ENDS];
    struct session *sessions[PROOF_ENDS];
    struct inventory *inventories[PROOF_ENDS];
    int failed; /* in the middle of telling: no memory */
};

/* ---- words ---- */

static enum proof_layer
layer_of(const struct proof *x, const struct inventory_difference *d)
{
    const char *property = d->property ? d->property : "";

    if (x->params->drift)
        return PROOF_DRIFT;
    if (strcmp(property, "index valid") == 0)
        return PROOF_INDEXES;
    if (strncmp(d->part, "constraint ", 11) == 0 &&
        (strcmp(property, "valid") == 0 || strcmp(property, "triggers") == 0))
        return PROOF_KEYS;
    return PROOF_SCHEMA;
}

/* "column a" of table s.t is the column "a of s.t", an index "i on s.t". */
static int
name_object(const struct inventory_difference *d, char **ret_kind,
            char **ret_object)
{
    size_t n = strcspn(d->part, " ");
    const char *of = strncmp(d->part, "column ", 7) == 0 ? "of" : "on";

    if (!*d->part) {
        *ret_kind = strdup(d->kind);
        *ret_object = strdup(d->name);
        return *ret_kind && *ret_object ? 0 : -1;
    }
    *ret_kind = strndup(d->part, n);
    if (asprintf(ret_object, "%s %s %s", d->part + n + 1, of, d->name) < 0)
        *ret_object = NULL;
    return *ret_kind && *ret_object ? 0 : -1;
}

/* The words for those that people look for. */
static char *
describe(const struct proof *x, const struct inventory_difference *d)
{
    const char *left = x->names[PROOF_LEFT], *right = x->names[PROOF_RIGHT];
    const char *property = d->property;
    char *what = NULL;
    int n;

    if (!property)
        n = d->right ? asprintf(&what, "is in the %s only", right)
                     : asprintf(&what, "is missing in the %s", right);
    else if (strcmp(property, "index valid") == 0)
        n = asprintf(&what, "is not valid in the %s", d->right ? right : left);
    else if (strcmp(property, "valid") == 0)
        n = asprintf(&what, "has not been validated in the %s",
                     d->right ? right : left);
    else if (strcmp(property, "state") == 0 && d->left && d->right)
        n = asprintf(&what, "is %s in the %s, %s in the %s", d->right, right,
                     d->left, left);
    else if (strcmp(property, "triggers") == 0)
        n = asprintf(&what, "has other triggers enabled in the %s", right);
    else if (strncmp(property, "granted ", 8) == 0)
        n = asprintf(&what, "grants other rights %s", property + 8);
    else
        n = asprintf(&what, "differs in its %s", property);
    return n < 0 ? NULL : what;
}

static void
tell(void *arg, const struct inventory_difference *d)
{
    struct proof *x = arg;
    cleanup_(freep) char *kind = NULL, *object = NULL;
    cleanup_(freep) char *what = describe(x, d);

    if (name_object(d, &kind, &object) || !what) {
        x->failed = 1;
        return;
    }
    proof_tell_finding(
        x->params->listener,
        &(struct proof_finding){
            .layer = layer_of(x, d),
            .verdict = d->property ? PROOF_DIFFERS : PROOF_MISSING,
            .kind = kind,
            .object = object,
            .what = what,
            .at = {d->property ? d->left : NULL, d->property ? d->right : NULL},
        });
}

/* ---- the two ---- */

/* A session of its own: the side's must not be hurt by what goes wrong. */
static int
open_server(struct proof *x, int end, struct err *err)
{
    struct proof_side *side = x->params->pair->at[end];
    cleanup_(freep) char *gone = left_out_gone(proof_side_selection(side));
    int r;

    if (!gone)
        return err_nomem(err);
    r = proof_side_join(side, &x->sessions[end], err);
    return r ? r
             : inventory_of_session(&x->inventories[end], x->sessions[end],
                                    gone, err);
}

static int
open_end(struct proof *x, int end, struct err *err)
{
    struct proof_side *side = x->params->pair->at[end];

    x->names[end] = proof_side_name(side);
    return proof_side_is_server(side)
               ? open_server(x, end, err)
               : inventory_of_run(&x->inventories[end], proof_side_dir(side),
                                  proof_side_facts(side),
                                  proof_side_identities(side), err);
}

static int
tell_unknown(const struct proof *x, int end)
{
    proof_tell_finding(
        x->params->listener,
        &(struct proof_finding){
            .layer = x->params->drift ? PROOF_DRIFT : PROOF_SCHEMA,
            .verdict = PROOF_FAILED,
            .kind = "inventory",
            .object = x->names[end],
            .what = "is missing: the run is of an older version of pghaul",
        });
    return 0;
}

static int
compare(struct proof *x, struct err *err)
{
    const struct schema_proof_params *p = x->params;
    const struct inventory_comparison c = {
        .left = x->inventories[PROOF_LEFT],
        .right = x->inventories[PROOF_RIGHT],
        .no_owner = p->no_owner,
        .no_acl = p->no_acl,
        .left_is_part = p->pair->is_partial,
        .tell = tell,
        .arg = x,
    };
    int r = inventory_compare(&c, err);

    return !r && x->failed ? err_nomem(err) : r;
}

int
schema_proof(const struct schema_proof_params *p, struct err *err)
{
    struct proof x = {.params = p};
    int r = 0;

    for (int end = 0; end < PROOF_ENDS && !r; end++) {
        r = open_end(&x, end, err);
        if (r > 0)
            tell_unknown(&x, end);
    }
    if (!r)
        r = compare(&x, err);
    for (int end = 0; end < PROOF_ENDS; end++) {
        inventory_free(x.inventories[end]);
        session_free(x.sessions[end]);
    }
    return r < 0 ? r : 0;
}
