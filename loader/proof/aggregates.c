/* SPDX-License-Identifier: PostgreSQL */
#include "loader/proof/aggregates.h"

#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/sketch.h"

__extension__ typedef __int128 wide;

/* What of a column's values is counted. */
enum measure {
    MEASURE_LENGTH, /* that alone */
    MEASURE_BOOLEAN,
    MEASURE_INTEGER,
    MEASURE_OID,
    MEASURE_TIME, /* of binary: an integer */
    MEASURE_FLOAT,
    MEASURE_NUMERIC,
};

struct column {
    enum measure measure;
    uint64_t n_nulls;
    wide length;
    /* Of the measures that have them; min and max where n_values > 0. */
    uint64_t n_values;
    wide sum;
    int64_t min, max;
    long double real_sum, real_size; /* size: of the values without sign */
    double real_min, real_max;
};

struct aggregates {
    enum copy_format format;
    unsigned n;
    struct column *columns;
    struct copy_field *fields;
    struct copy_row row;
    struct sketch *distinct; /* a column each; NULL: nobody asks */
};

/* ---- begin and end ---- */

static enum measure
measure_of(const char *type, enum copy_format format)
{
    static const struct {
        const char *type;
        enum measure measure;
    } known[] = {
        {"boolean", MEASURE_BOOLEAN},
        {"smallint", MEASURE_INTEGER},
        {"integer", MEASURE_INTEGER},
        {"bigint", MEASURE_INTEGER},
        {"oid", MEASURE_OID},
        {"real", MEASURE_FLOAT},
        {"double precision", MEASURE_FLOAT},
    };
    size_t len = strcspn(type, "(");

    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(type, known[i].type) == 0)
            return known[i].measure;
    if (strchr(type, '['))
        return MEASURE_LENGTH;
    if (len == 7 && strncmp(type, "numeric", 7) == 0)
        return MEASURE_NUMERIC;
    if (format == COPY_BINARY &&
        (strcmp(type, "date") == 0 || strncmp(type, "timestamp", 9) == 0))
        return MEASURE_TIME;
    return MEASURE_LENGTH;
}

int
aggregates_new(struct aggregates **ret, const struct catalog_table *t,
               int distinct, struct err *err)
{
    cleanup_(aggregates_freep) struct aggregates *a = calloc(1, sizeof *a);

    if (!a)
        return err_nomem(err);
    a->format = t->format;
    a->n = t->n_columns;
    a->columns = calloc(a->n + 1, sizeof *a->columns);
    a->fields = calloc(a->n + 1, sizeof *a->fields);
    if (distinct)
        a->distinct = calloc(a->n + 1, sizeof *a->distinct);
    if (!a->columns || !a->fields || (distinct && !a->distinct))
        return err_nomem(err);
    for (unsigned i = 0; i < a->n; i++)
        a->columns[i].measure = measure_of(t->columns[i].type, t->format);
    *ret = take(a);
    return 0;
}

struct aggregates *
aggregates_free(struct aggregates *a)
{
    if (!a)
        return NULL;
    copy_row_clear(&a->row);
    free(a->columns);
    free(a->distinct);
    free(a->fields);
    free(a);
    return NULL;
}

/* ---- a value ---- */

static void
add_integer(struct column *c, int64_t value)
{
    c->sum += value;
    if (c->n_values == 0 || value < c->min)
        c->min = value;
    if (c->n_values == 0 || value > c->max)
        c->max = value;
    c->n_values++;
}

static void
add_real(struct column *c, double value)
{
    if (!isfinite(value))
        return;
    c->real_sum += value;
    c->real_size += fabsl(value);
    if (c->n_values == 0 || value < c->real_min)
        c->real_min = value;
    if (c->n_values == 0 || value > c->real_max)
        c->real_max = value;
    c->n_values++;
}

static uint64_t
big_endian(const unsigned char *data, size_t len)
{
    uint64_t value = 0;

    for (size_t i = 0; i < len; i++)
        value = value << 8 | data[i];
    return value;
}

