/* SPDX-License-Identifier: PostgreSQL */
#include "loader/handoff/contract.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "formats/hex.h"
#include "formats/manifest.h"
#include "io/dir.h"
#include "io/durable_file.h"
#include "io/reader.h"
#include "loader/bag/seal.h"
#include "loader/catalog/proven.h"

enum {
    VERSION = 1,
    PAGE = 200, /* tables whose identity is asked for at once */
};

/* ---- small things ---- */

static void
set_lsn(json_t *to, const char *member, uint64_t lsn)
{
    char text[CAPTURE_LSN];

    json_object_set_new(
        to, member, lsn ? json_string(capture_lsn(text, lsn)) : json_null());
}

static void
set_time(json_t *to, const char *member, int64_t at)
{
    time_t t = (time_t)at;
    char text[32];
    struct tm tm;

    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&t, &tm));
    json_object_set_new(to, member, json_string(text));
}

static void
set_text(json_t *to, const char *member, const char *text)
{
    if (text)
        manifest_set_name(to, member, text);
    else
        json_object_set_new(to, member, json_null());
}

/* ---- the parts ---- */

static json_t *
source_json(const struct contract *c)
{
    const struct facts *f = c->facts;
    json_t *o = json_object();

    set_text(o, "system_id", f->system_id);
    json_object_set_new(o, "timeline",
                        c->capture->timeline
                            ? json_integer(c->capture->timeline)
                            : json_null());
    set_text(o, "database", f->database);
    set_text(o, "encoding", f->encoding);
    json_object_set_new(o, "version", json_integer(f->version));
    set_text(o, "conninfo", f->source);
    return o;
}

static json_t *
now_json(const struct source_now *now)
{
    const struct slot_look *slot = &now->slot;
    json_t *o = json_object();

    set_time(o, "at", now->at);
    json_object_set_new(o, "version", json_integer(now->version));
    json_object_set_new(o, "timeline", json_integer(now->place.timeline));
    json_object_set_new(o, "slot_exists", json_boolean(now->has_slot));
    if (!now->has_slot)
        return o;
    set_lsn(o, "confirmed_flush", slot->confirmed);
    set_lsn(o, "restart", slot->restart);
    set_text(o, "wal_status", slot->wal_status);
    json_object_set_new(o, "safe_wal_size",
                        slot->safe_wal_size < 0
                            ? json_null()
                            : manifest_i64_json(slot->safe_wal_size));
    json_object_set_new(o, "active", json_boolean(slot->active_pid != 0));
    set_text(o, "lost", slot->lost[0] ? slot->lost : NULL);
    return o;
}

static int
epoch_json(json_t **ret, const struct contract *c, const struct capture *m,
           struct err *err)
{
    json_t *o = json_object();
    struct source_now now;
    uint64_t n = 0;
    int r = capture_count_members(c->catalog, m->epoch, &n, err);

    if (!r && c->source)
        r = source_now_ask(&now, c->source, m, err);
    json_object_set_new(o, "epoch", json_integer(m->epoch));
    set_lsn(o, "lsn", m->lsn);
    json_object_set_new(o, "lsn_decimal", manifest_u64_json(m->lsn));
    set_text(o, "snapshot", c->facts->snapshot);
    set_text(o, "slot", m->slot);
    set_text(o, "plugin", m->plugin);
    set_text(o, "publication", m->publication);
    json_object_set_new(o, "publication_found", json_boolean(m->found));
    set_text(o, "publication_print", m->publication_print);
    json_object_set_new(o, "n_published", manifest_u64_json(n));
    json_object_set_new(o, "now",
                        !r && c->source ? now_json(&now) : json_null());
    *ret = o;
    return r;
}

static int
proof_json(json_t **ret, struct catalog *c, struct err *err)
{
    struct proven p = {0};
    int r = proven_read(&p, c, err);

    *ret = json_null();
    if (r)
        return r == PROVEN_E_NONE ? 0 : r;
    *ret = json_object();
    json_object_set_new(*ret, "verdict",
                        json_string(p.equal ? "equal" : "differs"));
    set_time(*ret, "at", p.at);
    set_text(*ret, "target_system_id", p.system_id);
    set_text(*ret, "target_database", p.database);
    json_object_set_new(*ret, "tables", manifest_u64_json(p.n_tables));
    json_object_set_new(*ret, "rows", manifest_u64_json(p.n_rows));
    proven_clear(&p);
    return 0;
}

