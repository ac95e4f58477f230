/* SPDX-License-Identifier: PostgreSQL */
#include "loader/source/check/findings.h"

#include <stdlib.h>
#include <string.h>

#include "io/cleanup.h"

int
findings_add(struct findings *f, const struct finding *new, struct err *err)
{
    int is_ok = new->level == FINDING_OK || !new->advice;
    cleanup_(freep) char *seen = strdup(new->seen);
    cleanup_(freep) char *advice = strdup(is_ok ? "" : new->advice);
    struct finding *list;

    list = realloc(f->list, (f->n + 1) * sizeof *list);
    if (list)
        f->list = list;
    if (!list || !seen || !advice)
        return err_nomem(err);
    list[f->n++] = (struct finding){
        .name = new->name,
        .level = new->level,
        .seen = take(seen),
        .advice = take(advice),
    };
    f->n_errors += new->level == FINDING_ERROR;
    return 0;
}

void
findings_clear(struct findings *f)
{
    for (unsigned i = 0; i < f->n; i++) {
        free((char *)f->list[i].seen);
        free((char *)f->list[i].advice);
    }
    free(f->list);
    *f = (struct findings){0};
}
