/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/* Bytes as lower-case hexadecimal digits, as sha256sum writes them. */

#include <stddef.h>

/* Fills 2 * n digits and the end. */
void hex_encode(char *to, const void *bytes, size_t n);

/* 0, or -1 unless text is exactly 2 * n hexadecimal digits. */
int hex_decode(void *to, size_t n, const char *text);
