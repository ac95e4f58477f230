/* SPDX-License-Identifier: PostgreSQL */
#include "loader/cli/loading.h"

#include "loader/catalog/proven.h"
#include "loader/cli/copying.h"
#include "loader/handoff/vigil.h"

int
loading_all(struct workplace *w, const struct facts *f,
            const struct staged_source *source, enum account_end *ret,
            struct err *err)
{
    struct load_params p = copying_load_params(w, f);
    cleanup_(load_freep) struct load *x = NULL;
    cleanup_(vigil_freep) struct vigil *vigil = NULL;
    struct lane lane;
    int r;

    p.source = source;
    r = copying_confirm_load(w, err);
    if (!r)
        r = load_begin(&x, &p, w->dir, w->catalog, err);
    *ret = !r && load_was_finished(x) ? ACCOUNT_NOTHING_TO_DO : ACCOUNT_DONE;
    if (r || *ret == ACCOUNT_NOTHING_TO_DO)
        return r;
    r = proven_forget(w->catalog, err);
    if (!r && w->ctx->options->source)
        r = copying_keep_vigil(&vigil, w, err);
    if (r)
        return r;
    lane = load_lane(x);
    copying_watch(&lane, vigil);
    r = workplace_drive(w, &lane, 1, err);
    return r ? r : load_finish(x, err);
}
