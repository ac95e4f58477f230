/* SPDX-License-Identifier: PostgreSQL */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "formats/hex.h"
#include "formats/manifest.h"
#include "io/reader.h"
#include "loader/bag/catalog_json.h"
#include "loader/bag/seal.h"
#include "loader/catalog/capture.h"

enum {
    DOCUMENT_MAX = 1 << 30, /* bytes of catalog.json that we accept */
    COLUMNS_MAX = 1600,     /* of a table: PostgreSQL's own limit */
};

/* A name, from its member or, when it is not UTF-8, from "<member>_hex". */
static int
read_name(const struct manifest_at *at, const char *member, char **ret,
          struct err *err)
{
    cleanup_(freep) char *hex_member = NULL;
    const char *text;
    size_t n;

    if (asprintf(&hex_member, "%s_hex", member) < 0)
        return err_nomem(err);
    if (!manifest_has(at, hex_member)) {
        text = manifest_string(at, member);
        *ret = text ? strdup(text) : NULL;
        return text && !*ret ? err_nomem(err) : manifest_check(at->m, err);
    }
    text = manifest_string(at, hex_member);
    if (!text)
        return manifest_check(at->m, err);
    n = strlen(text) / 2;
    *ret = calloc(1, n + 1);
    if (!*ret)
        return err_nomem(err);
    if (hex_decode(*ret, n, text))
        return err_set(err, ERR_CORRUPT,
                       "catalog.json: \"%s\" is not hexadecimal", hex_member);
    return 0;
}

/* The same where it may be missing: NULL. */
static int
read_optional(const struct manifest_at *at, const char *member, char **ret,
              struct err *err)
{
    cleanup_(freep) char *hex_member = NULL;

    if (asprintf(&hex_member, "%s_hex", member) < 0)
        return err_nomem(err);
    return manifest_has(at, member) || manifest_has(at, hex_member)
               ? read_name(at, member, ret, err)
               : 0;
}

/* ---- the run ---- */

/* Those that are not known are passed over. */
static int
read_document(const struct manifest_at *at, struct facts *f, struct err *err)
{
    const char *file = manifest_string(at, "file");
    const char *sha256 = manifest_string(at, "sha256");
    int r = manifest_check(at->m, err);

    for (unsigned i = 0; i < FACTS_N_DOCUMENTS && !r; i++) {
        if (strcmp(file, facts_document_file(f, i)) != 0)
            continue;
        f->documents[i].present = 1;
        if (hex_decode(f->documents[i].sha256, 32, sha256))
            return err_set(err, ERR_CORRUPT,
                           "catalog.json: the checksum of \"%s\" is malformed",
                           file);
    }
    return r;
}

static int
read_documents(const struct manifest_at *root, struct facts *f, struct err *err)
{
    struct manifest_at list = manifest_array(root, "documents");
    size_t n = manifest_count(&list);
    int r = manifest_check(root->m, err);

    for (size_t i = 0; i < n && !r; i++) {
        struct manifest_at at = manifest_element(&list, i);

        r = read_document(&at, f, err);
    }
    return r;
}

static int
read_facts(const struct manifest_at *root, struct facts *f, struct err *err)
{
    struct manifest_at source = manifest_object(root, "source");
    struct manifest_at schema = manifest_object(root, "schema");
    const char *run, *system_id, *encoding, *sha256;
    int r;

    run = manifest_string(root, "run");
    system_id = manifest_string(&source, "system_id");
    encoding = manifest_string(&source, "encoding");
    f->version = (int)manifest_u64(&source, "version", 90000, 10000000);
    sha256 = manifest_string(&schema, "sha256");
    r = manifest_check(root->m, err);
    if (r)
        return r;
    if (hex_decode(f->schema_sha256, sizeof f->schema_sha256, sha256))
        return err_set(err, ERR_CORRUPT,
                       "catalog.json: the checksum of the schema is malformed");
    f->state = FACTS_STAGED;
    f->run_id = strdup(run);
    f->system_id = strdup(system_id);
    f->encoding = strdup(encoding);
    f->snapshot = strdup("");
    if (!f->run_id || !f->system_id || !f->encoding || !f->snapshot)
        return err_nomem(err);
    if (facts_parse_run(f))
        return err_set(err, ERR_CORRUPT, "catalog.json: run is not a UUID");
    r = read_name(&source, "database", &f->database, err);
    if (!r)
        r = read_name(&source, "conninfo", &f->source, err);
    if (!r)
        r = read_optional(root, "recipients", &f->recipients, err);
    return r ? r : read_optional(&source, "selection", &f->selection, err);
}

