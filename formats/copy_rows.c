/* SPDX-License-Identifier: PostgreSQL */
#include "formats/copy_rows.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "formats/tabs.h"

enum state {
    HEAD,      /* binary, at the start: the part that every head has */
    EXTENSION, /* binary, after HEAD: the rest of the head */
    BETWEEN,   /* a row or the trailer comes next, or the stream ends */
    LINE,      /* text, after BETWEEN: inside a row */
    COUNT,     /* binary, after BETWEEN: inside the field count of a row */
    FIELDS,    /* binary, after COUNT: inside a row */
    TRAILER,   /* binary, after BETWEEN: inside the trailer */
    END,       /* binary, after TRAILER: nothing may come */
    BROKEN,    /* an error was reported: reset or free */
};

enum {
    SIGNATURE_LEN = 11,
    HEAD_LEN = SIGNATURE_LEN + 4 + 4, /* signature, flags, extension length */
    FLAG_OIDS = 1 << 16,
};

/* Flags from here up change the format: who does not know them must stop. */
#define FLAGS_CRITICAL 0xffff0000u

struct copy_rows {
    enum copy_format format;
    unsigned n_columns;
    enum state state;
    const unsigned char *at, *end; /* what was fed and not yet used */
    uint64_t n_fed;
    uint64_t n_rows;
    uint64_t row_offset; /* where the row began */

    /* Text: of the row so far. */
    uint64_t n_tabs;
    int escaping; /* ends in a backslash that is not itself escaped */
    int marker;   /* ends in a marker "\." */

    /* Binary. */
    unsigned n_fields;            /* still to come in the row */
    uint32_t n_skip;              /* still to come of a field or extension */
    unsigned char word[HEAD_LEN]; /* a number that was cut */
    unsigned n_word;
};

int
copy_rows_new(struct copy_rows **ret, enum copy_format format,
              unsigned n_columns, struct err *err)
{
    struct copy_rows *c = malloc(sizeof *c);

    if (!c)
        return err_nomem(err);
    copy_rows_reset(c, format, n_columns);
    *ret = c;
    return 0;
}

struct copy_rows *
copy_rows_free(struct copy_rows *c)
{
    free(c);
    return NULL;
}

void
copy_rows_reset(struct copy_rows *c, enum copy_format format,
                unsigned n_columns)
{
    *c = (struct copy_rows){
        .format = format,
        .n_columns = n_columns,
        .state = format == COPY_BINARY ? HEAD : BETWEEN,
    };
}

void
copy_rows_feed(struct copy_rows *c, const void *data, size_t len)
{
    assert(c->at == c->end);
    c->at = data;
    c->end = c->at + len;
    c->n_fed += len;
}

uint64_t
copy_rows_count(const struct copy_rows *c)
{
    return c->n_rows;
}

/* Offset in the stream of what comes next. */
static uint64_t
offset(const struct copy_rows *c)
{
    return c->n_fed - (uint64_t)(c->end - c->at);
}

static int
add_offset(struct err *err, uint64_t where)
{
    return err_detail(err, "At offset %" PRIu64 " of the COPY stream.", where);
}

static int
wrong_fields(const struct copy_rows *c, int64_t n, struct err *err)
{
    err_set(err, ERR_CORRUPT,
            "row %" PRIu64 " has %" PRId64 " field%s, expected %u",
            c->n_rows + 1, n, n == 1 ? "" : "s", c->n_columns);
    return add_offset(err, c->row_offset);
}

/*
 * Does a run of backslashes at the end of data escape what follows?  carried
 * is the answer for what came before data.
 */
static int
escapes_next(const unsigned char *data, size_t len, int carried)
{
    size_t n = 0;

    while (n < len && data[len - 1 - n] == '\\')
        n++;
    return (int)(n & 1) ^ (n == len && carried);
}

/* The row goes on with data: how does it end now? */
static void
note_ending(struct copy_rows *c, const unsigned char *data, size_t len)
{
    if (len == 0)
        return;
    c->marker =
        data[len - 1] == '.' && escapes_next(data, len - 1, c->escaping);
    c->escaping = escapes_next(data, len, c->escaping);
}

