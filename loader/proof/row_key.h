/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Row key: by which columns a row of a table is known, as a server says: its
 * primary key, or another unique index of columns that are never NULL.  And what
 * types its columns have there, to make text of what came in binary; where one
 * is not the type that was staged, the server could make nothing of it.
 *
 * Without a server, or without such an index, all of a row is its key.
 */

#include "formats/copy_row.h"
#include "formats/digest.h"
#include "io/err.h"
#include "loader/catalog/catalog.h"
#include "loader/pg/session.h"

struct row_key {
    unsigned n;        /* columns of the key; 0: the whole row */
    unsigned *columns; /* their places in the table, in the key's order */
    char **types;      /* of the columns of the table; NULL: nobody knows */
    char **sends;      /* the functions that give their binary form; NULL */
    unsigned n_types;
};

/* Of the table (or its root, where it has one), as the session sees it.  It may
   not be there: then nothing is known. */
int row_key_read(struct row_key *ret, struct session *s,
                 const struct catalog_table *t, struct err *err);
/* Of large objects: by OID and offset. */
int row_key_of_large_objects(struct row_key *ret, struct err *err);
void row_key_clear(struct row_key *k);

int row_key_has(const struct row_key *k, unsigned column);

/* The digest of the row's key.  fields has room for all columns and is filled
   where there is a key. */
int row_key_digest(const struct row_key *k, const struct catalog_table *t,
                   const struct copy_row *row, struct copy_field *fields,
                   struct digest *ret, struct err *err);