static int
check_kind(const struct manifest_at *root, struct err *err)
{
    const char *format = manifest_string(root, "format");
    uint64_t version = manifest_u64(root, "version", 1, UINT32_MAX);
    int r = manifest_check(root->m, err);

    if (r)
        return r;
    if (strcmp(format, "pghaul catalog") != 0)
        return err_set(err, ERR_CORRUPT,
                       "catalog.json is not a catalogue of pghaul");
    if (version > 1) {
        err_set(err, ERR_REFUSED, "catalog.json has version %" PRIu64, version);
        return err_hint(err, "It was written by a newer pghaul: use that.");
    }
    return 0;
}

/* ---- tables ---- */

static int
read_columns(const struct manifest_at *table, struct catalog_table *t,
             struct err *err)
{
    struct manifest_at list = manifest_array(table, "columns");
    size_t n = manifest_count(&list);
    int r = manifest_check(table->m, err);

    if (!r && n > COLUMNS_MAX)
        r = err_set(err, ERR_CORRUPT, "catalog.json: a table has %zu columns",
                    n);
    if (r || n == 0)
        return r;
    t->columns = calloc(n, sizeof *t->columns);
    if (!t->columns)
        return err_nomem(err);
    t->n_columns = (unsigned)n;
    for (size_t i = 0; i < n && !r; i++) {
        struct manifest_at at = manifest_element(&list, i);

        r = read_name(&at, "name", &t->columns[i].name, err);
        if (!r)
            r = read_name(&at, "type", &t->columns[i].type, err);
    }
    return r;
}

static int
fill_chunk(const struct manifest_at *at, struct catalog_chunk *k,
           struct err *err)
{
    const char *file, *sha256, *digest;
    int r;

    file = manifest_string(at, "file");
    sha256 = manifest_string(at, "sha256");
    digest = manifest_string(at, "digest");
    k->file_len = manifest_u64(at, "file_bytes", 0, INT64_MAX);
    k->totals.raw_len = manifest_u64(at, "raw_bytes", 0, INT64_MAX);
    k->totals.n_frames = manifest_u64(at, "frames", 0, INT64_MAX);
    k->totals.digest.n_rows = manifest_u64(at, "rows", 0, INT64_MAX);
    k->lo = manifest_u64(at, "first_block", 0, UINT32_MAX);
    k->hi = CATALOG_OPEN_END;
    if (manifest_has(at, "end_block"))
        k->hi = manifest_u64(at, "end_block", 0, UINT32_MAX);
    r = manifest_check(at->m, err);
    if (r)
        return r;
    r = read_optional(at, "condition", &k->condition, err);
    if (r)
        return r;
    k->n_bytes = k->totals.raw_len;
    if (hex_decode(k->sha256, sizeof k->sha256, sha256) ||
        digest_parse(digest, &k->totals.digest))
        return err_set(err, ERR_CORRUPT,
                       "catalog.json: a checksum of \"%s\" is malformed", file);
    k->file = strdup(file);
    return k->file ? 0 : err_nomem(err);
}

static int
read_chunk(struct catalog *c, const struct manifest_at *at, uint64_t table,
           struct err *err)
{
    cleanup_(catalog_chunk_freep) struct catalog_chunk *k = NULL;
    int r;

    k = calloc(1, sizeof *k);
    if (!k)
        return err_nomem(err);
    k->id = manifest_u64(at, "id", 1, INT64_MAX);
    r = fill_chunk(at, k, err);
    if (!r)
        r = catalog_put_chunk(c, table, k, err);
    return r ? r : catalog_chunk_staged(c, k, err);
}

/* What most tables do not have. */
static int
read_marks(const struct manifest_at *at, struct catalog_table *t,
           struct err *err)
{
    int r;

    if ((r = read_optional(at, "condition", &t->condition, err)) ||
        (r = read_optional(at, "root_schema", &t->root_schema, err)) ||
        (r = read_optional(at, "root_name", &t->root_name, err)) ||
        (r = read_optional(at, "extension", &t->extension, err)) ||
        (r = read_optional(at, "fingerprint", &t->fingerprint, err)))
        return r;
    return !t->root_schema == !t->root_name
               ? 0
               : err_set(err, ERR_CORRUPT,
                         "catalog.json: a root has half a name");
}

