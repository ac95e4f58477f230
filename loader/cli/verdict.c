/* SPDX-License-Identifier: PostgreSQL */
#include "loader/cli/verdict.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>

#include "formats/manifest.h"
#include "io/printable.h"
#include "loader/progress/quantity.h"

int
verdict_begin(struct verdict *v, struct workplace *w, struct err *err)
{
    *v = (struct verdict){.workplace = w, .names = {"bag", "target"}};
    if (!w->ctx->options->json)
        return 0;
    v->json = tmpfile();
    if (!v->json)
        return err_sys(err, errno, "could not make a temporary file");
    return 0;
}

void
verdict_clear(struct verdict *v)
{
    if (v->json)
        fclose(v->json);
    v->json = NULL;
}

static json_t *
side_json(const struct digest *d)
{
    char hex[DIGEST_HEX];

    digest_hex(d, hex);
    return json_pack("{s:o, s:s}", "rows", manifest_u64_json(d->n_rows),
                     "digest", hex);
}

/* Names need not be UTF-8; JSON must be. */
static json_t *
text_json(const char *text)
{
    char shown[PRINTABLE_SIZE(1024)];

    return json_string(printable(shown, sizeof shown, text));
}

static void
print_json(struct verdict *v, const struct proof_table *result)
{
    json_t *t = json_object();

    json_object_set_new(t, "schema", text_json(result->schema));
    json_object_set_new(t, "name", text_json(result->name));
    json_object_set_new(t, "verdict",
                        json_string(proof_verdict_name(result->verdict)));
    if (result->reason)
        json_object_set_new(t, "reason", text_json(result->reason));
    for (int end = 0; end < PROOF_ENDS; end++)
        if (result->is_there[end] && result->verdict != PROOF_FAILED)
            json_object_set_new(t, v->names[end], side_json(&result->at[end]));

    fputs(v->n_told++ ? ",\n    " : "\n    ", v->json);
    json_dumpf(t, v->json, JSON_COMPACT);
    json_decref(t);
}

void
verdict_table(void *arg, const struct proof_table *result)
{
    struct verdict *v = arg;

    if (v->json)
        print_json(v, result);
    if (result->verdict != PROOF_EQUAL)
        progress_note(v->workplace->progress, "%s.%s: %s", result->schema,
                      result->name, result->reason);
    v->n[result->verdict] += result->n_tables;
    if (result->verdict == PROOF_EQUAL)
        v->n_rows += result->at[PROOF_RIGHT].n_rows;
}

static int
end_json(const struct verdict *v, const struct facts *f, struct err *err)
{
    char piece[4096];
    size_t n;

    rewind(v->json);
    fputs("{\n  \"tables\": [", stdout);
    while ((n = fread(piece, 1, sizeof piece, v->json)) > 0)
        fwrite(piece, 1, n, stdout);
    printf("\n  ],\n  \"run\": \"%s\"", f->run_id);
    for (unsigned i = 0; i < PROOF_N_VERDICTS; i++)
        printf(",\n  \"%s\": %" PRIu64, proof_verdict_name(i), v->n[i]);
    fputs("\n}\n", stdout);
    return ferror(v->json)
               ? err_set(err, ERR_SYSTEM, "could not read a temporary file")
               : 0;
}

static void
end_text(const struct verdict *v)
{
    char rows[QUANTITY_SIZE], time[QUANTITY_SIZE];

    printf("equal: %s in %" PRIu64 " table%s, every row, in %s\n",
           quantity_rows(rows, v->n_rows), v->n[PROOF_EQUAL],
           v->n[PROOF_EQUAL] == 1 ? "" : "s",
           quantity_duration(time, workplace_elapsed_ms(v->workplace)));
}

int
verdict_end(struct verdict *v, const struct facts *f, struct err *err)
{
    uint64_t n_all = 0, n_good = 0;

    for (unsigned i = 0; i < PROOF_N_VERDICTS; i++) {
        n_all += v->n[i];
        n_good += proof_verdict_is_good(i) ? v->n[i] : 0;
    }
    if (v->json && end_json(v, f, err))
        return -1;
    if (!v->json && !v->workplace->ctx->options->quiet)
        end_text(v);
    if (n_good == n_all)
        return 0;
    err_set(err, ERR_DIFFERS, "the %s is not equal to the %s",
            v->names[PROOF_RIGHT], v->names[PROOF_LEFT]);
    return err_detail(err,
                      "Of %" PRIu64 " tables %" PRIu64 " are equal, %" PRIu64
                      " differ, %" PRIu64 " are on one side only and %" PRIu64
                      " could not be compared.",
                      n_all, n_good, v->n[PROOF_DIFFERS], v->n[PROOF_MISSING],
                      v->n[PROOF_FAILED]);
}
