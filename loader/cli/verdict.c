/* SPDX-License-Identifier: PostgreSQL */
#include "loader/cli/verdict.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/hex.h"
#include "formats/manifest.h"
#include "io/printable.h"
#include "loader/cli/config.h"
#include "loader/progress/quantity.h"
#include "loader/proof/row_text.h"
#include "loader/proof/sampling.h"

int
verdict_begin(struct verdict *v, struct workplace *w,
              const struct proof_pair *pair, const struct accept *accept,
              struct err *err)
{
    *v = (struct verdict){.workplace = w, .accept = accept};
    for (int end = 0; end < PROOF_ENDS; end++)
        v->names[end] = proof_side_name(pair->at[end]);
    v->rows = json_array();
    if (!v->rows)
        return err_nomem(err);
    if (!w->ctx->options->json)
        return 0;
    v->json = tmpfile();
    v->findings = tmpfile();
    if (!v->json || !v->findings)
        return err_sys(err, errno, "could not make a temporary file");
    return 0;
}

void
verdict_clear(struct verdict *v)
{
    if (v->json)
        fclose(v->json);
    if (v->findings)
        fclose(v->findings);
    v->json = v->findings = NULL;
    json_decref(v->rows);
    v->rows = NULL;
}

/* ---- tables and their rows, as JSON ---- */

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

    return text ? json_string(printable(shown, sizeof shown, text))
                : json_null();
}

static json_t *
layers_json(unsigned layers)
{
    json_t *list = json_array();

    for (unsigned i = 0; i < PROOF_N_LAYERS; i++)
        if (layers & 1u << i)
            json_array_append_new(list, json_string(proof_layer_name(i)));
    return list;
}

static void
add_numbers(const struct verdict *v, const struct proof_table *t, json_t *to)
{
    json_object_set_new(to, "missing", manifest_u64_json(t->rows.n_missing));
    json_object_set_new(to, "extra", manifest_u64_json(t->rows.n_extra));
    json_object_set_new(to, "differing",
                        manifest_u64_json(t->rows.n_differing));
    json_object_set(to, "shown", v->rows);
}

static json_t *
table_json(const struct verdict *v, const struct proof_table *t)
{
    json_t *o = json_object(), *rows;

    json_object_set_new(o, "schema", text_json(t->schema));
    json_object_set_new(o, "name", text_json(t->name));
    json_object_set_new(o, "verdict",
                        json_string(proof_verdict_name(t->verdict)));
    if (t->reason)
        json_object_set_new(o, "reason", text_json(t->reason));
    if (t->accepted)
        json_object_set_new(o, "accepted_by", text_json(t->accepted));
    for (int end = 0; end < PROOF_ENDS; end++)
        if (t->layers && t->is_there[end])
            json_object_set_new(o, v->names[end], side_json(&t->at[end]));
    json_object_set_new(o, "layers", layers_json(t->layers));
    if (t->sample_ppm)
        json_object_set_new(o, "sample_percent",
                            json_real(t->sample_ppm / 10000.0));
    if (t->rows.is_known) {
        rows = json_object();
        add_numbers(v, t, rows);
        json_object_set_new(o, "rows", rows);
    }
    json_object_set_new(o, "bytes", manifest_u64_json(t->n_bytes));
    json_object_set_new(o, "milliseconds", manifest_u64_json(t->ms));
    return o;
}

static void
print_json(struct verdict *v, const struct proof_table *table)
{
    json_t *o = table_json(v, table);

    fputs(v->n_told ? ",\n    " : "\n    ", v->json);
    json_dumpf(o, v->json, JSON_COMPACT);
    json_decref(o);
}