/* The newline has been found. */
static int
check_line(const struct copy_rows *c, struct err *err)
{
    int empty = offset(c) == c->row_offset + 1;
    uint64_t n = c->n_columns == 0 && empty ? 0 : c->n_tabs + 1;

    if (c->marker || c->escaping) {
        err_set(err, ERR_CORRUPT, "row %" PRIu64 " ends in \"%s\"",
                c->n_rows + 1, c->marker ? "\\." : "\\");
        return add_offset(err, c->row_offset);
    }
    return n == c->n_columns ? 0 : wrong_fields(c, (int64_t)n, err);
}

/*
 * Scanners move c->at over what belongs to the head, row or trailer that they
 * are in: 0 when that has ended, E_MORE when the feed has.
 */

static int
scan_line(struct copy_rows *c, struct err *err)
{
    const unsigned char *start = c->at;
    size_t len = (size_t)(c->end - start);
    const unsigned char *newline = memchr(start, '\n', len);

    if (newline)
        len = (size_t)(newline - start);
    c->n_tabs += tabs_count(start, len);
    note_ending(c, start, len);
    if (!newline) {
        c->at = c->end;
        return COPY_ROWS_E_MORE;
    }
    c->at = newline + 1;
    return check_line(c, err);
}

/* The feed has only a part of the word: gather it. */
static const unsigned char *
join_word(struct copy_rows *c, unsigned len)
{
    size_t n_left = (size_t)(c->end - c->at);
    size_t n = len - c->n_word;

    n = n < n_left ? n : n_left;
    memcpy(c->word + c->n_word, c->at, n);
    c->at += n;
    c->n_word += (unsigned)n;
    if (c->n_word < len)
        return NULL;
    c->n_word = 0;
    return c->word;
}

/* The next len bytes in one place, or NULL when the feed ends before. */
static const unsigned char *
take_word(struct copy_rows *c, unsigned len)
{
    const unsigned char *word = c->at;

    if (c->n_word > 0 || (size_t)(c->end - word) < len)
        return join_word(c, len);
    c->at += len;
    return word;
}

static uint32_t
u32_of(const unsigned char *b)
{
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 |
           b[3];
}

static int16_t
i16_of(const unsigned char *b)
{
    return (int16_t)(b[0] << 8 | b[1]);
}

/* Pass over n_skip bytes. */
static int
scan_skip(struct copy_rows *c)
{
    size_t n_left = (size_t)(c->end - c->at);
    uint32_t n = c->n_skip < n_left ? c->n_skip : (uint32_t)n_left;

    c->at += n;
    c->n_skip -= n;
    return c->n_skip > 0 ? COPY_ROWS_E_MORE : 0;
}

static int
scan_head(struct copy_rows *c, struct err *err)
{
    static const unsigned char signature[SIGNATURE_LEN] = "PGCOPY\n\377\r\n";
    const unsigned char *head = take_word(c, HEAD_LEN);
    uint32_t flags;

    if (!head)
        return COPY_ROWS_E_MORE;
    if (memcmp(head, signature, sizeof signature) != 0) {
        err_set(err, ERR_CORRUPT, "not a binary COPY stream");
        return add_offset(err, 0);
    }
    flags = u32_of(head + SIGNATURE_LEN);
    if (flags & FLAGS_CRITICAL) {
        err_set(err, ERR_CORRUPT,
                flags & FLAG_OIDS
                    ? "binary COPY stream has object IDs, flags 0x%08" PRIx32
                    : "binary COPY stream has unknown flags 0x%08" PRIx32,
                flags);
        return add_offset(err, SIGNATURE_LEN);
    }
    c->n_skip = u32_of(head + SIGNATURE_LEN + 4);
    if (c->n_skip > INT32_MAX) {
        err_set(err, ERR_CORRUPT,
                "header extension has a length of %" PRId32 " bytes",
                (int32_t)c->n_skip);
        return add_offset(err, SIGNATURE_LEN + 4);
    }
    c->state = EXTENSION;
    return scan_skip(c);
}