/* Of 2, 4 or 8 bytes, with its sign. */
static int64_t
signed_big_endian(const unsigned char *data, size_t len)
{
    unsigned shift = (unsigned)(64 - 8 * len);

    return (int64_t)(big_endian(data, len) << shift) >> shift;
}

static void
add_binary_float(struct column *c, const unsigned char *data, size_t len)
{
    uint64_t bits = big_endian(data, len);
    uint32_t half = (uint32_t)bits;
    double value;
    float small;

    if (len == 4) {
        memcpy(&small, &half, sizeof small);
        value = (double)small;
    } else {
        memcpy(&value, &bits, sizeof value);
    }
    add_real(c, value);
}

/* value * 10000^exponent. */
static long double
scale(long double value, int exponent)
{
    long double power = 10000, by = 1;

    for (unsigned n = (unsigned)abs(exponent); n; n >>= 1, power *= power)
        if (n & 1)
            by *= power;
    return exponent < 0 ? value / by : value * by;
}

/* numeric_send(): how many digits to base 10000, the weight of the first, the
   sign (0, 0x4000; others are no numbers), the scale, the digits. */
static void
add_binary_numeric(struct column *c, const unsigned char *data, size_t len)
{
    enum { HEAD = 8, NEGATIVE = 0x4000 };
    long double value = 0;
    unsigned n, sign;
    int weight;

    if (len < HEAD)
        return;
    n = (unsigned)big_endian(data, 2);
    weight = (int)signed_big_endian(data + 2, 2);
    sign = (unsigned)big_endian(data + 4, 2);
    if ((sign && sign != NEGATIVE) || len != HEAD + 2 * (size_t)n)
        return;
    /* The first of them are more than a double holds. */
    n = n < 8 ? n : 8;
    for (unsigned i = 0; i < n; i++)
        value = value * 10000 + (long double)big_endian(data + HEAD + 2 * i, 2);
    value = scale(value, weight - (int)n + 1);
    add_real(c, (double)(sign ? -value : value));
}

/* The server checks lengths as it reads; a bag is checked by its digest. */
static void
add_binary(struct column *c, const unsigned char *data, size_t len)
{
    c->length += (wide)len;
    if (len == 0 || (len > 8 && c->measure != MEASURE_NUMERIC))
        return;
    switch (c->measure) {
    case MEASURE_BOOLEAN:
        add_integer(c, data[0] != 0);
        break;
    case MEASURE_INTEGER:
    case MEASURE_TIME:
        add_integer(c, signed_big_endian(data, len));
        break;
    case MEASURE_OID:
        add_integer(c, (int64_t)big_endian(data, len));
        break;
    case MEASURE_FLOAT:
        add_binary_float(c, data, len);
        break;
    case MEASURE_NUMERIC:
        add_binary_numeric(c, data, len);
        break;
    case MEASURE_LENGTH:
        break;
    }
}

/* As COPY escapes it: a backslash and a letter are one byte. */
static size_t
unescaped_length(const unsigned char *data, size_t len)
{
    size_t n = 0;

    for (size_t i = 0; i < len; i++, n++)
        if (data[i] == '\\')
            i++;
    return n;
}

static void
add_text_number(struct column *c, const unsigned char *data, size_t len)
{
    cleanup_(freep) char *text = strndup((const char *)data, len);

    if (!text)
        return;
    if (c->measure == MEASURE_INTEGER || c->measure == MEASURE_OID)
        add_integer(c, strtoll(text, NULL, 10));
    else
        add_real(c, strtod(text, NULL));
}

static void
add_text(struct column *c, const unsigned char *data, size_t len)
{
    c->length += (wide)unescaped_length(data, len);
    if (c->measure == MEASURE_BOOLEAN)
        add_integer(c, len > 0 && data[0] == 't');
    else if (c->measure != MEASURE_LENGTH)
        add_text_number(c, data, len);
}

/* ---- rows ---- */

