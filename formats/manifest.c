/* SPDX-License-Identifier: PostgreSQL */
#include "formats/manifest.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/hex.h"

struct manifest {
    char *name;
    json_t *root;
    int failed;
    struct err err; /* the first failure, once failed */
};

/* ---- parsing ---- */

static int
not_valid(struct err *err, const char *name, int line, int column)
{
    return err_set(err, ERR_CORRUPT,
                   "\"%s\" is not valid JSON at line %d, column %d", name, line,
                   column);
}

/* Offset of the bracket that nests too deep, or len.  Jansson would go on to
   2048, which is more than a small stack holds. */
static size_t
find_too_deep(const char *text, size_t len)
{
    int depth = 0, in_string = 0;
    size_t i;

    for (i = 0; i < len; i++) {
        if (text[i] == '"')
            in_string = !in_string;
        else if (in_string)
            i += text[i] == '\\';
        else if (text[i] == '[' || text[i] == '{')
            depth++;
        else if (text[i] == ']' || text[i] == '}')
            depth--;
        if (depth > MANIFEST_DEPTH_MAX)
            return i;
    }
    return len;
}

static int
check_depth(const char *name, const char *text, size_t len, struct err *err)
{
    size_t place = find_too_deep(text, len), i;
    int line = 1, column = 1;

    if (place == len)
        return 0;
    for (i = 0; i < place; i++) {
        column = text[i] == '\n' ? 1 : column + 1;
        line += text[i] == '\n';
    }
    not_valid(err, name, line, column);
    return err_detail(err, "Nested deeper than %d.", MANIFEST_DEPTH_MAX);
}

static int
parse(struct manifest *m, const char *text, size_t len, struct err *err)
{
    json_error_t error;

    m->root = json_loadb(text, len, JSON_REJECT_DUPLICATES, &error);
    if (m->root)
        return 0;
    if (json_error_code(&error) == json_error_out_of_memory)
        return err_nomem(err);
    not_valid(err, m->name, error.line, error.column);
    return err_detail(err, "%s", error.text);
}

int
manifest_parse(struct manifest **ret, const char *name, const void *text,
               size_t len, struct err *err)
{
    cleanup_(manifest_freep) struct manifest *m = NULL;
    struct manifest_at root;
    int r;

    m = calloc(1, sizeof *m);
    if (!m)
        return err_nomem(err);
    m->name = strdup(name);
    if (!m->name)
        return err_nomem(err);

    r = check_depth(name, text, len, err);
    if (r)
        return r;
    r = parse(m, text, len, err);
    if (r)
        return r;
    root = manifest_root(m);
    manifest_object(&root, NULL);
    r = manifest_check(m, err);
    if (r)
        return r;

    *ret = take(m);
    return 0;
}

struct manifest *
manifest_free(struct manifest *m)
{
    if (!m)
        return NULL;
    json_decref(m->root);
    free(m->name);
    free(m);
    return NULL;
}

int
manifest_check(const struct manifest *m, struct err *err)
{
    if (!m->failed)
        return 0;
    *err = m->err;
    return -1;
}

/* ---- failures ---- */

/* "tables[3].columns[0].name" */
static void
describe(const struct manifest_at *at, char *to, size_t size)
{
    size_t len;

    *to = '\0';
    if (!at->parent)
        return;
    describe(at->parent, to, size);
    len = strlen(to);
    if (at->member)
        snprintf(to + len, size - len, "%s%s", len ? "." : "", at->member);
    else
        snprintf(to + len, size - len, "[%zu]", at->index);
}

static int
is_exact(const json_t *integer)
{
    json_int_t n = json_integer_value(integer);

    return n >= -MANIFEST_EXACT_MAX && n <= MANIFEST_EXACT_MAX;
}

static const char *
kind_of(const json_t *value)
{
    if (!value)
        return "nothing";
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return "an object";
    case JSON_ARRAY:
        return "an array";
    case JSON_STRING:
        return "a string";
    case JSON_INTEGER:
        return is_exact(value) ? "a number"
                               : "a number that may have been rounded";
    case JSON_REAL:
        return "a real number";
    case JSON_TRUE:
    case JSON_FALSE:
        return "a boolean";
    case JSON_NULL:
        break;
    }
    return "null";
}

/* The place holds something else.  Only the first failure counts. */
static void
fail(const struct manifest_at *at, const char *expected, const char *found)
{
    char path[256];

    if (at->m->failed)
        return;
    describe(at, path, sizeof path);
    err_set(&at->m->err, ERR_CORRUPT, "\"%s\": %s%sexpected %s, found %s",
            at->m->name, path, *path ? ": " : "", expected, found);
    at->m->failed = 1;
}

/* ---- places ---- */

struct manifest_at
manifest_root(struct manifest *m)
{
    return (struct manifest_at){.m = m, .value = m->failed ? NULL : m->root};
}

/* The member, whatever it is; its value is NULL when there is none. */
static struct manifest_at
find(const struct manifest_at *at, const char *member)
{
    struct manifest_at to = *at;

    if (member) {
        if (!json_is_object(at->value))
            fail(at, "an object", kind_of(at->value));
        to = (struct manifest_at){.m = at->m,
                                  .value = json_object_get(at->value, member),
                                  .parent = at,
                                  .member = member};
    }
    if (at->m->failed)
        to.value = NULL;
    return to;
}

