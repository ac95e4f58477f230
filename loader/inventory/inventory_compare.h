/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Two inventories compared, by a walk along both: memory is two lines.
 *
 * An object that only one has is one difference, whatever its parts; and so a
 * part, whatever its properties.
 *
 * Between servers of different major versions is overlooked what they write
 * in different words: double quotes and spaces; in the definitions of views,
 * rules and SQL functions before which column its table's name stands; the
 * right MAINTAIN, which is new in 17; names of ICU's locales.  An invalid index
 * that only the left one has is none: no copy has it.
 */

#include "io/err.h"
#include "loader/inventory/inventory.h"

struct inventory_difference {
    const char *kind, *name;
    const char *part;         /* "": the object itself */
    const char *property;     /* NULL: one of the two lacks all of it */
    const char *left, *right; /* NULL: there is none.  Without a property the
                                 one that has it is "" */
};

struct inventory_comparison {
    struct inventory *left, *right;
    int no_owner, no_acl; /* do not compare these */
    int left_is_part;     /* objects that only the right one has are none of
                             our business; parts of common objects are */
    void (*tell)(void *arg, const struct inventory_difference *d);
    void *arg;
};

int inventory_compare(const struct inventory_comparison *c, struct err *err);