static void
add_fields(struct aggregates *a)
{
    for (unsigned i = 0; i < a->n; i++) {
        const struct copy_field *f = &a->fields[i];

        if (f->data && a->distinct)
            sketch_add(&a->distinct[i], f->data, f->len);
        if (!f->data)
            a->columns[i].n_nulls++;
        else if (a->format == COPY_BINARY)
            add_binary(&a->columns[i], f->data, f->len);
        else
            add_text(&a->columns[i], f->data, f->len);
    }
}

int
aggregates_piece(struct aggregates *a, const struct copy_piece *p,
                 struct err *err)
{
    int r = copy_row_add(&a->row, p, err);

    if (r)
        return r == COPY_ROW_E_MORE ? 0 : r;
    r = copy_row_split(a->row.data, a->row.len, a->format, a->n, a->fields,
                       err);
    if (!r)
        add_fields(a);
    return r;
}

static void
merge_column(struct column *to, const struct column *from)
{
    int has = to->n_values > 0;

    if (from->n_values > 0) {
        to->min = has && to->min < from->min ? to->min : from->min;
        to->max = has && to->max > from->max ? to->max : from->max;
        to->real_min = has && to->real_min < from->real_min ? to->real_min
                                                            : from->real_min;
        to->real_max = has && to->real_max > from->real_max ? to->real_max
                                                            : from->real_max;
    }
    to->n_nulls += from->n_nulls;
    to->length += from->length;
    to->n_values += from->n_values;
    to->sum += from->sum;
    to->real_sum += from->real_sum;
    to->real_size += from->real_size;
}

void
aggregates_merge(struct aggregates **into, struct aggregates *from)
{
    if (!*into) {
        *into = from;
        return;
    }
    for (unsigned i = 0; i < from->n; i++) {
        merge_column(&(*into)->columns[i], &from->columns[i]);
        if (from->distinct)
            sketch_merge(&(*into)->distinct[i], &from->distinct[i]);
    }
    aggregates_free(from);
}

/* ---- differences ---- */

enum { NUMBER = 48 };

static void
print_wide(char to[NUMBER], wide value)
{
    char *c = to + NUMBER;
    int negative = value < 0;
    size_t n;

    *--c = '\0';
    do {
        int digit = (int)(value % 10);

        *--c = (char)('0' + (digit < 0 ? -digit : digit));
        value /= 10;
    } while (value != 0);
    if (negative)
        *--c = '-';
    n = (size_t)(to + NUMBER - c);
    memmove(to, c, n);
}

struct telling {
    const struct aggregates_pair *pair;
    const struct proof_listener *listener;
    unsigned column;
    unsigned n; /* told, and not accepted */
};

static void
tell(struct telling *t, const char *what, const char *accepted,
     const char *left, const char *right)
{
    const struct aggregates_pair *p = t->pair;
    const char *column = p->table->columns[t->column].name;
    cleanup_(freep) char *object = NULL;

    if (asprintf(&object, "%s of %s.%s", column, p->schema, p->name) < 0)
        object = NULL;
    t->n += !accepted;
    proof_tell_finding(t->listener,
                       &(struct proof_finding){
                           .layer = PROOF_AGGREGATES,
                           .verdict = accepted ? PROOF_ACCEPTED : PROOF_DIFFERS,
                           .kind = "column",
                           .object = object ? object : column,
                           .what = what,
                           .accepted = accepted,
                           .at = {left, right},
                       });
}

static void
compare_wide(struct telling *t, const char *what, wide l, wide r)
{
    char left[NUMBER], right[NUMBER];

    if (l == r)
        return;
    print_wide(left, l);
    print_wide(right, r);
    tell(t, what, NULL, left, right);
}

static void
compare_real(struct telling *t, const char *what, double l, double r)
{
    char left[NUMBER], right[NUMBER];

    if (l == r)
        return;
    snprintf(left, sizeof left, "%.17g", l);
    snprintf(right, sizeof right, "%.17g", r);
    tell(t, what, NULL, left, right);
}

