/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Base64 as age has it: the usual alphabet, no padding, and one way only to
 * write something, so that what is read is exactly what would be written.
 */

#include <stddef.h>

/* Characters of n bytes. */
#define BASE64_LEN(n) (((n)*4 + 2) / 3)

/* Fills BASE64_LEN(n) characters, and no end. */
void base64_encode(char *to, const void *bytes, size_t n);

/* 0, or -1 unless text is exactly n bytes. */
int base64_decode(void *to, size_t n, const char *text, size_t len);

/* Of a length that is not known: is it well formed? */
int base64_is(const char *text, size_t len);
