/* SPDX-License-Identifier: PostgreSQL */

/* A COPY stream, after two bytes that say what is expected of it and how it
   is cut: which must change nothing. */

#include "formats/copy_rows.h"
#include "tests/fuzz/fuzz.h"

struct seen {
    uint64_t n_rows;
    size_t len; /* of the pieces together */
    int r;
    struct err err;
};

static int
take_pieces(struct copy_rows *c, const uint8_t *all, struct seen *s)
{
    struct copy_piece piece;
    int r;

    while ((r = copy_rows_next(c, &piece, &s->err)) == 0) {
        fuzz_assert(piece.len > 0);
        fuzz_assert(memcmp(piece.data, all + s->len, piece.len) == 0);
        s->len += piece.len;
    }
    return r == COPY_ROWS_E_MORE ? 0 : r;
}

/* Each piece in memory of its own, so that reading beyond it is seen. */
static int
feed(struct copy_rows *c, const uint8_t *all, const uint8_t *at, size_t len,
     struct seen *s)
{
    char *piece = fuzz_string(at, len);
    int r;

    copy_rows_feed(c, piece, len);
    r = take_pieces(c, all, s);
    free(piece);
    return r;
}

static struct seen
read_stream(struct copy_rows *c, const uint8_t *data, size_t len, size_t step)
{
    struct seen s = {.r = 0};

    for (size_t at = 0; !s.r && at < len; at += step)
        s.r = feed(c, data, data + at, len - at < step ? len - at : step, &s);
    if (!s.r)
        s.r = copy_rows_end(c, &s.err);
    s.n_rows = copy_rows_count(c);
    fuzz_outcome(s.r, &s.err);
    fuzz_assert(s.r < 0 || s.len == len);
    return s;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    cleanup_(copy_rows_freep) struct copy_rows *c = NULL;
    struct seen whole, cut;
    enum copy_format format;
    struct err err;

    if (len < 2)
        return 0;
    format = data[0] & 1 ? COPY_BINARY : COPY_TEXT;
    fuzz_assert(copy_rows_new(&c, format, data[0] >> 5, &err) == 0);
    whole = read_stream(c, data + 2, len - 2, len);
    copy_rows_reset(c, format, data[0] >> 5);
    cut = read_stream(c, data + 2, len - 2, 1 + data[1] % 40);

    fuzz_assert(whole.r == cut.r);
    fuzz_assert(whole.r < 0 || whole.n_rows == cut.n_rows);
    fuzz_assert(whole.r == 0 ||
                (strcmp(whole.err.message, cut.err.message) == 0 &&
                 strcmp(whole.err.detail, cut.err.detail) == 0));
    return 0;
}