static const char *
accept_column(const struct telling *t, double l, double r)
{
    const struct aggregates_pair *p = t->pair;

    return accept_sum(p->accept, p->schema, p->name,
                      p->table->columns[t->column].name, l, r);
}

static void
compare_sum(struct telling *t, const struct column *l, const struct column *r)
{
    char left[NUMBER], right[NUMBER];

    if (l->sum == r->sum)
        return;
    print_wide(left, l->sum);
    print_wide(right, r->sum);
    tell(t, "has another sum", accept_column(t, (double)l->sum, (double)r->sum),
         left, right);
}

/* What so many roundings come to at worst. */
static long double
rounding(const struct column *c)
{
    return c->real_size * LDBL_EPSILON * (long double)(c->n_values + 1);
}

static void
compare_real_sum(struct telling *t, const struct column *l,
                 const struct column *r)
{
    char left[NUMBER], right[NUMBER];

    if (fabsl(l->real_sum - r->real_sum) <= rounding(l) + rounding(r))
        return;
    snprintf(left, sizeof left, "%.18Lg", l->real_sum);
    snprintf(right, sizeof right, "%.18Lg", r->real_sum);
    tell(t, "has another sum",
         accept_column(t, (double)l->real_sum, (double)r->real_sum), left,
         right);
}

static void
compare_column(struct telling *t, const struct column *l,
               const struct column *r)
{
    int both = l->n_values > 0 && r->n_values > 0;

    compare_wide(t, "has another number of NULLs", (wide)l->n_nulls,
                 (wide)r->n_nulls);
    compare_wide(t, "has another length in all", l->length, r->length);
    switch (l->measure) {
    case MEASURE_LENGTH:
        break;
    case MEASURE_BOOLEAN:
        compare_wide(t, "is true another number of times", l->sum, r->sum);
        break;
    case MEASURE_INTEGER:
    case MEASURE_OID:
    case MEASURE_TIME:
        compare_sum(t, l, r);
        if (both) {
            compare_wide(t, "has another minimum", l->min, r->min);
            compare_wide(t, "has another maximum", l->max, r->max);
        }
        break;
    case MEASURE_FLOAT:
    case MEASURE_NUMERIC:
        compare_wide(t, "is finite another number of times", (wide)l->n_values,
                     (wide)r->n_values);
        compare_real_sum(t, l, r);
        if (both) {
            compare_real(t, "has another minimum", l->real_min, r->real_min);
            compare_real(t, "has another maximum", l->real_max, r->real_max);
        }
        break;
    }
}

/* A NULL is no value; of no rows there is none. */
static void
compare_distinct(struct telling *t, const struct aggregates *l,
                 const struct aggregates *r)
{
    static const struct sketch none;
    const struct sketch *a = l ? &l->distinct[t->column] : &none;
    const struct sketch *b = r ? &r->distinct[t->column] : &none;
    char left[NUMBER], right[NUMBER];

    if (sketch_is_equal(a, b))
        return;
    snprintf(left, sizeof left, "about %" PRIu64, sketch_estimate(a));
    snprintf(right, sizeof right, "about %" PRIu64, sketch_estimate(b));
    tell(t, "has other distinct values", NULL, left, right);
}

unsigned
aggregates_compare(const struct aggregates_pair *p,
                   const struct proof_listener *listener)
{
    const struct aggregates *left = p->at[PROOF_LEFT];
    const struct aggregates *right = p->at[PROOF_RIGHT];
    struct telling t = {.pair = p, .listener = listener};
    unsigned n = 0;

    for (unsigned i = 0; i < p->table->n_columns; i++) {
        struct column none = {
            .measure = measure_of(p->table->columns[i].type, p->table->format)};

        t.column = i;
        t.n = 0;
        compare_column(&t, left ? &left->columns[i] : &none,
                       right ? &right->columns[i] : &none);
        if ((left && left->distinct) || (right && right->distinct))
            compare_distinct(&t, left, right);
        n += t.n > 0;
    }
    return n;
}