/* The member, which must be of the type. */
static struct manifest_at
find_typed(const struct manifest_at *at, const char *member, json_type type,
           const char *expected)
{
    struct manifest_at to = find(at, member);

    if (!to.value || json_typeof(to.value) != type) {
        fail(&to, expected, kind_of(to.value));
        to.value = NULL;
    }
    return to;
}

struct manifest_at
manifest_object(const struct manifest_at *at, const char *member)
{
    return find_typed(at, member, JSON_OBJECT, "an object");
}

struct manifest_at
manifest_array(const struct manifest_at *at, const char *member)
{
    return find_typed(at, member, JSON_ARRAY, "an array");
}

size_t
manifest_count(const struct manifest_at *array)
{
    return array->m->failed ? 0 : json_array_size(array->value);
}

struct manifest_at
manifest_element(const struct manifest_at *array, size_t i)
{
    json_t *value = json_array_get(array->value, i);

    return (struct manifest_at){.m = array->m,
                                .value = array->m->failed ? NULL : value,
                                .parent = array,
                                .index = i};
}

int
manifest_has(const struct manifest_at *at, const char *member)
{
    struct manifest_at to = find(at, member);

    return to.value && !json_is_null(to.value);
}

/* ---- values ---- */

const char *
manifest_string(const struct manifest_at *at, const char *member)
{
    struct manifest_at to = find_typed(at, member, JSON_STRING, "a string");

    return json_string_value(to.value);
}

int
manifest_bool(const struct manifest_at *at, const char *member)
{
    struct manifest_at to = find(at, member);

    if (!json_is_boolean(to.value))
        fail(&to, "a boolean", kind_of(to.value));
    return json_is_true(to.value);
}

struct number {
    int negative;
    uint64_t magnitude;
};

/* Digits as we write them, of a number that no double holds for sure. */
static int
parse_digits(const char *text, struct number *ret)
{
    struct number n = {.negative = *text == '-'};
    const char *digits = text + n.negative;

    if (*digits == '0')
        return -1;
    for (; *digits >= '0' && *digits <= '9'; digits++) {
        if (__builtin_mul_overflow(n.magnitude, 10u, &n.magnitude) ||
            __builtin_add_overflow(n.magnitude, (unsigned)(*digits - '0'),
                                   &n.magnitude))
            return -1;
    }
    if (*digits || n.magnitude <= MANIFEST_EXACT_MAX)
        return -1;
    *ret = n;
    return 0;
}

/* Each number has one form, so what is written back is what was read. */
static int
find_number(const struct manifest_at *to, struct number *ret)
{
    json_int_t n = json_integer_value(to->value);

    if (json_is_string(to->value) &&
        parse_digits(json_string_value(to->value), ret) == 0)
        return 0;
    if (json_is_integer(to->value) && is_exact(to->value)) {
        *ret = (struct number){n < 0, (uint64_t)(n < 0 ? -n : n)};
        return 0;
    }
    fail(to, "a number", kind_of(to->value));
    return -1;
}

static void
fail_range(const struct manifest_at *at, const char *expected,
           const struct number *n)
{
    char found[32];

    snprintf(found, sizeof found, "%s%" PRIu64, n->negative ? "-" : "",
             n->magnitude);
    fail(at, expected, found);
}

uint64_t
manifest_u64(const struct manifest_at *at, const char *member, uint64_t min,
             uint64_t max)
{
    struct manifest_at to = find(at, member);
    char expected[64];
    struct number n;

    if (find_number(&to, &n) < 0)
        return 0;
    if (!n.negative && n.magnitude >= min && n.magnitude <= max)
        return n.magnitude;
    snprintf(expected, sizeof expected, "a number from %" PRIu64 " to %" PRIu64,
             min, max);
    fail_range(&to, expected, &n);
    return 0;
}

int64_t
manifest_i64(const struct manifest_at *at, const char *member)
{
    struct manifest_at to = find(at, member);
    struct number n;

    if (find_number(&to, &n) < 0)
        return 0;
    if (n.magnitude <= (uint64_t)INT64_MAX + (unsigned)n.negative)
        return (int64_t)(n.negative ? -n.magnitude : n.magnitude);
    fail_range(&to, "a number of 64 bits with sign", &n);
    return 0;
}

/* ---- writing back ---- */

int
manifest_write(const struct manifest *m, const struct bytes_out *out,
               struct err *err)
{
    cleanup_(manifest_writer_freep) struct manifest_writer *w = NULL;
    const char *name;
    json_t *value;
    int r;

    assert(!m->failed);

    r = manifest_writer_begin(&w, out, err);
    if (r)
        return r;
    json_object_foreach(m->root, name, value)
    {
        r = manifest_writer_member(w, name, json_incref(value), err);
        if (r)
            return r;
    }
    return manifest_writer_end(w, err);
}

/* ---- names ---- */

void
manifest_set_name(json_t *to, const char *member, const char *text)
{
    json_t *value = json_string(text);
    char *hex_member = NULL, *hex = NULL;

    if (value) {
        json_object_set_new(to, member, value);
        return;
    }
    hex = malloc(2 * strlen(text) + 1);
    if (hex && asprintf(&hex_member, "%s_hex", member) > 0) {
        hex_encode(hex, text, strlen(text));
        json_object_set_new(to, hex_member, json_string(hex));
        free(hex_member);
    }
    free(hex);
}
