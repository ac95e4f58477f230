/* SPDX-License-Identifier: PostgreSQL */
#include "formats/manifest.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct manifest_writer {
    const struct bytes_out *out; /* borrowed */
    enum {
        MEMBERS,  /* entered by begin and array_end */
        ELEMENTS, /* entered by array: only elements may follow */
        ENDED,
    } state;
    uint64_t n_members;
    uint64_t n_elements; /* of this array */
};

/* ---- numbers ---- */

json_t *
manifest_u64_json(uint64_t n)
{
    char text[24];

    if (n <= MANIFEST_EXACT_MAX)
        return json_integer((json_int_t)n);
    snprintf(text, sizeof text, "%" PRIu64, n);
    return json_string(text);
}

json_t *
manifest_i64_json(int64_t n)
{
    char text[24];

    if (n >= -MANIFEST_EXACT_MAX && n <= MANIFEST_EXACT_MAX)
        return json_integer(n);
    snprintf(text, sizeof text, "%" PRId64, n);
    return json_string(text);
}

/* ---- text ---- */

static int
put(const struct manifest_writer *w, const char *text, struct err *err)
{
    return bytes_out_append(w->out, text, strlen(text), err);
}

/* Where jansson's text goes. */
struct target {
    const struct bytes_out *out;
    struct err *err;
    int r; /* of the output */
};

/* A newline in a value can only be indentation: that in strings is escaped.
   Members stand one level below the document, and so do their lines. */
static int
put_shifted(const char *text, size_t len, void *to)
{
    struct target *t = to;
    const char *end = text + len, *next;

    for (; text < end && t->r == 0; text = next) {
        next = memchr(text, '\n', (size_t)(end - text));
        next = next ? next + 1 : end;
        t->r = bytes_out_append(t->out, text, (size_t)(next - text), t->err);
        if (t->r == 0 && next[-1] == '\n')
            t->r = bytes_out_append(t->out, "  ", 2, t->err);
    }
    return t->r;
}

/* Takes value over.  name is for messages. */
static int
put_value(const struct manifest_writer *w, json_t *value, size_t flags,
          const char *name, struct err *err)
{
    struct target t = {.out = w->out, .err = err};
    int r;

    if (!value) {
        err_set(err, ERR_SYSTEM, "could not write JSON of \"%s\"", name);
        return err_detail(err, "Out of memory, or a text is not UTF-8.");
    }
    r = json_dump_callback(value, put_shifted, &t, flags | JSON_ENCODE_ANY);
    json_decref(value);
    if (t.r)
        return t.r;
    return r ? err_nomem(err) : 0;
}

static int
put_name(struct manifest_writer *w, const char *name, struct err *err)
{
    int r;

    assert(w->state == MEMBERS);

    r = put(w, w->n_members++ ? ",\n  " : "\n  ", err);
    if (r)
        return r;
    r = put_value(w, json_string(name), 0, name, err);
    if (r)
        return r;
    return put(w, ": ", err);
}

/* ---- the document ---- */

int
manifest_writer_begin(struct manifest_writer **ret, const struct bytes_out *out,
                      struct err *err)
{
    cleanup_(manifest_writer_freep) struct manifest_writer *w = NULL;
    int r;

    w = malloc(sizeof *w);
    if (!w)
        return err_nomem(err);
    *w = (struct manifest_writer){.out = out, .state = MEMBERS};
    r = put(w, "{", err);
    if (r)
        return r;
    *ret = take(w);
    return 0;
}

struct manifest_writer *
manifest_writer_free(struct manifest_writer *w)
{
    free(w);
    return NULL;
}

int
manifest_writer_member(struct manifest_writer *w, const char *name,
                       json_t *value, struct err *err)
{
    int r;

    r = put_name(w, name, err);
    if (r) {
        json_decref(value);
        return r;
    }
    return put_value(w, value, JSON_INDENT(2), name, err);
}

int
manifest_writer_array(struct manifest_writer *w, const char *name,
                      struct err *err)
{
    int r;

    r = put_name(w, name, err);
    if (r)
        return r;
    w->state = ELEMENTS;
    w->n_elements = 0;
    return put(w, "[", err);
}

int
manifest_writer_element(struct manifest_writer *w, json_t *value,
                        struct err *err)
{
    int r;

    assert(w->state == ELEMENTS);

    r = put(w, w->n_elements++ ? ",\n    " : "\n    ", err);
    if (r) {
        json_decref(value);
        return r;
    }
    return put_value(w, value, 0, "element", err);
}

int
manifest_writer_array_end(struct manifest_writer *w, struct err *err)
{
    assert(w->state == ELEMENTS);

    w->state = MEMBERS;
    return put(w, w->n_elements ? "\n  ]" : "]", err);
}

int
manifest_writer_end(struct manifest_writer *w, struct err *err)
{
    assert(w->state == MEMBERS);

    w->state = ENDED;
    return put(w, w->n_members ? "\n}\n" : "}\n", err);
}
