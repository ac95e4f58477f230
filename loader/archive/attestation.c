/* SPDX-License-Identifier: PostgreSQL */
#include "loader/archive/attestation.h"

#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/hex.h"
#include "io/cleanup.h"
#include "io/store/store.h"
#include "loader/run/witness.h"

enum { HEX = 65, PIECE = 64 << 10, ALL_MAX = 64 << 20 };

static int
read_all(struct store_in *in, char **ret, size_t *ret_len, struct err *err)
{
    cleanup_(freep) char *text = NULL;
    size_t len = 0, n = PIECE;
    char *grown;
    int r = 0;

    while (!r && n == PIECE) {
        if (len > ALL_MAX)
            return err_set(err, ERR_REFUSED, "\"%s\" is too large", in->name);
        grown = realloc(text, len + PIECE);
        if (!grown)
            return err_nomem(err);
        text = grown;
        r = store_in_read(in, len, text + len, PIECE, &n, err);
        len += n;
    }
    if (r)
        return r;
    *ret = take(text);
    *ret_len = len;
    return 0;
}

/* What is there; a line that a crash has torn is ended. */
static int
read_lines(const char *name, char **ret, size_t *ret_len, struct err *err)
{
    cleanup_(store_in_freep) struct store_in *in = NULL;
    int r = store_in_open(&in, name, err);

    *ret = NULL;
    *ret_len = 0;
    if (r)
        return r == STORE_E_MISSING ? 0 : r;
    return read_all(in, ret, ret_len, err);
}

/* Of the last line, without its end. */
static void
digest_last(const char *text, size_t len, char ret[HEX])
{
    unsigned char sha256[32];
    size_t begin;

    while (len > 0 && text[len - 1] == '\n')
        len--;
    for (begin = len; begin > 0 && text[begin - 1] != '\n';)
        begin--;
    SHA256((const unsigned char *)text + begin, len - begin, sha256);
    hex_encode(ret, sha256, sizeof sha256);
}

static int
write_lines(const char *name, const char *old, size_t len, const char *line,
            struct err *err)
{
    const struct store_out_params p = {.where = name, .replace = 1};
    cleanup_(store_out_freep) struct store_out *out = NULL;
    int r = store_out_open(&out, &p, err);

    if (!r && len > 0)
        r = store_out_append(out, old, len, err);
    if (!r && len > 0 && old[len - 1] != '\n')
        r = store_out_append(out, "\n", 1, err);
    if (!r)
        r = store_out_append(out, line, strlen(line), err);
    if (!r)
        r = store_out_append(out, "\n", 1, err);
    return r ? r : store_out_commit(out, err);
}

static int
add(const char *name, json_t *what, struct err *err)
{
    cleanup_(freep) char *old = NULL, *line = NULL;
    char previous[HEX] = "";
    size_t len;
    int r = read_lines(name, &old, &len, err);

    if (r)
        return r;
    if (len > 0)
        digest_last(old, len, previous);
    witness_add(what);
    json_object_set_new(what, "previous",
                        len > 0 ? json_string(previous) : json_null());
    line = json_dumps(what, JSON_COMPACT);
    return line ? write_lines(name, old, len, line, err) : err_nomem(err);
}

int
attestation_add(const char *where, json_t *what, struct err *err)
{
    cleanup_(freep) char *name = NULL;
    int r = 0;

    if (!store_is_stream(where)) {
        if (asprintf(&name, "%s.attestations.jsonl", where) < 0) {
            name = NULL;
            r = err_nomem(err);
        } else {
            r = add(name, what, err);
        }
    }
    json_decref(what);
    return r;
}

/* ---- reading ---- */

static int
check_line(const char *line, const char *previous, json_t **ret,
           struct err *err)
{
    json_t *o = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
    const char *found = json_string_value(json_object_get(o, "previous"));

    if (o && strcmp(found ? found : "", previous) == 0) {
        *ret = o;
        return 0;
    }
    json_decref(o);
    return err_set(err, ERR_CORRUPT,
                   "an attestation does not follow the one before it");
}

int
attestation_each(const char *where,
                 int (*visit)(void *arg, const json_t *line, struct err *err),
                 void *arg, struct err *err)
{
    cleanup_(freep) char *name = NULL, *text = NULL, *copy = NULL;
    char previous[HEX] = "", *rest, *line;
    size_t len;
    int r;

    if (asprintf(&name, "%s.attestations.jsonl", where) < 0) {
        name = NULL;
        return err_nomem(err);
    }
    r = read_lines(name, &text, &len, err);
    if (r || len == 0)
        return r;
    rest = copy = strndup(text, len);
    if (!copy)
        return err_nomem(err);
    while (!r && (line = strsep(&rest, "\n"))) {
        json_t *o = NULL;

        if (!*line)
            continue;
        r = check_line(line, previous, &o, err);
        if (!r)
            r = visit(arg, o, err);
        json_decref(o);
        digest_last(line, strlen(line), previous);
    }
    return r;
}
