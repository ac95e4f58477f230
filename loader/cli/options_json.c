/* SPDX-License-Identifier: PostgreSQL */
#include "loader/cli/options_json.h"

#include <stdio.h>

#include "io/cleanup.h"
#include "io/printable.h"
#include "loader/cli/option_kinds.h"
#include "loader/pg/conninfo.h"

enum { TEXT_MAX = 1024, LIST_MAX = 20 };

static json_t *
text_json(const char *text)
{
    char cut[TEXT_MAX], shown[PRINTABLE_SIZE(TEXT_MAX)];

    snprintf(cut, sizeof cut, "%s", text);
    return json_string(printable(shown, sizeof shown, cut));
}

static json_t *
conninfo_json(const char *text)
{
    cleanup_(freep) char *shown = NULL;
    struct err ignored;

    return conninfo_display(&shown, text, &ignored) ? json_null()
                                                    : text_json(shown);
}

static json_t *
list_json(const struct option_list *list)
{
    json_t *a = json_array();

    for (unsigned i = 0; i < list->n && i < LIST_MAX; i++)
        json_array_append_new(a, text_json(list->texts[i]));
    if (list->n > LIST_MAX)
        json_array_append_new(a, json_string("..."));
    return a;
}

json_t *
options_json(const struct options *o)
{
    json_t *all = json_object();

    for (unsigned i = 0; i < N_OPTIONS; i++) {
        const struct option_row *row = &option_rows[i];
        json_t *value;

        if (!(o->given & OPTION_BIT(i)))
            continue;
        if (!row->argument)
            value = json_true();
        else if (option_is_list(row))
            value = list_json((const void *)((const char *)o + row->offset));
        else if (row->parse == option_parse_conninfo)
            value = conninfo_json(o->texts[i]);
        else
            value = text_json(o->texts[i]);
        json_object_set_new(all, row->name, value);
    }
    return all;
}
