/* SPDX-License-Identifier: PostgreSQL */
#include "loader/catalog/facts.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/hex.h"

static const char *const state_names[] = {
    [FACTS_NEW] = "new",
    [FACTS_EXPORTING] = "exporting",
    [FACTS_STAGED] = "staged",
};

/* Plain, and encrypted. */
static const char *const document_files[][2] = {
    [FACTS_PRE_DATA] = {"schema/pre-data.sql", "schema/pre-data.sql.age"},
    [FACTS_POST_DATA] = {"schema/post-data.sql", "schema/post-data.sql.age"},
    [FACTS_ROLES] = {"roles.sql", "roles.sql.age"},
    [FACTS_DATABASE] = {"database.sql", "database.sql.age"},
    [FACTS_INVENTORY] = {"inventory.tsv", "inventory.tsv.age"},
    [FACTS_ENVIRONMENT] = {"environment.json", "environment.json.age"},
    [FACTS_STATISTICS] = {"statistics.dump", "statistics.dump.age"},
};

const char *
facts_document_file(const struct facts *f, enum facts_document d)
{
    return document_files[d][f->recipients != NULL];
}

const char *
facts_schema_file(const struct facts *f)
{
    return f->recipients ? "schema.dump.age" : "schema.dump";
}

/* The 16 bytes of a UUID from its text; 0, or -1. */
static int
parse_uuid(const char *text, unsigned char ret[16])
{
    char digits[33];
    unsigned n = 0;

    for (; *text && n < sizeof digits - 1; text++)
        if (*text != '-')
            digits[n++] = *text;
    digits[n] = '\0';
    return *text ? -1 : hex_decode(ret, 16, digits);
}

int
facts_parse_run(struct facts *f)
{
    return parse_uuid(f->run_id, f->run);
}

static int
read_text(struct catalog *c, const char *key, char **ret, struct err *err)
{
    int r = catalog_get(c, key, ret, err);

    return r == CATALOG_E_NONE ? 0 : r;
}

static int
read_numbers(struct facts *f, struct catalog *c, struct err *err)
{
    cleanup_(freep) char *state = NULL, *version = NULL, *discards = NULL;
    int r;

    r = read_text(c, "export.state", &state, err);
    if (!r)
        r = read_text(c, "source.version", &version, err);
    if (!r)
        r = read_text(c, "export.discards", &discards, err);
    for (unsigned i = 0; state && i <= FACTS_STAGED; i++)
        if (strcmp(state, state_names[i]) == 0)
            f->state = (enum facts_state)i;
    f->version = version ? atoi(version) : 0;
    f->discards = discards != NULL;
    return r;
}

/* The last one's. */
static int
read_epoch(struct facts *f, struct catalog *c, struct err *err)
{
    struct catalog_epoch e = {0};
    int r;

    while (!(r = catalog_next_epoch(c, f->epoch, &e, err))) {
        free(f->snapshot);
        f->snapshot = e.snapshot;
        f->epoch = e.id;
        f->lsn = e.lsn;
    }
    return r == CATALOG_E_NONE ? 0 : r;
}

static int
read_schema(struct facts *f, struct catalog *c, struct err *err)
{
    char *sha256 = NULL;
    int r = read_text(c, "schema.sha256", &sha256, err);

    if (!r && f->state != FACTS_NEW &&
        (!sha256 || hex_decode(f->schema_sha256, 32, sha256)))
        r = err_set(err, ERR_CORRUPT,
                    "the run catalogue does not say what schema.dump is");
    free(sha256);
    return r;
}

/* The setting that holds a document's digest. */
enum { DOCUMENT_KEY = 64 };

static const char *
document_key(char key[DOCUMENT_KEY], enum facts_document d)
{
    snprintf(key, DOCUMENT_KEY, "sha256.%s", document_files[d][0]);
    return key;
}

static int
read_documents(struct facts *f, struct catalog *c, struct err *err)
{
    int r = 0;

    for (unsigned i = 0; i < FACTS_N_DOCUMENTS && !r; i++) {
        cleanup_(freep) char *sha256 = NULL;
        char key[DOCUMENT_KEY];

        r = read_text(c, document_key(key, i), &sha256, err);
        if (r || !sha256)
            continue;
        f->documents[i].present = 1;
        if (hex_decode(f->documents[i].sha256, 32, sha256))
            r = err_set(err, ERR_CORRUPT,
                        "the run catalogue does not say what %s is",
                        document_files[i][0]);
    }
    return r;
}

