/* SPDX-License-Identifier: PostgreSQL */
#include "loader/inventory/inventory.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "loader/bag/staged.h"
#include "loader/inventory/inventory_sql.h"
#include "loader/pg/copy_out.h"

enum {
    N_FIELDS = 5,
    BLOCK = 64 << 10,
    LINE_MAX_BYTES = 1 << 30, /* no value of a server's is larger */
};

struct inventory {
    int version;
    struct session *session; /* in a COPY; NULL: it is over, or a file */
    struct staged *file;
    uint64_t offset;
    uint64_t n_lines;
    /* What was read: [at, len) is still to be handed out. */
    char *data;
    size_t at, len, size;
    /* The key of the line before, as inventory_line has it. */
    char *last;
    struct inventory_line last_key;
};

int
inventory_version(const struct inventory *i)
{
    return i->version;
}

/* ---- begin and end ---- */

struct inventory *
inventory_free(struct inventory *i)
{
    if (!i)
        return NULL;
    if (i->session)
        copy_out_abandon(i->session);
    staged_free(i->file);
    free(i->data);
    free(i->last);
    free(i);
    return NULL;
}

int
inventory_of_session(struct inventory **ret, struct session *s,
                     const char *with, struct err *err)
{
    cleanup_(inventory_freep) struct inventory *i = calloc(1, sizeof *i);
    int r;

    if (!i)
        return err_nomem(err);
    i->version = session_server_version(s);
    r = inventory_copy(s, with, err);
    if (r)
        return r;
    i->session = s;
    *ret = take(i);
    return 0;
}

int
inventory_of_run(struct inventory **ret, const struct run_dir *dir,
                 const struct facts *f, const struct age_identities *with,
                 struct err *err)
{
    const struct staged_document document = {
        .dir = dir,
        .name = facts_document_file(f, FACTS_INVENTORY),
        .sha256 = f->documents[FACTS_INVENTORY].sha256,
        .identities = with,
    };
    cleanup_(inventory_freep) struct inventory *i = NULL;
    int r;

    if (!f->documents[FACTS_INVENTORY].present)
        return CATALOG_E_NONE;
    i = calloc(1, sizeof *i);
    if (!i)
        return err_nomem(err);
    i->version = f->version;
    r = staged_open_document(&i->file, &document, err);
    if (!r)
        *ret = take(i);
    return r;
}

/* ---- bytes ---- */

static int
make_room(struct inventory *i, size_t n, struct err *err)
{
    size_t need = i->len - i->at + n;
    char *data;

    if (i->len > i->at) /* else there may be no memory yet */
        memmove(i->data, i->data + i->at, i->len - i->at);
    i->len -= i->at;
    i->at = 0;
    if (need <= i->size)
        return 0;
    if (need < 2 * i->size)
        need = 2 * i->size;
    data = realloc(i->data, need);
    if (!data)
        return err_nomem(err);
    i->data = data;
    i->size = need;
    return 0;
}

static int
append(struct inventory *i, const char *data, size_t n, struct err *err)
{
    int r = make_room(i, n, err);

    if (r)
        return r;
    memcpy(i->data + i->len, data, n);
    i->len += n;
    return 0;
}

static int
read_message(struct inventory *i, struct err *err)
{
    cleanup_(session_freememp) char *message = NULL;
    size_t n;
    int r = copy_out_next(i->session, &message, &n, err);

    if (r) {
        i->session = NULL;
        return r < 0 ? r : INVENTORY_E_END;
    }
    return append(i, message, n, err);
}

static int
read_block(struct inventory *i, struct err *err)
{
    const struct bytes_in *in = staged_in(i->file);
    uint64_t left = in->len - i->offset;
    size_t n = left < BLOCK ? (size_t)left : BLOCK;
    int r;

    if (n == 0)
        return INVENTORY_E_END;
    r = make_room(i, n, err);
    if (!r)
        r = in->read_at(in->from, i->offset, i->data + i->len, n, err);
    if (r)
        return r;
    i->len += n;
    i->offset += n;
    return 0;
}

