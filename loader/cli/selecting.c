/* SPDX-License-Identifier: PostgreSQL */
#include "loader/cli/selecting.h"

int
selecting(struct selection **ret, const struct options *o, struct err *err)
{
    const struct {
        enum selection_kind kind;
        const struct option_list *list;
    } lists[] = {
        {SELECTION_SCHEMA, &o->schema},
        {SELECTION_EXCLUDE_SCHEMA, &o->exclude_schema},
        {SELECTION_TABLE, &o->table},
        {SELECTION_EXCLUDE_TABLE, &o->exclude_table},
        {SELECTION_WHERE, &o->where},
    };
    cleanup_(selection_freep) struct selection *s = NULL;
    int r = selection_new(&s, err);

    for (unsigned k = 0; k < sizeof lists / sizeof *lists && !r; k++)
        for (unsigned i = 0; i < lists[k].list->n && !r; i++)
            r = selection_add(s, lists[k].kind, lists[k].list->texts[i], err);
    if (!r)
        *ret = take(s);
    return r;
}
