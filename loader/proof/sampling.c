/* SPDX-License-Identifier: PostgreSQL */
#include "loader/proof/sampling.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned
n_hashed(const struct sampling *a)
{
    return a->key.n ? a->key.n : a->table->n_columns;
}

static unsigned
hashed(const struct sampling *a, unsigned i)
{
    return a->key.n ? a->key.columns[i] : i;
}

/* ---- in SQL ---- */

/* COPY's binary form is what the type's send function gives, its text what the
   output function does, which concat() calls. */
static void
print_column(FILE *f, const struct sampling *a, struct session *s,
             unsigned column)
{
    cleanup_(session_freememp) char *name =
        session_ident(s, a->table->columns[column].name);

    if (a->table->format == COPY_BINARY)
        fprintf(f, "coalesce(%s(%s), ''::pg_catalog.bytea)",
                a->key.sends[column], name ? name : "");
    else
        fprintf(f, "pg_catalog.concat(%s)", name ? name : "");
}

static int
write_condition(struct sampling *a, struct session *s, const char *encoding,
                struct err *err)
{
    cleanup_(session_freememp) char *literal = session_literal(s, encoding);
    int is_text = a->table->format == COPY_TEXT;
    size_t len;
    FILE *f = open_memstream(&a->condition, &len);

    if (!f)
        return err_nomem(err);
    fputs("pg_catalog.sha256(", f);
    fputs(is_text ? "pg_catalog.convert_to(" : "", f);
    for (unsigned i = 0; i < n_hashed(a); i++) {
        fputs(i ? " OPERATOR(pg_catalog.||) " : "", f);
        print_column(f, a, s, hashed(a, i));
    }
    if (is_text)
        fprintf(f, ", %s)", literal ? literal : "");
    fprintf(f, ") < '\\x%02x%02x%02x%02x'::pg_catalog.bytea", a->limit[0],
            a->limit[1], a->limit[2], a->limit[3]);
    return fclose(f) == 0 ? 0 : err_nomem(err);
}

static int
require_sends(const struct sampling *a, struct err *err)
{
    for (unsigned i = 0; i < n_hashed(a); i++)
        if (!a->key.sends || !a->key.sends[hashed(a, i)])
            return err_set(err, ERR_REFUSED,
                           "no sample can be taken by column \"%s\"",
                           a->table->columns[hashed(a, i)].name);
    return 0;
}

int
sampling_begin(struct sampling *ret, struct session *s,
               const struct catalog_table *t, const char *encoding,
               uint32_t ppm, struct err *err)
{
    uint64_t limit = ((uint64_t)ppm << 32) / SAMPLING_ALL;
    int r = 0;

    *ret = (struct sampling){.table = t};
    for (int i = 0; i < 4; i++)
        ret->limit[i] = (unsigned char)(limit >> (24 - 8 * i));
    if (!s)
        return 0;
    r = row_key_read(&ret->key, s, t, err);
    if (!r && t->format == COPY_BINARY)
        r = require_sends(ret, err);
    return r ? r : write_condition(ret, s, encoding, err);
}

void
sampling_clear(struct sampling *a)
{
    row_key_clear(&a->key);
    free(a->condition);
    *a = (struct sampling){0};
}

/* ---- here ---- */

static int
fail_digest(struct err *err)
{
    return err_set(err, ERR_SYSTEM, "could not compute a SHA-256 digest");
}

static int
hash_field(EVP_MD_CTX *sha, const struct sampling *a,
           const struct copy_field *f, struct err *err)
{
    cleanup_(freep) char *text = NULL;

    if (!f->data)
        return 0;
    if (a->table->format == COPY_BINARY)
        return EVP_DigestUpdate(sha, f->data, f->len) ? 0 : fail_digest(err);
    text = copy_field_text(f);
    if (!text)
        return err_nomem(err);
    return EVP_DigestUpdate(sha, text, strlen(text)) ? 0 : fail_digest(err);
}

static int
hash_fields(EVP_MD_CTX *sha, const struct sampling *a,
            const struct copy_field *fields, unsigned char ret[32],
            struct err *err)
{
    int r = 0;

    if (!EVP_DigestInit_ex(sha, EVP_sha256(), NULL))
        return fail_digest(err);
    for (unsigned i = 0; i < n_hashed(a) && !r; i++)
        r = hash_field(sha, a, &fields[hashed(a, i)], err);
    if (r)
        return r;
    return EVP_DigestFinal_ex(sha, ret, NULL) ? 0 : fail_digest(err);
}

int
sampling_has(const struct sampling *a, struct copy_field *fields,
             const struct copy_row *row, struct err *err)
{
    EVP_MD_CTX *sha;
    unsigned char hash[32];
    int r;

    r = copy_row_split(row->data, row->len, a->table->format,
                       a->table->n_columns, fields, err);
    if (r)
        return r;
    sha = EVP_MD_CTX_new();
    if (!sha)
        return err_nomem(err);
    r = hash_fields(sha, a, fields, hash, err);
    EVP_MD_CTX_free(sha);
    return r ? r : memcmp(hash, a->limit, sizeof a->limit) < 0;
}