static int
scan_fields(struct copy_rows *c, struct err *err)
{
    const unsigned char *word;
    uint32_t len;

    while (!scan_skip(c)) {
        if (c->n_fields == 0)
            return 0;
        word = take_word(c, 4);
        if (!word)
            break;
        len = u32_of(word);
        if (len > INT32_MAX && len != UINT32_MAX) {
            err_set(
                err, ERR_CORRUPT,
                "field %u of row %" PRIu64 " has a length of %" PRId32 " bytes",
                c->n_columns - c->n_fields + 1, c->n_rows + 1, (int32_t)len);
            return add_offset(err, offset(c) - 4);
        }
        c->n_skip = len == UINT32_MAX ? 0 : len; /* -1: null */
        c->n_fields--;
    }
    return COPY_ROWS_E_MORE;
}

/* How a row begins; -1 is the whole trailer. */
static int
scan_count(struct copy_rows *c, struct err *err)
{
    const unsigned char *word = take_word(c, 2);

    if (!word)
        return COPY_ROWS_E_MORE;
    if (i16_of(word) == -1)
        return 0;
    if (i16_of(word) != (int64_t)c->n_columns)
        return wrong_fields(c, i16_of(word), err);
    c->n_fields = c->n_columns;
    c->state = FIELDS;
    return scan_fields(c, err);
}

static int
scan(struct copy_rows *c, struct err *err)
{
    switch (c->state) {
    case LINE:
        return scan_line(c, err);
    case COUNT:
    case TRAILER:
        return scan_count(c, err);
    case FIELDS:
        return scan_fields(c, err);
    case HEAD:
        return scan_head(c, err);
    case EXTENSION:
        return scan_skip(c);
    case END:
        err_set(err, ERR_CORRUPT,
                "COPY stream goes on after row %" PRIu64 " and its trailer",
                c->n_rows);
        return add_offset(err, offset(c));
    case BETWEEN:
    case BROKEN:
        break;
    }
    abort();
}

/* Leave BETWEEN: a negative field count is seen in its first byte. */
static void
begin_row(struct copy_rows *c)
{
    c->row_offset = offset(c);
    c->n_tabs = 0;
    if (c->format == COPY_TEXT)
        c->state = LINE;
    else
        c->state = *c->at < 0x80 ? COUNT : TRAILER;
}

static enum copy_piece_kind
kind_of(enum state s)
{
    if (s == HEAD || s == EXTENSION)
        return COPY_HEAD;
    return s == TRAILER ? COPY_TRAILER : COPY_ROW;
}

int
copy_rows_next(struct copy_rows *c, struct copy_piece *ret, struct err *err)
{
    const unsigned char *start = c->at;
    enum copy_piece_kind kind;
    int first, r;

    assert(c->state != BROKEN);
    if (c->at == c->end)
        return COPY_ROWS_E_MORE;

    first = c->state == BETWEEN || offset(c) == 0;
    if (c->state == BETWEEN)
        begin_row(c);
    kind = kind_of(c->state);
    r = scan(c, err);
    if (r < 0) {
        c->state = BROKEN;
        return r;
    }
    if (r == 0) {
        c->n_rows += kind == COPY_ROW;
        c->state = kind == COPY_TRAILER ? END : BETWEEN;
    }
    *ret = (struct copy_piece){
        .kind = kind,
        .data = start,
        .len = (size_t)(c->at - start),
        .first = first,
        .last = r == 0,
    };
    return 0;
}

int
copy_rows_end(struct copy_rows *c, struct err *err)
{
    assert(c->state != BROKEN && c->at == c->end);

    if (c->state == END || (c->state == BETWEEN && c->format == COPY_TEXT))
        return 0;

    if (c->state == HEAD || c->state == EXTENSION)
        err_set(err, ERR_CORRUPT, "COPY stream ends inside its header");
    else if (c->state == BETWEEN || c->state == TRAILER)
        err_set(err, ERR_CORRUPT,
                "COPY stream ends after row %" PRIu64 " without a trailer",
                c->n_rows);
    else
        err_set(err, ERR_CORRUPT, "COPY stream ends inside row %" PRIu64,
                c->n_rows + 1);
    c->state = BROKEN;
    return add_offset(err, c->n_fed);
}
