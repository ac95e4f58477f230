/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/* Bytes as the text that object stores have them as. */

#include <stddef.h>

/* Lower case; room for 2 * n + 1. */
void object_hex(char *ret, const unsigned char *bytes, size_t n);

/* Room for OBJECT_BASE64_SIZE(n). */
#define OBJECT_BASE64_SIZE(n) (((n) + 2) / 3 * 4 + 1)
void object_base64(char *ret, const unsigned char *bytes, size_t n);

/* Whether both are the same entity tag; quotes around it do not count. */
int object_etag_equal(const char *a, const char *b);

/* The MD5 that an entity tag is of an object (or part) that was stored in one
   piece and not encrypted with a key of its own; 0: it is none. */
int object_etag_md5(unsigned char ret[16], const char *etag);
