/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Sampling: a share of a table's rows, the same on both sides and in every run:
 * those whose key has a SHA-256 below a limit.  What is hashed are the bytes that
 * COPY sends for the columns of the key (all columns, where there is no key), so
 * that a server can choose the rows in SQL, whatever its version and encoding,
 * and we can choose them from the files of a bag.
 */

#include <stdint.h>

#include "formats/copy_row.h"
#include "io/err.h"
#include "loader/catalog/catalog.h"
#include "loader/pg/session.h"
#include "loader/proof/row_key.h"

enum { SAMPLING_ALL = 1000000 };

struct sampling {                      /* begins as {0} */
    const struct catalog_table *table; /* borrowed */
    struct row_key key;
    unsigned char limit[4];
    char *condition; /* SQL, for either server; NULL: there is none */
};

/* s: of a server, to quote; NULL: there is none, and all columns are the key.
   encoding is that in which rows are exchanged. */
int sampling_begin(struct sampling *ret, struct session *s,
                   const struct catalog_table *t, const char *encoding,
                   uint32_t ppm, struct err *err);
void sampling_clear(struct sampling *a);

/* 1: the row is in the sample; 0: it is not. */
int sampling_has(const struct sampling *a, struct copy_field *fields,
                 const struct copy_row *row, struct err *err);