/* One digest that stands for all of the bag; null: there is none. */
static int
bag_json(json_t **ret, const struct run_dir *dir, struct err *err)
{
    cleanup_(reader_freep) struct reader *file = NULL;
    unsigned char sha256[32];
    char hex[2 * sizeof sha256 + 1];
    int r;

    *ret = json_null();
    if (!seal_is_there(dir))
        return 0;
    r = reader_open(&file, run_dir_fd(dir), "tagmanifest-sha256.txt", err);
    if (!r)
        r = reader_sha256(file, sha256, err);
    if (r)
        return r;
    hex_encode(hex, sha256, sizeof sha256);
    *ret = json_pack("{s:s}", "tagmanifest_sha256", hex);
    return 0;
}

/* ---- the tables ---- */

struct page {
    struct catalog_table *tables[PAGE];
    unsigned n;
};

static void
free_page(struct page *p)
{
    while (p->n)
        catalog_table_free(p->tables[--p->n]);
}

/* CATALOG_E_NONE: there are no more. */
static int
next_page(struct catalog *c, uint64_t *last, struct page *p, struct err *err)
{
    int r = 0;

    while (p->n < PAGE) {
        struct catalog_table *t = NULL;

        r = catalog_next_table(c, *last, &t, err);
        if (r)
            break;
        *last = t->id;
        if (t->kind == CATALOG_TABLE)
            p->tables[p->n++] = t;
        else
            catalog_table_free(t);
    }
    return r == CATALOG_E_NONE && p->n > 0 ? 0 : r;
}

/* A row a table, in the order of the page: its identity now, or "". */
static int
ask_identities(struct session *s, const struct page *p, PGresult **ret,
               struct err *err)
{
    char oids[PAGE * 11 + 3];
    const char *const values[] = {oids};
    size_t len = 1;

    strcpy(oids, "{");
    for (unsigned i = 0; i < p->n; i++)
        len += (size_t)snprintf(oids + len, sizeof oids - len, "%s%" PRIu32,
                                i ? "," : "", p->tables[i]->oid);
    strcpy(oids + len, "}");
    return session_query_params(
        s,
        "SELECT coalesce(c.relreplident::text, '')"
        " FROM pg_catalog.unnest($1::pg_catalog.oid[]) WITH ORDINALITY"
        "  AS x (oid, n) LEFT JOIN pg_catalog.pg_class c ON c.oid = x.oid"
        " ORDER BY x.n",
        1, values, ret, err);
}

static const char *
identity_name(char letter)
{
    switch (letter) {
    case 'd':
        return "default";
    case 'f':
        return "full";
    case 'i':
        return "index";
    case 'n':
        return "nothing";
    default:
        return NULL;
    }
}

static json_t *
columns_json(const struct catalog_table *t)
{
    json_t *list = json_array();

    for (unsigned i = 0; i < t->n_columns; i++) {
        json_t *o = json_object();

        manifest_set_name(o, "name", t->columns[i].name);
        json_array_append_new(list, o);
    }
    return list;
}

static void
set_capture(json_t *o, const struct catalog_table *t,
            const struct capture_table *k)
{
    int by_root = k->member && k->member != k->oid && t->root_name;

    json_object_set_new(o, "captured", json_boolean(k->member != 0));
    if (k->reason)
        set_text(o, "why_not", k->reason);
    if (by_root) {
        set_text(o, "published_as_schema", t->root_schema);
        set_text(o, "published_as_name", t->root_name);
    }
    set_text(o, "replica_identity_before", identity_name(k->identity));
}

static int
table_json(json_t **ret, const struct contract *c,
           const struct catalog_table *t, const char *identity, struct err *err)
{
    cleanup_(capture_table_freep) struct capture_table *k = NULL;
    json_t *o = json_object();
    int r = capture_next_table(c->catalog, t->epoch, t->oid - 1, &k, err);

    json_object_set_new(o, "epoch", json_integer(t->epoch));
    set_text(o, "schema", t->schema);
    set_text(o, "name", t->name);
    json_object_set_new(o, "oid", manifest_u64_json(t->oid));
    set_text(o, "where", t->condition);
    json_object_set_new(o, "columns", columns_json(t));
    set_text(o, "replica_identity", identity_name(identity[0]));
    if (!r && k->oid == t->oid)
        set_capture(o, t, k);
    *ret = o;
    return r == CATALOG_E_NONE ? 0 : r;
}