static json_t *
values_json(const struct verdict *v, const struct proof_row *row)
{
    json_t *all = json_object();

    for (unsigned i = 0; i < row->n_columns; i++) {
        json_t *one = json_object();
        char name[PRINTABLE_SIZE(64)];

        for (int end = 0; end < PROOF_ENDS; end++)
            json_object_set_new(one, v->names[end],
                                text_json(row->columns[i].at[end]));
        printable(name, sizeof name, row->columns[i].column);
        json_object_set_new(all, name, one);
    }
    return all;
}

void
verdict_row(void *arg, const struct proof_row *row)
{
    struct verdict *v = arg;
    json_t *o = json_object();

    json_object_set_new(o, "what", json_string(proof_row_kind_name(row->kind)));
    json_object_set_new(o, "key", text_json(row->key));
    if (row->n > 1)
        json_object_set_new(o, "times", manifest_u64_json(row->n));
    if (row->kind == PROOF_ROW_DIFFERING)
        json_object_set_new(o, "columns", values_json(v, row));
    json_array_append_new(v->rows, o);
}

/* ---- the same for people ---- */

static void
print_value(FILE *f, const json_t *value, const char *side)
{
    const char *text = json_string_value(value);

    fprintf(f, "%s%s%s in the %s", row_text_quote(text), text ? text : "NULL",
            row_text_quote(text), side);
}

static void
name_row(const struct verdict *v, json_t *row)
{
    const char *column, *mark = ":";
    json_t *values;
    char *line = NULL;
    size_t len;
    FILE *f = open_memstream(&line, &len);

    if (!f)
        return;
    fprintf(f, "  %s: %s", json_string_value(json_object_get(row, "what")),
            json_string_value(json_object_get(row, "key")));
    if (json_object_get(row, "times"))
        fputs(", more than once", f);
    json_object_foreach(json_object_get(row, "columns"), column, values)
    {
        fprintf(f, "%s %s is ", mark, column);
        print_value(f, json_object_get(values, v->names[PROOF_LEFT]),
                    v->names[PROOF_LEFT]);
        fputs(", ", f);
        print_value(f, json_object_get(values, v->names[PROOF_RIGHT]),
                    v->names[PROOF_RIGHT]);
        mark = ";";
    }
    if (fclose(f) == 0)
        progress_note(v->workplace->progress, "%s", line);
    free(line);
}

static void
name_difference(const struct verdict *v, const struct proof_table *t)
{
    struct progress *p = v->workplace->progress;
    size_t i;
    json_t *row;

    progress_note(p, "%s.%s: %s%s%s", t->schema, t->name, t->reason,
                  t->accepted ? "; accepted by " : "",
                  t->accepted ? t->accepted : "");
    if (t->rows.is_known)
        progress_note(p,
                      "  rows: %" PRIu64 " missing, %" PRIu64 " extra, %" PRIu64
                      " differing",
                      t->rows.n_missing, t->rows.n_extra, t->rows.n_differing);
    json_array_foreach(v->rows, i, row) name_row(v, row);
}

void
verdict_table(void *arg, const struct proof_table *table)
{
    struct verdict *v = arg;

    if (v->json)
        print_json(v, table);
    v->n_told++;
    if (table->verdict != PROOF_EQUAL)
        name_difference(v, table);
    json_array_clear(v->rows);
    v->n[table->verdict] += table->n_tables;
    if (table->verdict == PROOF_EQUAL)
        v->n_rows += table->at[PROOF_RIGHT].n_rows;
}

/* ---- the end ---- */

/* What was accepted beforehand, and the file that said so. */
static json_t *
accept_json(const struct verdict *v)
{
    const struct config *file = v->workplace->ctx->options->file;
    json_t *o = json_object(), *rules = json_array();
    char hex[2 * sizeof file->sha256 + 1];
    const char *rule;

    for (unsigned i = 0; (rule = accept_rule(v->accept, i)); i++)
        json_array_append_new(rules, text_json(rule));
    json_object_set_new(o, "rules", rules);
    if (file) {
        hex_encode(hex, file->sha256, sizeof file->sha256);
        json_object_set_new(o, "config", text_json(file->path));
        json_object_set_new(o, "config_sha256", json_string(hex));
    }
    return o;
}

