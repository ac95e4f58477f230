/* SPDX-License-Identifier: PostgreSQL */
#include "loader/catalog/proven.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loader/catalog/catalog_db.h"

static int
read_number(struct catalog *c, const char *key, uint64_t *ret, struct err *err)
{
    cleanup_(freep) char *text = NULL;
    int r = catalog_get(c, key, &text, err);

    *ret = text ? strtoull(text, NULL, 10) : 0;
    return r == CATALOG_E_NONE ? 0 : r;
}

static int
read_text(struct catalog *c, const char *key, char **ret, struct err *err)
{
    int r = catalog_get(c, key, ret, err);

    return r == CATALOG_E_NONE
               ? err_set(err, ERR_CORRUPT, "the run catalogue has no %s", key)
               : r;
}

int
proven_read(struct proven *ret, struct catalog *c, struct err *err)
{
    cleanup_(freep) char *verdict = NULL;
    struct proven p = {0};
    uint64_t at = 0;
    int r = catalog_get(c, "proof.verdict", &verdict, err);

    if (r)
        return r == CATALOG_E_NONE ? PROVEN_E_NONE : r;
    p.equal = strcmp(verdict, "equal") == 0;
    r = read_number(c, "proof.at", &at, err);
    p.at = (int64_t)at;
    if (!r)
        r = read_text(c, "proof.system_id", &p.system_id, err);
    if (!r)
        r = read_text(c, "proof.database", &p.database, err);
    if (!r)
        r = read_number(c, "proof.tables", &p.n_tables, err);
    if (!r)
        r = read_number(c, "proof.rows", &p.n_rows, err);
    if (r)
        proven_clear(&p);
    else
        *ret = p;
    return r;
}

void
proven_clear(struct proven *p)
{
    free(p->system_id);
    free(p->database);
    *p = (struct proven){0};
}

static int
write_all(const struct proven *p, struct catalog *c, struct err *err)
{
    char at[24], tables[24], rows[24];
    const char *const pairs[][2] = {
        {"proof.verdict", p->equal ? "equal" : "differs"},
        {"proof.at", at},
        {"proof.system_id", p->system_id},
        {"proof.database", p->database},
        {"proof.tables", tables},
        {"proof.rows", rows},
    };
    int r = 0;

    snprintf(at, sizeof at, "%" PRIi64, p->at);
    snprintf(tables, sizeof tables, "%" PRIu64, p->n_tables);
    snprintf(rows, sizeof rows, "%" PRIu64, p->n_rows);
    for (unsigned i = 0; i < sizeof pairs / sizeof *pairs && !r; i++)
        r = catalog_set(c, pairs[i][0], pairs[i][1], err);
    return r;
}

int
proven_write(const struct proven *p, struct catalog *c, struct err *err)
{
    int r = catalog_db_group_begin(c, err);

    return r ? r : catalog_db_group_end(c, err, write_all(p, c, err));
}

int
proven_forget(struct catalog *c, struct err *err)
{
    return catalog_db_together(c, err,
                               "DELETE FROM settings WHERE key GLOB 'proof.*'");
}
