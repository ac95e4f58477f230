/* SPDX-License-Identifier: PostgreSQL */
#include "loader/cli/verdict.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>

#include "formats/manifest.h"
#include "io/printable.h"
#include "loader/progress/quantity.h"

static const char *const names[] = {
    [VERIFY_EQUAL] = "equal",
    [VERIFY_DIFFERS] = "differs",
    [VERIFY_FAILED] = "failed",
};

int
verdict_begin(struct verdict *v, struct workplace *w, struct err *err)
{
    *v = (struct verdict){.workplace = w};
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
print_json(const struct verdict *v, const struct verify_result *result)
{
    json_t *t = json_object();

    json_object_set_new(t, "schema", text_json(result->schema));
    json_object_set_new(t, "name", text_json(result->name));
    json_object_set_new(t, "verdict", json_string(names[result->verdict]));
    json_object_set_new(t, "exported", side_json(&result->exported));
    if (result->verdict == VERIFY_FAILED)
        json_object_set_new(t, "why", text_json(result->why));
    else
        json_object_set_new(t, "found", side_json(&result->found));

    fputs(v->n_equal + v->n_differ + v->n_failed ? ",\n    " : "\n    ",
          v->json);
    json_dumpf(t, v->json, JSON_COMPACT);
    json_decref(t);
}

static void
name_difference(struct verdict *v, const struct verify_result *result)
{
    if (result->verdict == VERIFY_FAILED)
        progress_note(v->workplace->progress, "%s.%s: could not be read: %s",
                      result->schema, result->name, result->why);
    else if (result->exported.n_rows != result->found.n_rows)
        progress_note(v->workplace->progress,
                      "%s.%s: %" PRIu64 " rows were exported, %" PRIu64
                      " are in the target",
                      result->schema, result->name, result->exported.n_rows,
                      result->found.n_rows);
    else
        progress_note(v->workplace->progress,
                      "%s.%s: as many rows as exported (%" PRIu64
                      "), but not the same",
                      result->schema, result->name, result->found.n_rows);
}

void
verdict_table(void *arg, const struct verify_result *result)
{
    struct verdict *v = arg;

    if (v->json)
        print_json(v, result);
    if (result->verdict != VERIFY_EQUAL)
        name_difference(v, result);
    switch (result->verdict) {
    case VERIFY_EQUAL:
        v->n_equal += result->n_tables;
        v->n_rows += result->found.n_rows;
        break;
    case VERIFY_DIFFERS:
        v->n_differ += result->n_tables;
        break;
    case VERIFY_FAILED:
        v->n_failed += result->n_tables;
        break;
    }
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
    printf("\n  ],\n  \"run\": \"%s\",\n  \"equal\": %" PRIu64
           ",\n  \"differ\": %" PRIu64 ",\n  \"failed\": %" PRIu64 "\n}\n",
           f->run_id, v->n_equal, v->n_differ, v->n_failed);
    return ferror(v->json)
               ? err_set(err, ERR_SYSTEM, "could not read a temporary file")
               : 0;
}

static void
end_text(const struct verdict *v)
{
    char rows[QUANTITY_SIZE], time[QUANTITY_SIZE];

    printf("equal: %s in %" PRIu64 " table%s, every row, in %s\n",
           quantity_rows(rows, v->n_rows), v->n_equal,
           v->n_equal == 1 ? "" : "s",
           quantity_duration(time, workplace_elapsed_ms(v->workplace)));
}

int
verdict_end(struct verdict *v, const struct facts *f, struct err *err)
{
    struct catalog_counts n;
    int r;

    r = catalog_count(v->workplace->catalog, &n, err);
    if (!r && v->json)
        r = end_json(v, f, err);
    if (r)
        return r;
    if (!v->json && !v->workplace->ctx->options->quiet)
        end_text(v);
    if (v->n_equal == n.n_tables)
        return 0;
    err_set(err, ERR_DIFFERS, "the target is not equal to the run");
    return err_detail(err,
                      "Of %" PRIu64 " tables %" PRIu64 " are equal, %" PRIu64
                      " differ and %" PRIu64 " could not be read.",
                      n.n_tables, v->n_equal, v->n_differ,
                      n.n_tables - v->n_equal - v->n_differ);
}
