/* SPDX-License-Identifier: PostgreSQL */
#include "loader/proof/record.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "formats/manifest.h"
#include "io/clock.h"
#include "io/durable_file.h"
#include "io/printable.h"

enum { FORMAT = 1, TEXT_MAX = 4096 };

struct proof_record {
    struct durable_file *file;
    uint64_t begun_ms;
    int r; /* of what was written so far; <0: *err says why */
    struct err err;
};

static const char *const ends[PROOF_ENDS] = {
    [PROOF_LEFT] = "left",
    [PROOF_RIGHT] = "right",
};

/* ---- lines ---- */

/* Takes o over. */
static void
put_line(struct proof_record *p, json_t *o)
{
    const struct bytes_out *out = durable_file_out(p->file);
    char *text = p->r ? NULL : json_dumps(o, JSON_COMPACT);

    json_decref(o);
    if (p->r)
        return;
    if (!text) {
        p->r = err_nomem(&p->err);
        return;
    }
    p->r = bytes_out_append(out, text, strlen(text), &p->err);
    if (!p->r)
        p->r = bytes_out_append(out, "\n", 1, &p->err);
    free(text);
}

static void
set_text(json_t *o, const char *member, const char *text)
{
    char cut[TEXT_MAX], shown[PRINTABLE_SIZE(TEXT_MAX)];

    if (!text)
        return;
    snprintf(cut, sizeof cut, "%s", text);
    json_object_set_new(o, member,
                        json_string(printable(shown, sizeof shown, cut)));
}

static void
set_number(json_t *o, const char *member, uint64_t n)
{
    json_object_set_new(o, member, manifest_u64_json(n));
}

static json_t *
line(const char *record)
{
    return json_pack("{s:s}", "record", record);
}

static uint64_t
now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* ---- what is told ---- */

static json_t *
layers_json(unsigned layers)
{
    json_t *a = json_array();

    for (unsigned l = 0; l < PROOF_N_LAYERS; l++)
        if (layers & 1u << l)
            json_array_append_new(a, json_string(proof_layer_name(l)));
    return a;
}

static void
set_digests(json_t *o, const struct proof_table *t)
{
    for (int i = 0; i < PROOF_ENDS; i++) {
        char hex[DIGEST_HEX];
        json_t *end;

        if (!t->is_there[i])
            continue;
        digest_hex(&t->at[i], hex);
        end = json_object();
        set_number(end, "rows", t->at[i].n_rows);
        json_object_set_new(end, "digest", json_string(hex));
        json_object_set_new(o, ends[i], end);
    }
}

void
proof_record_table(struct proof_record *p, const struct proof_table *t)
{
    json_t *o = line("table");

    set_text(o, "schema", t->schema);
    set_text(o, "name", t->name);
    set_number(o, "tables", t->n_tables);
    set_text(o, "verdict", proof_verdict_name(t->verdict));
    set_text(o, "reason", t->reason);
    set_text(o, "accepted", t->accepted);
    set_digests(o, t);
    set_text(o, "format", copy_format_name(t->format));
    json_object_set_new(o, "layers", layers_json(t->layers));
    if (t->sample_ppm)
        set_number(o, "sample_ppm", t->sample_ppm);
    if (t->rows.is_known) {
        set_number(o, "missing", t->rows.n_missing);
        set_number(o, "extra", t->rows.n_extra);
        set_number(o, "differing", t->rows.n_differing);
        set_number(o, "shown", t->rows.n_shown);
    }
    set_number(o, "bytes", t->n_bytes);
    set_number(o, "begun_ms", t->begun_ms);
    set_number(o, "ms", t->ms);
    put_line(p, o);
}

static json_t *
columns_json(const struct proof_row *row)
{
    json_t *a = json_array();

    for (unsigned i = 0; i < row->n_columns; i++) {
        const struct proof_value *v = &row->columns[i];
        json_t *o = json_object();

        set_text(o, "column", v->column);
        for (int j = 0; j < PROOF_ENDS; j++) {
            json_object_set_new(o, ends[j], json_null());
            set_text(o, ends[j], v->at[j]);
        }
        json_array_append_new(a, o);
    }
    return a;
}

void
proof_record_row(struct proof_record *p, const struct proof_row *row)
{
    json_t *o = line("row");

    set_text(o, "schema", row->schema);
    set_text(o, "name", row->name);
    set_text(o, "kind", proof_row_kind_name(row->kind));
    set_number(o, "n", row->n);
    set_text(o, "key", row->key);
    json_object_set_new(o, "columns", columns_json(row));
    put_line(p, o);
}

void
proof_record_finding(struct proof_record *p, const struct proof_finding *f)
{
    json_t *o = line("finding");

    set_text(o, "layer", proof_layer_name(f->layer));
    set_text(o, "verdict", proof_verdict_name(f->verdict));
    set_text(o, "kind", f->kind);
    set_text(o, "object", f->object);
    set_text(o, "what", f->what);
    set_text(o, "accepted", f->accepted);
    for (int i = 0; i < PROOF_ENDS; i++)
        set_text(o, ends[i], f->at[i]);
    put_line(p, o);
}

/* ---- begin and end ---- */

int
proof_record_open(struct proof_record **ret, const struct run_dir *dir,
                  json_t *head, struct err *err)
{
    cleanup_(proof_record_freep) struct proof_record *p = NULL;
    json_t *o = line("proof");
    int r = -1;

    p = calloc(1, sizeof *p);
    if (p)
        r = durable_file_open(&p->file, run_dir_fd(dir), PROOF_RECORD_FILE,
                              err);
    else
        err_nomem(err);
    if (!r) {
        p->begun_ms = clock_ms();
        set_number(o, "format", FORMAT);
        set_number(o, "at", now_ms());
        json_object_update(o, head);
        put_line(p, json_incref(o));
        *ret = take(p);
    }
    json_decref(o);
    json_decref(head);
    return r;
}

struct proof_record *
proof_record_free(struct proof_record *p)
{
    if (!p)
        return NULL;
    durable_file_free(p->file);
    free(p);
    return NULL;
}

int
proof_record_end(struct proof_record *p, const struct err *why, struct err *err)
{
    json_t *o = line("end");

    set_number(o, "at", now_ms());
    set_number(o, "ms", clock_ms() - p->begun_ms);
    set_number(o, "status", why ? (uint64_t)why->class : 0);
    if (why) {
        set_text(o, "why", why->message);
        set_text(o, "detail", why->detail);
    }
    put_line(p, o);
    if (!p->r)
        return durable_file_commit(p->file, NULL, err);
    *err = p->err;
    return p->r;
}
