/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Quantities as people read them: three digits and a unit.
 *
 * Bytes go by 1024 and are called as pg_size_pretty() calls them, so that our
 * numbers agree with those of the server.  Digits that do not fit are cut, not
 * rounded: nothing is said to be there before it is.
 */

#include <stdint.h>

enum { QUANTITY_SIZE = 64 };

/* Each fills to and returns it. */

/* "512 bytes", "1.24 GB" */
char *quantity_bytes(char to[QUANTITY_SIZE], uint64_t n);
/* "0.12 of 1.97 GB": both in the unit of the whole. */
char *quantity_part(char to[QUANTITY_SIZE], uint64_t part, uint64_t whole);
/* "312 MB/s" */
char *quantity_rate(char to[QUANTITY_SIZE], uint64_t bytes_per_s);
/* "1 row", "2.10 M rows" */
char *quantity_rows(char to[QUANTITY_SIZE], uint64_t n);
/* "00:01:23" */
char *quantity_duration(char to[QUANTITY_SIZE], uint64_t ms);
