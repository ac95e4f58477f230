/* SPDX-License-Identifier: PostgreSQL */
#include "loader/proof/spill.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    PARTS_MAX = 128,
    PART_ROWS = 250000, /* of a part, as many as can be hoped for */
    BYTES_MAX = 256 << 20,
    PART_BYTES = 16 << 20,
};

struct record {
    uint64_t key[2], row[2];
    uint64_t len; /* of the bytes that follow; ABSENT: none do */
};
#define ABSENT UINT64_MAX

struct spill {
    unsigned n_parts;
    uint64_t share; /* keys below it have their rows' bytes */
    FILE *files[PARTS_MAX][PROOF_ENDS]; /* made when they are needed */
};

static unsigned
choose_parts(const struct spill_params *p, uint64_t n_bytes)
{
    uint64_t by_rows = p->n_rows / PART_ROWS, by_bytes = n_bytes / PART_BYTES;
    uint64_t n = (by_rows > by_bytes ? by_rows : by_bytes) + 1;

    return n > PARTS_MAX ? PARTS_MAX : (unsigned)n;
}

int
spill_new(struct spill **ret, const struct spill_params *p, struct err *err)
{
    struct spill *s = calloc(1, sizeof *s);
    uint64_t n_bytes = p->n_bytes;

    if (!s)
        return err_nomem(err);
    s->share = UINT64_MAX;
    if (n_bytes > BYTES_MAX) {
        s->share = UINT64_MAX / (n_bytes / BYTES_MAX + 1);
        n_bytes = BYTES_MAX;
    }
    s->n_parts = choose_parts(p, n_bytes);
    *ret = s;
    return 0;
}

struct spill *
spill_free(struct spill *s)
{
    if (!s)
        return NULL;
    for (unsigned i = 0; i < s->n_parts; i++)
        for (int end = 0; end < PROOF_ENDS; end++)
            if (s->files[i][end])
                fclose(s->files[i][end]);
    free(s);
    return NULL;
}

int
spill_is_partial(const struct spill *s)
{
    return s->share != UINT64_MAX;
}

static int
fail_io(struct err *err)
{
    return err_sys(err, errno, "could not write a temporary file");
}

int
spill_add(struct spill *s, enum proof_end end, const struct digest *key,
          const struct digest *row, const void *data, size_t len,
          struct err *err)
{
    FILE **f = &s->files[key->sum_lo % s->n_parts][end];
    struct record r = {
        .key = {key->sum_hi, key->sum_lo},
        .row = {row->sum_hi, row->sum_lo},
        .len = key->sum_hi <= s->share ? len : ABSENT,
    };

    if (!*f)
        *f = tmpfile();
    if (!*f)
        return err_sys(err, errno, "could not make a temporary file");
    if (fwrite(&r, sizeof r, 1, *f) != 1 ||
        (r.len != ABSENT && len > 0 && fwrite(data, len, 1, *f) != 1))
        return fail_io(err);
    return 0;
}

/* ---- a part in memory ---- */

struct part {
    unsigned char *bytes; /* all of the file */
    const unsigned char **rows;
    size_t n;
};

static struct record
record_at(const unsigned char *at)
{
    struct record r;

    memcpy(&r, at, sizeof r); /* they are not aligned */
    return r;
}

static int
compare(const void *a, const void *b)
{
    struct record x = record_at(*(const unsigned char *const *)a);
    struct record y = record_at(*(const unsigned char *const *)b);

    for (int i = 0; i < 2; i++)
        if (x.key[i] != y.key[i])
            return x.key[i] < y.key[i] ? -1 : 1;
    for (int i = 0; i < 2; i++)
        if (x.row[i] != y.row[i])
            return x.row[i] < y.row[i] ? -1 : 1;
    return 0;
}

static int
list_rows(struct part *p, size_t len, struct err *err)
{
    size_t room = 0;

    for (size_t at = 0; at < len;) {
        struct record r = record_at(p->bytes + at);

        if (p->n == room) {
            const unsigned char **rows;

            room = room ? 2 * room : 1024;
            rows = reallocarray(p->rows, room, sizeof *rows);
            if (!rows)
                return err_nomem(err);
            p->rows = rows;
        }
        p->rows[p->n++] = p->bytes + at;
        at += sizeof r + (r.len == ABSENT ? 0 : r.len);
    }
    if (p->n > 0)
        qsort(p->rows, p->n, sizeof *p->rows, compare);
    return 0;
}

static int
read_part(struct part *p, FILE *f, struct err *err)
{
    long len;

    if (!f)
        return 0;
    if (fflush(f) || (len = ftell(f)) < 0)
        return fail_io(err);
    rewind(f);
    p->bytes = malloc((size_t)len + 1);
    if (!p->bytes)
        return err_nomem(err);
    if (len > 0 && fread(p->bytes, (size_t)len, 1, f) != 1)
        return err_sys(err, errno, "could not read a temporary file");
    return list_rows(p, (size_t)len, err);
}

static void
part_clear(struct part *p)
{
    free(p->bytes);
    free(p->rows);
    *p = (struct part){0};
}

/* ---- join ---- */

struct joining {
    struct part part[PROOF_ENDS];
    size_t at[PROOF_ENDS];
    int (*visit)(void *arg, const struct spill_difference *d, struct err *err);
    void *arg;
};

static int
is_over(const struct joining *j, int end)
{
    return j->at[end] == j->part[end].n;
}

