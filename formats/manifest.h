/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * JSON documents with a schema: catalog.json and its kin.
 *
 * Reading is strict about what is known and kind to what is not: a member of
 * the wrong type, a missing one or a number out of range is refused with the
 * path of the field ("tables[3].columns[0].name: expected a string, found a
 * number"); members that we do not know are kept and written back.
 *
 * A cursor is a place in a document.  The first failure sticks to the
 * document, and all later reads answer zero or NULL: callers read a whole
 * object and ask once.
 *
 * Numbers above 2^53, which many JSON readers round, are strings; here they
 * are refused in any other form.
 */

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "io/bytes.h"
#include "io/cleanup.h"
#include "io/err.h"

struct manifest;

/* A double holds every whole number up to this one. */
#define MANIFEST_EXACT_MAX (INT64_C(1) << 53)

/* Nested deeper than this is refused: readers recurse. */
enum { MANIFEST_DEPTH_MAX = 64 };

/* Parse text, an object; errors (ERR_CORRUPT) give line and column.  name is
   for messages.  Duplicate members are refused, and NUL in strings. */
int manifest_parse(struct manifest **ret, const char *name, const void *text,
                   size_t len, struct err *err);
struct manifest *manifest_free(struct manifest *m);
DEFINE_CLEANUP(struct manifest *, manifest_free)

/* A place in the document; a value, copied freely, valid as long as it. */
struct manifest_at {
    struct manifest *m;
    json_t *value;                    /* NULL after a failure */
    const struct manifest_at *parent; /* must outlive this one */
    const char *member;               /* NULL: element number index */
    size_t index;
};

struct manifest_at manifest_root(struct manifest *m);

/* From here on member NULL means the place itself. */

/* The member, which must be an object or an array. */
struct manifest_at manifest_object(const struct manifest_at *at,
                                   const char *member);
struct manifest_at manifest_array(const struct manifest_at *at,
                                  const char *member);
size_t manifest_count(const struct manifest_at *array);
struct manifest_at manifest_element(const struct manifest_at *array, size_t i);

/* 0 also when it is null. */
int manifest_has(const struct manifest_at *at, const char *member);

const char *manifest_string(const struct manifest_at *at, const char *member);
/* Must lie in [min, max]. */
uint64_t manifest_u64(const struct manifest_at *at, const char *member,
                      uint64_t min, uint64_t max);
int64_t manifest_i64(const struct manifest_at *at, const char *member);
int manifest_bool(const struct manifest_at *at, const char *member);

/* 0, or <0 with the first failure since the document was parsed. */
int manifest_check(const struct manifest *m, struct err *err);

/*
 * Write the document back, with the members that we do not know: in the order
 * in which they came, indented; the same document gives the same bytes.  Not
 * after a failure.
 */
int manifest_write(const struct manifest *m, const struct bytes_out *out,
                   struct err *err);

/*
 * A member of an object that is a name.  Names are bytes in a database's
 * encoding, JSON is UTF-8: one that is not valid UTF-8 stands under
 * "<member>_hex", in hexadecimal.
 */
void manifest_set_name(json_t *to, const char *member, const char *text);

/* A number, or a string when it is above 2^53. */
json_t *manifest_u64_json(uint64_t n);
json_t *manifest_i64_json(int64_t n);

/*
 * Writing a document too large for memory, member by member:
 *
 *     begin --member, (array --element ...-- array_end) ...--> end
 *
 * Values are taken over, also on failure; NULL, which is what jansson makes
 * of a text that is not UTF-8, is refused.  Text comes out as manifest_write()
 * would write it, but for one thing: an element of the array stands on one
 * line.  out is borrowed until end.
 */
struct manifest_writer;

int manifest_writer_begin(struct manifest_writer **ret,
                          const struct bytes_out *out, struct err *err);
int manifest_writer_member(struct manifest_writer *w, const char *name,
                           json_t *value, struct err *err);
int manifest_writer_array(struct manifest_writer *w, const char *name,
                          struct err *err);
int manifest_writer_element(struct manifest_writer *w, json_t *value,
                            struct err *err);
int manifest_writer_array_end(struct manifest_writer *w, struct err *err);
int manifest_writer_end(struct manifest_writer *w, struct err *err);
struct manifest_writer *manifest_writer_free(struct manifest_writer *w);
DEFINE_CLEANUP(struct manifest_writer *, manifest_writer_free)
