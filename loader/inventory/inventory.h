/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Inventory: what a database consists of, as lines in an order that is the
 * same everywhere, so that two of them are compared by walking along both.
 *
 *     table  shop.orders  column id  type  integer
 *     table  shop.orders  column id  not null  yes
 *     view   shop.recent              definition  SELECT ...
 *
 * An object has at least one line, with an empty part; of properties only
 * those that are not what they are by default.  docs/inventory.md lists them,
 * and what is not in it: rows, publications, subscriptions, what belongs to an
 * extension, the ledgers of our own loads.
 *
 * Servers of all versions say the same of the same object, but for what
 * inventory_compare.h knows to overlook.  Lines are in UTF-8, or in whatever
 * bytes a database of SQL_ASCII holds.
 *
 *     NEW --next--> ... --E_END--> OVER
 */

#include "formats/age/age.h"
#include "io/cleanup.h"
#include "io/err.h"
#include "loader/catalog/facts.h"
#include "loader/pg/session.h"
#include "loader/run/run_dir.h"

/* Lives until the next one is read. */
struct inventory_line {
    const char *kind; /* "table", "materialized view", "function"... */
    const char *name; /* qualified: public.t, public.f(integer) */
    const char *part; /* "column a", "index i", "trigger t"...; or "" */
    const char *property, *value;
};

struct inventory;

/*
 * Of a server, as the session sees it: in a transaction, and nothing else may
 * be done with it until the end or inventory_free().  with: see
 * inventory_sql.h.
 */
int inventory_of_session(struct inventory **ret, struct session *s,
                         const char *with, struct err *err);

/* Of a run's source, as it was exported, opened with these (NULL: none): CATALOG_E_NONE when an older export
   has not written any; ERR_CORRUPT when it is not what was written. */
int inventory_of_run(struct inventory **ret, const struct run_dir *dir,
                     const struct facts *f, const struct age_identities *with,
                     struct err *err);

struct inventory *inventory_free(struct inventory *i);
DEFINE_CLEANUP(struct inventory *, inventory_free)

enum { INVENTORY_E_END = 1 };
int inventory_next(struct inventory *i, struct inventory_line *ret,
                   struct err *err);

/* Of the server that it is of: 150018. */
int inventory_version(const struct inventory *i);

/* Whether a line stands before another: <0, 0, >0, by kind, name, part and
   property. */
int inventory_order(const struct inventory_line *a,
                    const struct inventory_line *b);

/* Write data/schema/inventory.tsv durably, over an older one, and its digest
   into f; s sees the run's snapshot.  to NULL: as it is. */
int inventory_write(const struct run_dir *dir, struct session *s,
                    const char *with, const struct age_recipients *to,
                    struct facts *f, struct err *err);