/* The row at which a side is; only of one that is not over. */
static const unsigned char *const *
at(const struct joining *j, int end)
{
    return &j->part[end].rows[j->at[end]];
}

static int
same_key(const unsigned char *a, const unsigned char *b)
{
    return memcmp(a, b, sizeof((struct record *)0)->key) == 0;
}

/* The two of a key that are left, when all that are the same are gone. */
struct left_over {
    const unsigned char *row; /* the first; NULL: none */
    uint64_t n;               /* of the same */
};

static void
put(struct spill_difference *d, int end, const unsigned char *row)
{
    struct record r = record_at(row);

    if (r.len == ABSENT)
        return;
    d->at[end].data = row + sizeof r;
    d->at[end].len = r.len;
}

/* How many rows are the same as the one at hand; passes them. */
static uint64_t
pass_same(struct joining *j, int end)
{
    const unsigned char *const *first = at(j, end);
    uint64_t n = 0;

    while (!is_over(j, end) && compare(first, at(j, end)) == 0) {
        j->at[end]++;
        n++;
    }
    return n;
}

static int
tell(struct joining *j, enum proof_row_kind kind, uint64_t n,
     const unsigned char *left, const unsigned char *right, struct err *err)
{
    struct spill_difference d = {.kind = kind, .n = n};

    if (left)
        put(&d, PROOF_LEFT, left);
    if (right)
        put(&d, PROOF_RIGHT, right);
    return j->visit(j->arg, &d, err);
}

/* A key has rows left on both sides: as many as can be are versions of each
   other. */
static int
tell_pair(struct joining *j, struct left_over *left, struct left_over *right,
          struct err *err)
{
    uint64_t n = left->n < right->n ? left->n : right->n;
    int r = 0;

    if (n > 0)
        r = tell(j, PROOF_ROW_DIFFERING, n, left->row, right->row, err);
    left->n -= n;
    right->n -= n;
    if (!r && left->n > 0)
        r = tell(j, PROOF_ROW_MISSING, left->n, left->row, NULL, err);
    if (!r && right->n > 0)
        r = tell(j, PROOF_ROW_EXTRA, right->n, NULL, right->row, err);
    *left = *right = (struct left_over){0};
    return r;
}

/* What was left over before comes first: keys are unique but for tables
   without one, whose key is the row. */
static int
leave(struct joining *j, struct left_over *mine, enum proof_row_kind kind,
      const unsigned char *row, uint64_t n, struct err *err)
{
    struct left_over before = *mine;

    *mine = (struct left_over){.row = row, .n = n};
    if (!before.n)
        return 0;
    return kind == PROOF_ROW_MISSING
               ? tell(j, kind, before.n, before.row, NULL, err)
               : tell(j, kind, before.n, NULL, before.row, err);
}

static int
join_row(struct joining *j, struct left_over left_over[PROOF_ENDS],
         struct err *err)
{
    const unsigned char *left =
        is_over(j, PROOF_LEFT) ? NULL : *at(j, PROOF_LEFT);
    const unsigned char *right =
        is_over(j, PROOF_RIGHT) ? NULL : *at(j, PROOF_RIGHT);
    int order = !left ? 1 : !right ? -1 : compare(&left, &right);
    uint64_t n_left = 0, n_right = 0;

    if (order <= 0)
        n_left = pass_same(j, PROOF_LEFT);
    if (order >= 0)
        n_right = pass_same(j, PROOF_RIGHT);
    if (n_left > n_right)
        return leave(j, &left_over[PROOF_LEFT], PROOF_ROW_MISSING, left,
                     n_left - n_right, err);
    if (n_right > n_left)
        return leave(j, &left_over[PROOF_RIGHT], PROOF_ROW_EXTRA, right,
                     n_right - n_left, err);
    return 0;
}

static const unsigned char *
least(const struct joining *j)
{
    if (is_over(j, PROOF_LEFT))
        return is_over(j, PROOF_RIGHT) ? NULL : *at(j, PROOF_RIGHT);
    if (is_over(j, PROOF_RIGHT) ||
        compare(at(j, PROOF_LEFT), at(j, PROOF_RIGHT)) < 0)
        return *at(j, PROOF_LEFT);
    return *at(j, PROOF_RIGHT);
}

static int
join_part(struct joining *j, struct err *err)
{
    struct left_over left_over[PROOF_ENDS] = {0};
    const unsigned char *key = NULL, *next;
    int r = 0;

    while (!r && (next = least(j))) {
        if (key && !same_key(key, next))
            r = tell_pair(j, &left_over[PROOF_LEFT], &left_over[PROOF_RIGHT],
                          err);
        key = next;
        if (!r)
            r = join_row(j, left_over, err);
    }
    return r ? r
             : tell_pair(j, &left_over[PROOF_LEFT], &left_over[PROOF_RIGHT],
                         err);
}

int
spill_join(struct spill *s,
           int (*visit)(void *arg, const struct spill_difference *d,
                        struct err *err),
           void *arg, struct err *err)
{
    int r = 0;

    for (unsigned i = 0; i < s->n_parts && !r; i++) {
        struct joining j = {.visit = visit, .arg = arg};

        for (int end = 0; end < PROOF_ENDS && !r; end++)
            r = read_part(&j.part[end], s->files[i][end], err);
        if (!r)
            r = join_part(&j, err);
        for (int end = 0; end < PROOF_ENDS; end++)
            part_clear(&j.part[end]);
    }
    return r;
}