static int
write_documents(const struct facts *f, struct catalog *c, struct err *err)
{
    char key[DOCUMENT_KEY], sha256[2 * 32 + 1];
    int r = 0;

    for (unsigned i = 0; i < FACTS_N_DOCUMENTS && !r; i++) {
        hex_encode(sha256, f->documents[i].sha256, 32);
        r = catalog_set(c, document_key(key, i),
                        f->documents[i].present ? sha256 : NULL, err);
    }
    return r;
}

int
facts_read(struct facts *ret, struct catalog *c, struct err *err)
{
    struct facts f = {0};
    int r;

    r = read_numbers(&f, c, err);
    if (!r)
        r = read_text(c, "run.id", &f.run_id, err);
    if (!r)
        r = read_epoch(&f, c, err);
    if (!r)
        r = read_text(c, "source.system_id", &f.system_id, err);
    if (!r)
        r = read_text(c, "source.database", &f.database, err);
    if (!r)
        r = read_text(c, "source.encoding", &f.encoding, err);
    if (!r)
        r = read_text(c, "source.conninfo", &f.source, err);
    if (!r)
        r = read_text(c, "export.selection", &f.selection, err);
    if (!r)
        r = read_text(c, "export.recipients", &f.recipients, err);
    if (!r)
        r = read_schema(&f, c, err);
    if (!r)
        r = read_documents(&f, c, err);
    if (!r && f.state != FACTS_NEW &&
        (!f.run_id || facts_parse_run(&f) || !f.encoding))
        r = err_set(err, ERR_CORRUPT,
                    "the run catalogue does not say which run it is of");
    if (r)
        facts_clear(&f);
    else
        *ret = f;
    return r;
}

int
facts_write(const struct facts *f, struct catalog *c, struct err *err)
{
    char none[] = "";
    const struct catalog_epoch epoch = {
        .id = f->epoch ? f->epoch : 1,
        .snapshot = f->snapshot ? f->snapshot : none,
        .lsn = f->lsn,
    };
    char version[16], sha256[2 * sizeof f->schema_sha256 + 1];
    const char *const pairs[][2] = {
        {"run.id", f->run_id},
        {"export.state", state_names[f->state]},
        {"export.discards", f->discards ? "yes" : NULL},
        {"source.version", version},
        {"source.system_id", f->system_id},
        {"source.database", f->database},
        {"source.encoding", f->encoding},
        {"source.conninfo", f->source},
        {"export.selection", f->selection},
        {"export.recipients", f->recipients},
        {"schema.sha256", sha256},
    };
    int r = 0;

    snprintf(version, sizeof version, "%d", f->version);
    hex_encode(sha256, f->schema_sha256, sizeof f->schema_sha256);
    for (unsigned i = 0; i < sizeof pairs / sizeof *pairs && !r; i++)
        r = catalog_set(c, pairs[i][0], pairs[i][1], err);
    if (!r)
        r = catalog_add_epoch(c, &epoch, err);
    return r ? r : write_documents(f, c, err);
}

int
facts_set_state(struct catalog *c, enum facts_state state, struct err *err)
{
    return catalog_set(c, "export.state", state_names[state], err);
}

void
facts_clear(struct facts *f)
{
    free(f->run_id);
    free(f->snapshot);
    free(f->system_id);
    free(f->database);
    free(f->encoding);
    free(f->source);
    free(f->selection);
    free(f->recipients);
    *f = (struct facts){0};
}

int
facts_require_staged(const struct facts *f, struct err *err)
{
    if (f->state == FACTS_STAGED)
        return 0;
    err_set(err, ERR_REFUSED, "the export of this run is not complete");
    return err_hint(err, "Repeat the command that began it.");
}

int
facts_require_files(const struct facts *f, struct err *err)
{
    int r = facts_require_staged(f, err);

    if (r || !f->discards)
        return r;
    err_set(err, ERR_REFUSED, "the files of this run are not kept");
    return err_hint(err, "It was begun with --discard: only the command that "
                         "began it can go on.");
}
