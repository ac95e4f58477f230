/* SPDX-License-Identifier: PostgreSQL */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "io/printable.h"
#include "loader/cli/verdict.h"

/* ---- as JSON ---- */

static void
add_text(json_t *to, const char *key, const char *text)
{
    char shown[PRINTABLE_SIZE(1024)];

    if (text)
        json_object_set_new(to, key,
                            json_string(printable(shown, sizeof shown, text)));
}

static void
print_json(struct verdict *v, const struct proof_finding *f)
{
    json_t *t = json_object();

    add_text(t, "layer", proof_layer_name(f->layer));
    add_text(t, "verdict", proof_verdict_name(f->verdict));
    add_text(t, "kind", f->kind);
    add_text(t, "object", f->object);
    add_text(t, "what", f->what);
    add_text(t, "accepted_by", f->accepted);
    for (int end = 0; end < PROOF_ENDS; end++)
        add_text(t, v->names[end], f->at[end]);
    fputs(v->n_findings ? ",\n    " : "\n    ", v->findings);
    json_dumpf(t, v->findings, JSON_COMPACT);
    json_decref(t);
}

/* ---- for people ---- */

/* The beginning of a value, in one line. */
enum { VALUE_SHOWN = 100 };

static const char *
shorten(char to[VALUE_SHOWN + 4], const char *value)
{
    size_t n = 0;

    if (!value)
        return "nothing";
    for (; *value && n < VALUE_SHOWN; value++)
        if (*value != '\n' && *value != ' ')
            to[n++] = *value;
        else if (n > 0 && to[n - 1] != ' ')
            to[n++] = ' ';
    while (n > 0 && (*value & 0xC0) == 0x80)
        value--, n--; /* not in the middle of a character */
    strcpy(to + n, *value ? "..." : "");
    return to;
}

static void
note(const struct verdict *v, const struct proof_finding *f)
{
    char left[VALUE_SHOWN + 4], right[VALUE_SHOWN + 4];
    struct progress *p = v->workplace->progress;

    if (f->at[PROOF_LEFT] || f->at[PROOF_RIGHT])
        progress_note(p, "%s %s %s: %s, not %s", f->kind, f->object, f->what,
                      shorten(right, f->at[PROOF_RIGHT]),
                      shorten(left, f->at[PROOF_LEFT]));
    else
        progress_note(p, "%s %s %s", f->kind, f->object, f->what);
}

void
verdict_finding(void *arg, const struct proof_finding *f)
{
    struct verdict *v = arg;

    if (v->findings)
        print_json(v, f);
    v->n_findings++;
    if (proof_verdict_is_good(f->verdict))
        return;
    v->n_bad_findings++;
    note(v, f);
}
