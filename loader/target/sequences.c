/* SPDX-License-Identifier: PostgreSQL */
#include "loader/target/sequences.h"

#include <inttypes.h>
#include <stdio.h>

static int
set_one(struct session *s, const struct catalog_sequence *q, struct err *err)
{
    cleanup_(session_freememp) char *name =
        session_qualified(s, q->schema, q->name);
    cleanup_(session_freememp) char *literal = NULL;

    if (name)
        literal = session_literal(s, name);
    if (!literal)
        return err_nomem(err);
    return session_execf(s, err,
                         "SELECT pg_catalog.setval(%s::pg_catalog.regclass,"
                         " %" PRId64 ", %s)",
                         literal, q->last_value,
                         q->is_called ? "true" : "false");
}

static int
set_all(struct session *s, struct catalog *c, struct err *err)
{
    uint64_t cursor = 0;
    int r;

    for (;;) {
        cleanup_(catalog_sequence_freep) struct catalog_sequence *q = NULL;

        r = catalog_next_sequence(c, &cursor, &q, err);
        if (r)
            return r == CATALOG_E_NONE ? 0 : r;
        r = set_one(s, q, err);
        if (r)
            return r;
    }
}

int
sequences_set(struct session *s, struct catalog *c, struct err *err)
{
    struct err ignored;
    int r;

    r = session_exec(s, "BEGIN", err);
    if (!r)
        r = set_all(s, c, err);
    if (!r)
        return session_exec(s, "COMMIT", err);
    session_exec(s, "ROLLBACK", &ignored);
    return r;
}
