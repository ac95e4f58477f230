/* SPDX-License-Identifier: PostgreSQL */
#include "loader/target/carried.h"

#include <stdlib.h>

#include "loader/pg/tool.h"
#include "loader/target/schema.h"

/* They have a dump of their own, and so dump ids of their own: far above those
   of the schema, and of what --into-existing puts aside. */
#define FIRST_ENTRY (INT64_C(1) << 41)

/* Behind the schema's entries, but for event triggers. */
enum { FIRST_ORDER = 1 << 28 };

struct adder {
    struct catalog *catalog;
    unsigned n;
};

static int
is_chosen_from(struct catalog *c, const struct catalog_entry *entry, int *ret,
               struct err *err)
{
    cleanup_(catalog_table_freep) struct catalog_table *t = NULL;
    int r = catalog_table_by_name(c, entry->schema, entry->name, &t, err);

    *ret = r == 0 && t->condition != NULL;
    return r == CATALOG_E_NONE ? 0 : r;
}

static int
add_entry(void *arg, struct catalog_entry *entry, uint32_t oid, struct err *err)
{
    struct adder *x = arg;
    int chosen, r = is_chosen_from(x->catalog, entry, &chosen, err);

    (void)oid;
    if (r || chosen)
        return r;
    entry->id += FIRST_ENTRY;
    entry->order = FIRST_ORDER + x->n++;
    return catalog_add_entry(x->catalog, entry, err);
}

static int
is_possible(const struct carried_params *p, int major)
{
    cleanup_(freep) char *path = NULL;
    struct err why;

    if (!p->facts->documents[FACTS_STATISTICS].present ||
        p->target_major < TOOL_KNOWS_STATISTICS)
        return 0;
    if (tool_find(&path, "pg_restore", major, &why) == 0)
        return 1;
    progress_note(p->progress,
                  "the source's statistics are not carried over: "
                  "%s",
                  why.message);
    return 0;
}

int
carried_add_entries(const struct carried_params *p, int *ret, struct err *err)
{
    int source_major = p->facts->version / 10000;
    const struct schema_params params = {
        .dir = p->dir,
        .catalog = p->catalog,
        .stop = p->stop,
        .file = facts_document_file(p->facts, FACTS_STATISTICS),
        .sha256 = p->facts->documents[FACTS_STATISTICS].sha256,
        .in_memory = p->facts->recipients != NULL,
        .identities = p->identities,
        .without = SCHEMA_PRE_DATA,
        .major = source_major < TOOL_KNOWS_STATISTICS ? TOOL_KNOWS_STATISTICS
                                                      : source_major,
        .target_major = p->target_major,
    };
    cleanup_(schema_freep) struct schema *dump = NULL;
    struct adder x = {.catalog = p->catalog};
    int r;

    *ret = is_possible(p, params.major);
    if (!*ret)
        return 0;
    r = schema_open(&dump, &params, err);
    if (!r)
        r = schema_each(dump, SCHEMA_DATA, add_entry, &x, err);
    return r ? r : schema_each(dump, SCHEMA_POST_DATA, add_entry, &x, err);
}