static int
read_table(struct catalog *c, const struct manifest_at *at, struct err *err)
{
    cleanup_(catalog_table_freep) struct catalog_table *t = NULL;
    struct manifest_at chunks = manifest_array(at, "chunks");
    size_t n_chunks = manifest_count(&chunks);
    const char *format = manifest_string(at, "format");
    const char *kind = manifest_string(at, "kind");
    int r;

    t = calloc(1, sizeof *t);
    if (!t)
        return err_nomem(err);
    t->id = manifest_u64(at, "id", 1, INT64_MAX);
    t->epoch = (unsigned)manifest_u64(at, "epoch", 1, UINT32_MAX);
    t->oid = (uint32_t)manifest_u64(at, "oid", 0, UINT32_MAX);
    t->n_bytes = manifest_u64(at, "bytes", 0, INT64_MAX);
    r = read_name(at, "schema", &t->schema, err);
    if (!r)
        r = read_name(at, "name", &t->name, err);
    if (!r)
        r = read_marks(at, t, err);
    if (!r)
        r = read_columns(at, t, err);
    if (!r && copy_format_parse(format, &t->format))
        r = err_set(err, ERR_CORRUPT,
                    "catalog.json: \"%s\" is no format of rows", format);
    if (!r && catalog_kind_parse(kind, &t->kind))
        r = err_set(err, ERR_CORRUPT,
                    "catalog.json: \"%s\" is no kind of table", kind);
    if (!r)
        r = catalog_put_table(c, t, err);
    for (size_t i = 0; i < n_chunks && !r; i++) {
        struct manifest_at chunk = manifest_element(&chunks, i);

        r = read_chunk(c, &chunk, t->id, err);
    }
    return r;
}

/* ---- the rest ---- */

/* A name that SQL, or a command, will hold. */
static int
copy_name(const struct manifest_at *at, const char *member, char **ret,
          struct err *err)
{
    const char *text = manifest_string(at, member);

    if (!text)
        return manifest_check(at->m, err);
    *ret = strdup(text);
    return *ret ? 0 : err_nomem(err);
}

static int
read_witness(struct catalog *c, unsigned epoch, const struct manifest_at *at,
             struct err *err)
{
    cleanup_(freep) char *print = NULL;
    unsigned timeline = 0;
    int r = 0;

    if (manifest_has(at, "timeline"))
        timeline = (unsigned)manifest_u64(at, "timeline", 0, UINT32_MAX);
    if (manifest_has(at, "publication_print"))
        r = copy_name(at, "publication_print", &print, err);
    return r ? r : capture_witness(c, epoch, timeline, print, err);
}

static int
read_capture(struct catalog *c, const struct manifest_at *epoch,
             const struct facts *f, struct err *err)
{
    struct capture m = {.epoch = f->epoch,
                        .run_id = f->run_id,
                        .system_id = f->system_id,
                        .database = f->database,
                        .floor = f->lsn};
    struct manifest_at at;
    int r;

    if (!manifest_has(epoch, "cdc"))
        return 0;
    at = manifest_object(epoch, "cdc");
    r = copy_name(&at, "slot", &m.slot, err);
    if (!r)
        r = copy_name(&at, "plugin", &m.plugin, err);
    if (!r && (manifest_has(&at, "publication") ||
               manifest_has(&at, "publication_hex")))
        r = read_name(&at, "publication", &m.publication, err);
    m.found = manifest_has(&at, "publication_found") &&
              manifest_bool(&at, "publication_found");
    if (!r)
        r = capture_intend(&m, c, err);
    if (!r)
        r = read_witness(c, m.epoch, &at, err);
    if (!r)
        r = capture_made(c, m.epoch, f->lsn, err);
    free(m.slot);
    free(m.plugin);
    free(m.publication);
    return r;
}

/* f gets it: after the last one it is the run's. */
static int
read_epoch(struct catalog *c, const struct manifest_at *at, struct facts *f,
           struct err *err)
{
    const char *lsn = manifest_string(at, "lsn");
    struct catalog_epoch e = {
        .id = (unsigned)manifest_u64(at, "id", f->epoch + 1, UINT32_MAX),
        .snapshot = f->snapshot,
    };
    int r = manifest_check(at->m, err);

    if (r)
        return r;
    if (capture_parse_lsn(lsn, &e.lsn))
        return err_set(err, ERR_CORRUPT,
                       "catalog.json: lsn is not a log position");
    f->epoch = e.id;
    f->lsn = e.lsn;
    r = catalog_add_epoch(c, &e, err);
    return r ? r : read_capture(c, at, f, err);
}

