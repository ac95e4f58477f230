/* SPDX-License-Identifier: PostgreSQL */
#include "loader/cli/findings_print.h"

#include <stdio.h>

#include "io/printable.h"

static const char *const levels[] = {
    [FINDING_OK] = "ok",
    [FINDING_WARNING] = "warning",
    [FINDING_ERROR] = "error",
};

enum { LEVEL_WIDTH = 9, NAME_WIDTH = 23, SHOWN = PRINTABLE_SIZE(1024) };

void
findings_print(const struct findings *f, int quiet)
{
    char shown[SHOWN];

    for (unsigned i = 0; i < f->n; i++) {
        const struct finding *x = &f->list[i];

        if (quiet && x->level == FINDING_OK)
            continue;
        printf("%-*s%-*s%s\n", LEVEL_WIDTH, levels[x->level], NAME_WIDTH,
               x->name, printable(shown, sizeof shown, x->seen));
        if (*x->advice)
            printf("%*s%s\n", LEVEL_WIDTH + NAME_WIDTH, "",
                   printable(shown, sizeof shown, x->advice));
    }
}

json_t *
findings_json(const struct findings *f)
{
    char seen[SHOWN], advice[SHOWN];
    json_t *list = json_array();

    for (unsigned i = 0; i < f->n; i++) {
        const struct finding *x = &f->list[i];

        json_array_append_new(
            list, json_pack("{s:s,s:s,s:s,s:s}", "name", x->name, "level",
                            levels[x->level], "seen",
                            printable(seen, sizeof seen, x->seen), "advice",
                            printable(advice, sizeof advice, x->advice)));
    }
    return list;
}
