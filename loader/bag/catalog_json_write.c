/* SPDX-License-Identifier: PostgreSQL */
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/hex.h"
#include "formats/manifest.h"
#include "io/dir.h"
#include "io/durable_file.h"
#include "io/fd.h"
#include "loader/bag/catalog_json.h"
#include "loader/catalog/capture.h"

/* ---- values ---- */

static void
set_optional(json_t *to, const char *member, const char *text)
{
    if (text)
        manifest_set_name(to, member, text);
}

static void
set_number(json_t *to, const char *member, uint64_t n)
{
    json_object_set_new(to, member, manifest_u64_json(n));
}

static json_t *
source_json(const struct facts *f)
{
    json_t *o = json_object();

    json_object_set_new(o, "system_id", json_string(f->system_id));
    manifest_set_name(o, "database", f->database);
    json_object_set_new(o, "encoding", json_string(f->encoding));
    set_number(o, "version", (uint64_t)f->version);
    manifest_set_name(o, "conninfo", f->source);
    set_optional(o, "selection", f->selection);
    return o;
}

static json_t *
columns_json(const struct catalog_table *t)
{
    json_t *list = json_array();

    for (unsigned i = 0; i < t->n_columns; i++) {
        json_t *o = json_object();

        manifest_set_name(o, "name", t->columns[i].name);
        manifest_set_name(o, "type", t->columns[i].type);
        json_array_append_new(list, o);
    }
    return list;
}

static json_t *
chunk_json(const struct catalog_chunk *k)
{
    char sha256[2 * sizeof k->sha256 + 1], digest[DIGEST_HEX];
    json_t *o = json_object();

    hex_encode(sha256, k->sha256, sizeof k->sha256);
    digest_hex(&k->totals.digest, digest);
    set_number(o, "id", k->id);
    json_object_set_new(o, "file", json_string(k->file));
    set_number(o, "file_bytes", k->file_len);
    json_object_set_new(o, "sha256", json_string(sha256));
    set_number(o, "rows", k->totals.digest.n_rows);
    json_object_set_new(o, "digest", json_string(digest));
    set_number(o, "raw_bytes", k->totals.raw_len);
    set_number(o, "frames", k->totals.n_frames);
    set_optional(o, "condition", k->condition);
    set_number(o, "first_block", k->lo);
    if (k->hi != CATALOG_OPEN_END)
        set_number(o, "end_block", k->hi);
    return o;
}

static int
chunks_json(struct catalog *c, uint64_t table, json_t *list, struct err *err)
{
    uint64_t last = 0;
    int r;

    for (;;) {
        cleanup_(catalog_chunk_freep) struct catalog_chunk *k = NULL;

        r = catalog_next_chunk(c, table, last, &k, err);
        if (r)
            return r == CATALOG_E_NONE ? 0 : r;
        json_array_append_new(list, chunk_json(k));
        last = k->id;
    }
}

/* ---- the document, member by member ---- */

static json_t *
schema_json(const struct facts *f)
{
    char sha256[2 * sizeof f->schema_sha256 + 1];

    hex_encode(sha256, f->schema_sha256, sizeof f->schema_sha256);
    return json_pack("{s:s,s:s}", "file", facts_schema_file(f), "sha256",
                     sha256);
}

static json_t *
documents_json(const struct facts *f)
{
    json_t *list = json_array();

    for (unsigned i = 0; i < FACTS_N_DOCUMENTS; i++) {
        char sha256[2 * sizeof f->schema_sha256 + 1];

        if (!f->documents[i].present)
            continue;
        hex_encode(sha256, f->documents[i].sha256, sizeof f->schema_sha256);
        json_array_append_new(list, json_pack("{s:s,s:s}", "file",
                                              facts_document_file(f, i),
                                              "sha256", sha256));
    }
    return list;
}