static int
write_page(struct manifest_writer *w, const struct contract *c,
           const struct page *p, struct err *err)
{
    cleanup_(session_clearp) PGresult *identities = NULL;
    int r = c->source ? ask_identities(c->source, p, &identities, err) : 0;

    for (unsigned i = 0; i < p->n && !r; i++) {
        json_t *o = NULL;

        r = table_json(&o, c, p->tables[i],
                       identities ? PQgetvalue(identities, (int)i, 0) : "",
                       err);
        if (!r)
            r = manifest_writer_element(w, o, err);
        else
            json_decref(o);
    }
    return r;
}

static int
write_tables(struct manifest_writer *w, const struct contract *c,
             struct err *err)
{
    struct page p = {.n = 0};
    uint64_t last = 0;
    int r = manifest_writer_array(w, "tables", err);

    while (!r && !(r = next_page(c->catalog, &last, &p, err))) {
        r = write_page(w, c, &p, err);
        free_page(&p);
    }
    free_page(&p);
    return r == CATALOG_E_NONE ? manifest_writer_array_end(w, err) : r;
}

static int
write_sequences(struct manifest_writer *w, struct catalog *c, struct err *err)
{
    uint64_t cursor = 0;
    int r = manifest_writer_array(w, "sequences", err);

    while (!r) {
        cleanup_(catalog_sequence_freep) struct catalog_sequence *q = NULL;
        json_t *o;

        r = catalog_next_sequence(c, &cursor, &q, err);
        if (r)
            break;
        o = json_object();
        set_text(o, "schema", q->schema);
        set_text(o, "name", q->name);
        json_object_set_new(o, "last_value", manifest_i64_json(q->last_value));
        json_object_set_new(o, "is_called", json_boolean(q->is_called));
        r = manifest_writer_element(w, o, err);
    }
    return r == CATALOG_E_NONE ? manifest_writer_array_end(w, err) : r;
}

/* ---- all of it ---- */

static int
write_head(struct manifest_writer *w, const struct contract *c, struct err *err)
{
    json_t *written = json_object();
    int r;

    set_time(written, "at", (int64_t)time(NULL));
    r = manifest_writer_member(w, "format", json_string("pghaul handoff"), err);
    if (!r)
        r = manifest_writer_member(w, "version", json_integer(VERSION), err);
    if (!r)
        r = manifest_writer_member(
            w, "written", json_incref(json_object_get(written, "at")), err);
    json_decref(written);
    if (!r)
        r = manifest_writer_member(w, "run", json_string(c->facts->run_id),
                                   err);
    return r ? r : manifest_writer_member(w, "source", source_json(c), err);
}

static int
write_epoch(struct manifest_writer *w, const struct contract *c,
            const struct capture *m, struct err *err)
{
    json_t *epoch = NULL;
    int r = epoch_json(&epoch, c, m, err);

    if (!r)
        return manifest_writer_element(w, epoch, err);
    json_decref(epoch);
    return r;
}

static int
write_epochs(struct manifest_writer *w, const struct contract *c,
             struct err *err)
{
    struct captures all = {0};
    int r = captures_read(&all, c->catalog, err);

    if (!r)
        r = manifest_writer_array(w, "epochs", err);
    for (unsigned i = 0; i < all.n && !r; i++)
        r = write_epoch(w, c, &all.list[i], err);
    captures_clear(&all);
    return r ? r : manifest_writer_array_end(w, err);
}

static int
write_parts(struct manifest_writer *w, const struct contract *c,
            struct err *err)
{
    json_t *part = NULL;
    int r = write_head(w, c, err);

    if (!r)
        r = write_epochs(w, c, err);
    if (!r)
        r = proof_json(&part, c->catalog, err);
    if (!r)
        r = manifest_writer_member(w, "proof", part, err);
    if (!r)
        r = bag_json(&part, c->dir, err);
    if (!r)
        r = manifest_writer_member(w, "bag", part, err);
    if (!r)
        r = write_tables(w, c, err);
    return r ? r : write_sequences(w, c->catalog, err);
}

int
contract_write(const struct contract *c, int to_fd, struct err *err)
{
    cleanup_(durable_file_freep) struct durable_file *file = NULL;
    cleanup_(manifest_writer_freep) struct manifest_writer *w = NULL;
    int r;

    r = durable_file_open(&file, to_fd, CONTRACT_FILE, err);
    if (!r)
        r = manifest_writer_begin(&w, durable_file_out(file), err);
    if (!r)
        r = write_parts(w, c, err);
    if (!r)
        r = manifest_writer_end(w, err);
    return r ? r : durable_file_commit(file, NULL, err);
}

int
contract_remove(const struct run_dir *dir, struct err *err)
{
    return dir_remove(run_dir_fd(dir), CONTRACT_FILE, err);
}