static int
read_epochs(struct catalog *c, const struct manifest_at *root, struct facts *f,
            struct err *err)
{
    struct manifest_at list = manifest_array(root, "epochs");
    size_t n = manifest_count(&list);
    int r = manifest_check(root->m, err);

    if (!r && n == 0)
        r = err_set(err, ERR_CORRUPT, "catalog.json: it is of no epoch");
    for (size_t i = 0; i < n && !r; i++) {
        struct manifest_at at = manifest_element(&list, i);

        r = read_epoch(c, &at, f, err);
    }
    return r;
}

static int
read_sequence(struct catalog *c, const struct manifest_at *at, struct err *err)
{
    cleanup_(catalog_sequence_freep) struct catalog_sequence *q = NULL;
    int r;

    q = calloc(1, sizeof *q);
    if (!q)
        return err_nomem(err);
    q->last_value = manifest_i64(at, "last_value");
    q->is_called = manifest_bool(at, "is_called");
    r = read_name(at, "schema", &q->schema, err);
    if (!r)
        r = read_name(at, "name", &q->name, err);
    return r ? r : catalog_add_sequence(c, q, err);
}

static int
read_skip(struct catalog *c, const struct manifest_at *at, struct err *err)
{
    cleanup_(catalog_skip_freep) struct catalog_skip *s = NULL;
    int r;

    s = calloc(1, sizeof *s);
    if (!s)
        return err_nomem(err);
    s->harmless = manifest_bool(at, "harmless");
    if (manifest_has(at, "class")) {
        s->class_oid = (uint32_t)manifest_u64(at, "class", 1, UINT32_MAX);
        s->oid = (uint32_t)manifest_u64(at, "oid", 1, UINT32_MAX);
    }
    r = read_name(at, "kind", &s->kind, err);
    if (!r)
        r = read_name(at, "schema", &s->schema, err);
    if (!r)
        r = read_name(at, "name", &s->name, err);
    if (!r)
        r = read_name(at, "reason", &s->reason, err);
    return r ? r : catalog_add_skip(c, s, err);
}

static int
read_list(struct catalog *c, const struct manifest_at *root, const char *member,
          int (*read_one)(struct catalog *c, const struct manifest_at *at,
                          struct err *err),
          struct err *err)
{
    struct manifest_at list = manifest_array(root, member);
    size_t n = manifest_count(&list);
    int r = manifest_check(root->m, err);

    for (size_t i = 0; i < n && !r; i++) {
        struct manifest_at at = manifest_element(&list, i);

        r = read_one(c, &at, err);
    }
    return r;
}

static int
read_all(struct catalog *c, struct manifest *m, struct err *err)
{
    struct manifest_at root = manifest_root(m);
    struct facts f = {0};
    int r;

    r = check_kind(&root, err);
    if (!r)
        r = read_facts(&root, &f, err);
    if (!r)
        r = read_documents(&root, &f, err);
    if (!r)
        r = catalog_begin(c, err);
    if (!r)
        r = read_epochs(c, &root, &f, err);
    if (!r)
        r = facts_write(&f, c, err);
    if (!r)
        r = read_list(c, &root, "tables", read_table, err);
    if (!r)
        r = read_list(c, &root, "sequences", read_sequence, err);
    if (!r)
        r = read_list(c, &root, "not_copied", read_skip, err);
    facts_clear(&f);
    return r ? r : catalog_commit(c, err);
}

static int
read_file(struct catalog *c, const struct run_dir *dir, struct err *err)
{
    cleanup_(manifest_freep) struct manifest *m = NULL;
    cleanup_(reader_freep) struct reader *file = NULL;
    cleanup_(freep) char *text = NULL;
    size_t len;
    int r;

    r = reader_open(&file, run_dir_fd(dir), "data/catalog.json", err);
    if (!r)
        r = reader_text(file, DOCUMENT_MAX, &text, &len, err);
    if (!r)
        r = manifest_parse(&m, "catalog.json", text, len, err);
    return r ? r : read_all(c, m, err);
}

int
catalog_json_restore(struct catalog *c, const struct run_dir *dir,
                     struct err *err)
{
    struct facts f = {0};
    int empty, r;

    r = facts_read(&f, c, err);
    if (r)
        return r;
    empty = f.state == FACTS_NEW;
    facts_clear(&f);
    if (!empty || faccessat(run_dir_fd(dir), "data/catalog.json", F_OK, 0) < 0)
        return 0;
    r = seal_check(dir, err);
    return r ? r : read_file(c, dir, err);
}
