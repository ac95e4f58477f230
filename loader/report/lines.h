/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Lines: a file of JSON objects, one a line, read from an offset on.  What is
 * no object, as a line that a crash has torn, is counted and passed over.
 */

#include <jansson.h>
#include <stdint.h>

#include "io/cleanup.h"
#include "io/err.h"

struct lines;

/* Outcomes: there is no such file; there is no more of it. */
enum { LINES_E_NONE = 1, LINES_E_END };

/* name in dir_fd, as it is now: what is added later is not seen. */
int lines_open(struct lines **ret, int dir_fd, const char *name,
               struct err *err);
struct lines *lines_free(struct lines *l);
DEFINE_CLEANUP(struct lines *, lines_free)

/* Go on at this offset, which begins a line. */
void lines_seek(struct lines *l, uint64_t offset);

/* The next object is the caller's; *ret_offset (may be NULL): where it
   begins. */
int lines_next(struct lines *l, json_t **ret, uint64_t *ret_offset,
               struct err *err);

uint64_t lines_n_torn(const struct lines *l);

/* ---- members, whatever they are ---- */

/* "" and 0 where there is none of that kind. */
const char *lines_text(const json_t *o, const char *member);
uint64_t lines_u64(const json_t *o, const char *member);
