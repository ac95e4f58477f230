/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Large objects as rows: they travel through the same pipe as the rows of
 * tables, as two tables of kinds of their own.
 *
 *     LARGE_OBJECTS           (loid oid, "offset" int8, data bytea)
 *     LARGE_OBJECT_METADATA   (loid oid, what text, statement text)
 *
 * Contents are pieces of at most 256 KiB, each object's in order.  The first
 * and the last piece are always there, so that an empty object is a row and
 * every object gets its length; of the others those that are all zeros are
 * left out, as nothing is stored where nothing was written.
 *
 * Metadata are the statements that give an object its owner, its privileges,
 * its comment and its security labels: what is "OWNER", "ACL", "COMMENT" or
 * "SECURITY LABEL".  Each may be executed again.
 *
 * All is read by functions that any role may call, so every object's own
 * privileges count; the server's refusal names the object.
 */

#include <stdint.h>

#include "loader/catalog/catalog.h"

/* Of pg_largeobject, the same in every database. */
enum { LARGE_OBJECTS_OID = 2613 };

/* pg_largeobject, pg_largeobject_metadata, and their columns as above. */
int large_objects_table(enum catalog_kind kind, struct catalog_table **ret,
                        struct err *err);

/* The COPY of objects with OIDs in [lo, hi), in binary; the caller frees.
   NULL: out of memory. */
char *large_objects_copy_out(enum catalog_kind kind, uint64_t lo, uint64_t hi);

/*
 * FROM of a query: x.oid and x.size of every large object whose OID meets the
 * condition, by OID.  Each function has a subquery of its own, and none is
 * joined to another: a join could remember what a descriptor's number gave the
 * last time.  pg_largeobject itself can be read by superusers only.
 */
#define LARGE_OBJECTS_SIZES(condition)                                         \
    "(SELECT oid, size FROM (SELECT oid, fd,"                                  \
    "  pg_catalog.lo_lseek64(fd, 0, 2) AS size FROM (SELECT oid,"              \
    "   pg_catalog.lo_open(oid, 262144) AS fd"                                 \
    "   FROM pg_catalog.pg_largeobject_metadata WHERE " condition              \
    "   ORDER BY oid OFFSET 0) AS a OFFSET 0) AS b"                            \
    "  WHERE pg_catalog.lo_close(fd) = 0) AS x"