/* 1: it could not be read. */
static int
print_file(FILE *from)
{
    char piece[4096];
    size_t n;

    rewind(from);
    while ((n = fread(piece, 1, sizeof piece, from)) > 0)
        fwrite(piece, 1, n, stdout);
    return ferror(from) != 0;
}

static int
end_json(const struct verdict *v, const struct facts *f, struct err *err)
{
    json_t *accept = accept_json(v);
    int failed;

    printf("{\n  \"left\": \"%s\",\n  \"right\": \"%s\",\n  \"tables\": [",
           v->names[PROOF_LEFT], v->names[PROOF_RIGHT]);
    failed = print_file(v->json);
    fputs("\n  ],\n  \"findings\": [", stdout);
    failed |= print_file(v->findings);
    fputs("\n  ]", stdout);
    if (f->run_id)
        printf(",\n  \"run\": \"%s\"", f->run_id);
    fputs(",\n  \"accept\": ", stdout);
    json_dumpf(accept, stdout, JSON_COMPACT);
    json_decref(accept);
    for (unsigned i = 0; i < PROOF_N_VERDICTS; i++)
        printf(",\n  \"%s\": %" PRIu64, proof_verdict_name(i), v->n[i]);
    fputs("\n}\n", stdout);
    return failed ? err_set(err, ERR_SYSTEM, "could not read a temporary file")
                  : 0;
}

static void
end_text(const struct verdict *v)
{
    const struct options *o = v->workplace->ctx->options;
    char rows[QUANTITY_SIZE], time[QUANTITY_SIZE], which[64] = "every row";

    quantity_duration(time, workplace_elapsed_ms(v->workplace));
    if (v->n_told == 0) {
        printf("%s, in %s\n",
               v->n_bad_findings ? "compared" : "equal in what was compared",
               time);
        return;
    }
    if (!(o->layers & OPTION_LAYER_ROWS))
        strcpy(which, "by their numbers");
    if (o->sample && o->sample < SAMPLING_ALL)
        snprintf(which, sizeof which, "a sample of %g%%", o->sample / 10000.0);
    printf("equal: %s in %" PRIu64 " table%s, %s, in %s\n",
           quantity_rows(rows, v->n_rows), v->n[PROOF_EQUAL],
           v->n[PROOF_EQUAL] == 1 ? "" : "s", which, time);
    if (v->n[PROOF_ACCEPTED])
        printf("accepted: %" PRIu64 " table%s, by rules set before\n",
               v->n[PROOF_ACCEPTED], v->n[PROOF_ACCEPTED] == 1 ? "" : "s");
}

static int
differ_otherwise(const struct verdict *v, uint64_t n_tables, struct err *err)
{
    uint64_t n = v->n_bad_findings;

    if (n_tables == 0)
        return err_detail(err, "%" PRIu64 " difference%s found.", n,
                          n == 1 ? " was" : "s were");
    return err_detail(err,
                      "The rows of %" PRIu64 " tables are equal; %" PRIu64
                      " other difference%s found.",
                      n_tables, n, n == 1 ? " was" : "s were");
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
    if (n_good == n_all && v->n_bad_findings == 0)
        return 0;
    err_set(err, ERR_DIFFERS, "the %s is not equal to the %s",
            v->names[PROOF_RIGHT], v->names[PROOF_LEFT]);
    if (n_good == n_all)
        return differ_otherwise(v, n_all, err);
    return err_detail(err,
                      "Of %" PRIu64 " tables %" PRIu64 " are equal, %" PRIu64
                      " differ, %" PRIu64 " are on one side only and %" PRIu64
                      " could not be compared.",
                      n_all, n_good, v->n[PROOF_DIFFERS], v->n[PROOF_MISSING],
                      v->n[PROOF_FAILED]);
}