/* What changes will come from, for the hand-off; null: nothing. */
static json_t *
capture_json(const struct capture *m)
{
    json_t *o = json_pack("{s:s,s:s}", "slot", m->slot, "plugin", m->plugin);

    if (m->publication)
        manifest_set_name(o, "publication", m->publication);
    json_object_set_new(o, "publication_found", json_boolean(m->found));
    set_optional(o, "publication_print", m->publication_print);
    set_number(o, "timeline", m->timeline);
    return o;
}

static int
add_capture(json_t *epoch, unsigned id, struct catalog *c, struct err *err)
{
    struct capture m = {0};
    int r = capture_next(c, id - 1, &m, err);

    if (r < 0)
        return r;
    json_object_set_new(epoch, "cdc",
                        m.state == CAPTURE_MADE && m.epoch == id
                            ? capture_json(&m)
                            : json_null());
    capture_clear(&m);
    return 0;
}

static int
write_epoch(struct manifest_writer *w, struct catalog *c,
            const struct catalog_epoch *e, struct err *err)
{
    char lsn[CAPTURE_LSN];
    json_t *o = json_object();
    int r;

    set_number(o, "id", e->id);
    json_object_set_new(o, "lsn", json_string(capture_lsn(lsn, e->lsn)));
    r = add_capture(o, e->id, c, err);
    if (!r)
        return manifest_writer_element(w, o, err);
    json_decref(o);
    return r;
}

static int
write_epochs(struct manifest_writer *w, struct catalog *c, struct err *err)
{
    unsigned last = 0;
    int r;

    r = manifest_writer_array(w, "epochs", err);
    while (!r) {
        struct catalog_epoch e = {0};

        r = catalog_next_epoch(c, last, &e, err);
        if (r)
            break;
        last = e.id;
        r = write_epoch(w, c, &e, err);
        catalog_epoch_clear(&e);
    }
    return r == CATALOG_E_NONE ? manifest_writer_array_end(w, err) : r;
}

static int
write_head(struct manifest_writer *w, const struct facts *f, struct err *err)
{
    int r;

    r = manifest_writer_member(w, "format", json_string("pghaul catalog"), err);
    if (!r)
        r = manifest_writer_member(w, "version", json_integer(1), err);
    if (!r)
        r = manifest_writer_member(w, "run", json_string(f->run_id), err);
    if (!r)
        r = manifest_writer_member(w, "source", source_json(f), err);
    if (!r && f->recipients)
        r = manifest_writer_member(w, "recipients", json_string(f->recipients),
                                   err);
    if (!r)
        r = manifest_writer_member(w, "schema", schema_json(f), err);
    return r ? r
             : manifest_writer_member(w, "documents", documents_json(f), err);
}

static int
write_table(struct manifest_writer *w, struct catalog *c,
            const struct catalog_table *t, struct err *err)
{
    json_t *chunks = json_array();
    json_t *o = json_object();
    int r;

    set_number(o, "id", t->id);
    set_number(o, "epoch", t->epoch);
    set_number(o, "oid", t->oid);
    manifest_set_name(o, "schema", t->schema);
    manifest_set_name(o, "name", t->name);
    json_object_set_new(o, "kind", json_string(catalog_kind_name(t->kind)));
    json_object_set_new(o, "format", json_string(copy_format_name(t->format)));
    set_number(o, "bytes", t->n_bytes);
    set_optional(o, "condition", t->condition);
    set_optional(o, "root_schema", t->root_schema);
    set_optional(o, "root_name", t->root_name);
    set_optional(o, "extension", t->extension);
    set_optional(o, "fingerprint", t->fingerprint);
    json_object_set_new(o, "columns", columns_json(t));
    r = chunks_json(c, t->id, chunks, err);
    json_object_set_new(o, "chunks", chunks);
    if (!r)
        return manifest_writer_element(w, o, err);
    json_decref(o);
    return r;
}