static int
malformed(const struct inventory *i, const char *why, struct err *err)
{
    err_set(err, ERR_CORRUPT, "the inventory of %s is malformed",
            i->file ? "the run" : "the server");
    return err_detail(err, "Line %" PRIu64 " %s.", i->n_lines, why);
}

/* The next line, ended by '\0' in the newline's place. */
static int
next_line(struct inventory *i, char **ret, struct err *err)
{
    size_t seen = 0;
    int r;

    for (;;) {
        char *begin = i->data + i->at, *end = NULL;

        if (i->len > i->at + seen)
            end = memchr(begin + seen, '\n', i->len - i->at - seen);
        if (end) {
            *end = '\0';
            i->at = (size_t)(end - i->data) + 1;
            i->n_lines++;
            *ret = begin;
            return 0;
        }
        seen = i->len - i->at;
        if (seen > LINE_MAX_BYTES)
            return malformed(i, "is too long", err);
        if (i->file)
            r = read_block(i, err);
        else
            r = i->session ? read_message(i, err) : INVENTORY_E_END;
        if (r == INVENTORY_E_END && seen > 0)
            return malformed(i, "has no end", err);
        if (r)
            return r;
    }
}

/* ---- lines ---- */

/* In place: COPY's text is never shorter than what it means.  -1: it is
   none, or SQL's NULL. */
static int
unescape(char *text)
{
    static const char letters[] = "bfnrtv\\";
    static const char means[] = "\b\f\n\r\t\v\\";
    char *to = text;

    for (const char *c = text; *c; c++) {
        const char *letter;

        if (*c != '\\') {
            *to++ = *c;
            continue;
        }
        letter = *++c ? strchr(letters, *c) : NULL;
        if (!letter)
            return -1;
        *to++ = means[letter - letters];
    }
    *to = '\0';
    return 0;
}

static int
parse(char *line, struct inventory_line *ret)
{
    char *fields[N_FIELDS];
    char *rest = line;

    for (unsigned n = 0; n < N_FIELDS; n++) {
        fields[n] = strsep(&rest, "\t");
        if (!fields[n] || unescape(fields[n]))
            return -1;
    }
    *ret = (struct inventory_line){fields[0], fields[1], fields[2], fields[3],
                                   fields[4]};
    return rest ? -1 : 0;
}

int
inventory_order(const struct inventory_line *a, const struct inventory_line *b)
{
    int order = strcmp(a->kind, b->kind);

    if (!order)
        order = strcmp(a->name, b->name);
    if (!order)
        order = strcmp(a->part, b->part);
    return order ? order : strcmp(a->property, b->property);
}

/* A walk along two of them is only as good as their order. */
static int
check_order(struct inventory *i, const struct inventory_line *line,
            struct err *err)
{
    const char *const fields[] = {line->kind, line->name, line->part,
                                  line->property};
    const char *copies[4];
    size_t n = 0;
    char *to;

    if (i->last && inventory_order(&i->last_key, line) >= 0)
        return malformed(i, "is out of order", err);
    for (unsigned f = 0; f < 4; f++)
        n += strlen(fields[f]) + 1;
    to = realloc(i->last, n);
    if (!to)
        return err_nomem(err);
    i->last = to;
    for (unsigned f = 0; f < 4; f++) {
        copies[f] = to;
        to = stpcpy(to, fields[f]) + 1;
    }
    i->last_key = (struct inventory_line){
        .kind = copies[0],
        .name = copies[1],
        .part = copies[2],
        .property = copies[3],
    };
    return 0;
}

int
inventory_next(struct inventory *i, struct inventory_line *ret, struct err *err)
{
    char *line = NULL;
    int r = next_line(i, &line, err);

    if (r)
        return r;
    if (parse(line, ret))
        return malformed(i, "has other fields than five", err);
    return check_order(i, ret, err);
}
