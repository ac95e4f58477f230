/* SPDX-License-Identifier: PostgreSQL */
#include <stdio.h>

#include "loader/source/plan/planner_private.h"
#include "loader/source/plan/relations.h"

/*
 * "SELECT 0, last_value, is_called FROM s.a UNION ALL SELECT 1, ..."
 * Reading locks them until the transaction ends, and the lock table is not
 * made for that many: the savepoint gives the locks back.
 */
static char *
read_sequences(struct session *s, const PGresult *page)
{
    char *sql = NULL;
    size_t len;
    FILE *f = open_memstream(&sql, &len);

    if (!f)
        return NULL;
    for (int i = 0; i < PQntuples(page); i++) {
        cleanup_(session_freememp) char *name = session_qualified(
            s, PQgetvalue(page, i, 1), PQgetvalue(page, i, 2));

        fprintf(f, "%sSELECT %d, last_value, is_called FROM %s",
                i ? " UNION ALL " : "", i, name ? name : "");
    }
    if (fclose(f) == 0)
        return sql;
    free(sql);
    return NULL;
}

static int
add_sequence(struct planner *p, const PGresult *page, const PGresult *values,
             int i, struct err *err)
{
    int line = (int)planner_number(values, i, 0);
    struct catalog_sequence q = {
        .schema = PQgetvalue(page, line, 1),
        .name = PQgetvalue(page, line, 2),
        .last_value = strtoll(PQgetvalue(values, i, 1), NULL, 10),
        .is_called = planner_is_true(values, i, 2),
    };

    return catalog_add_sequence(p->catalog, &q, err);
}

static int
add_sequences(void *arg, const PGresult *page, struct err *err)
{
    struct planner *p = arg;
    cleanup_(session_clearp) PGresult *values = NULL;
    char *sql = read_sequences(p->session, page);
    int r;

    if (!sql)
        return err_nomem(err);
    r = session_exec(p->session, "SAVEPOINT pghaul_locks", err);
    if (!r)
        r = session_query(p->session, sql, &values, err);
    free(sql);
    for (int i = 0; !r && i < PQntuples(values); i++)
        r = add_sequence(p, page, values, i, err);
    return r ? r
             : session_exec(p->session, "ROLLBACK TO SAVEPOINT pghaul_locks",
                            err);
}

int
planner_sequences(struct planner *p, struct err *err)
{
    const struct relations sequences = {p->session, p->params->selection,
                                        "{S}"};

    return relations_each_page(&sequences, add_sequences, p, err);
}