static int
write_tables(struct manifest_writer *w, struct catalog *c, struct err *err)
{
    uint64_t last = 0;
    int r;

    r = manifest_writer_array(w, "tables", err);
    while (!r) {
        cleanup_(catalog_table_freep) struct catalog_table *t = NULL;

        r = catalog_next_table(c, last, &t, err);
        if (r)
            break;
        r = write_table(w, c, t, err);
        last = t->id;
    }
    return r == CATALOG_E_NONE ? manifest_writer_array_end(w, err) : r;
}

static int
write_sequences(struct manifest_writer *w, struct catalog *c, struct err *err)
{
    uint64_t cursor = 0;
    int r;

    r = manifest_writer_array(w, "sequences", err);
    while (!r) {
        cleanup_(catalog_sequence_freep) struct catalog_sequence *q = NULL;
        json_t *o;

        r = catalog_next_sequence(c, &cursor, &q, err);
        if (r)
            break;
        o = json_object();
        manifest_set_name(o, "schema", q->schema);
        manifest_set_name(o, "name", q->name);
        json_object_set_new(o, "last_value", manifest_i64_json(q->last_value));
        json_object_set_new(o, "is_called", json_boolean(q->is_called));
        r = manifest_writer_element(w, o, err);
    }
    return r == CATALOG_E_NONE ? manifest_writer_array_end(w, err) : r;
}

static int
write_skips(struct manifest_writer *w, struct catalog *c, struct err *err)
{
    uint64_t cursor = 0;
    int r;

    r = manifest_writer_array(w, "not_copied", err);
    while (!r) {
        cleanup_(catalog_skip_freep) struct catalog_skip *s = NULL;
        json_t *o;

        r = catalog_next_skip(c, &cursor, &s, err);
        if (r)
            break;
        o = json_object();
        manifest_set_name(o, "kind", s->kind);
        manifest_set_name(o, "schema", s->schema);
        manifest_set_name(o, "name", s->name);
        manifest_set_name(o, "reason", s->reason);
        json_object_set_new(o, "harmless", json_boolean(s->harmless));
        if (s->class_oid) {
            set_number(o, "class", s->class_oid);
            set_number(o, "oid", s->oid);
        }
        r = manifest_writer_element(w, o, err);
    }
    return r == CATALOG_E_NONE ? manifest_writer_array_end(w, err) : r;
}

static int
write_document(struct catalog *c, const struct facts *f,
               const struct bytes_out *out, struct err *err)
{
    cleanup_(manifest_writer_freep) struct manifest_writer *w = NULL;
    int r;

    r = manifest_writer_begin(&w, out, err);
    if (!r)
        r = write_head(w, f, err);
    if (!r)
        r = write_epochs(w, c, err);
    if (!r)
        r = write_tables(w, c, err);
    if (!r)
        r = write_sequences(w, c, err);
    if (!r)
        r = write_skips(w, c, err);
    return r ? r : manifest_writer_end(w, err);
}

int
catalog_json_is_there(const struct run_dir *dir)
{
    return faccessat(run_dir_fd(dir), "data/catalog.json", F_OK,
                     AT_SYMLINK_NOFOLLOW) == 0;
}

int
catalog_json_remove(const struct run_dir *dir, struct err *err)
{
    cleanup_(fd_closep) int data_fd = -1;
    int r;

    r = dir_open_private(&data_fd, run_dir_fd(dir), "data", 0, err);
    if (r)
        return r == DIR_E_MISSING ? 0 : r;
    r = dir_remove(data_fd, "catalog.json", err);
    return r ? r : dir_remove(data_fd, "catalog.json.part", err);
}

int
catalog_json_write(struct catalog *c, const struct facts *f,
                   const struct run_dir *dir, struct err *err)
{
    cleanup_(durable_file_freep) struct durable_file *file = NULL;
    cleanup_(fd_closep) int data_fd = -1;
    int r;

    r = dir_open_private(&data_fd, run_dir_fd(dir), "data", 1, err);
    if (!r)
        r = durable_file_open(&file, data_fd, "catalog.json", err);
    if (!r)
        r = write_document(c, f, durable_file_out(file), err);
    return r ? r : durable_file_commit(file, NULL, err);
}
