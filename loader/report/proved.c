/* SPDX-License-Identifier: PostgreSQL */
#include "loader/report/proved.h"

#include <stdlib.h>
#include <string.h>

#include "loader/catalog/catalog_db.h"
#include "loader/report/lines.h"

#define PROOF_FILE "proof.jsonl"

static const char schema[] =
    "DROP TABLE IF EXISTS temp.report_proved;"
    "CREATE TEMP TABLE report_proved("
    "  schema TEXT NOT NULL, name TEXT NOT NULL, rank INTEGER NOT NULL,"
    "  line TEXT NOT NULL," /* the record */
    "  PRIMARY KEY(schema, name)) STRICT, WITHOUT ROWID;"
    "DROP TABLE IF EXISTS temp.report_rows;"
    "CREATE TEMP TABLE report_rows("
    "  id INTEGER PRIMARY KEY, line TEXT NOT NULL) STRICT;"
    "DROP TABLE IF EXISTS temp.report_findings;"
    "CREATE TEMP TABLE report_findings("
    "  id INTEGER PRIMARY KEY, rank INTEGER NOT NULL,"
    "  line TEXT NOT NULL) STRICT;"
    "CREATE INDEX temp.report_findings_by_rank"
    " ON report_findings(rank, id);";

void
proved_clear(struct proved *p)
{
    json_decref(p->head);
    json_decref(p->end);
    *p = (struct proved){0};
}

/* A verdict that we do not know is none to be trusted. */
static enum proved_rank
rank_of(const json_t *o)
{
    static const char *const names[PROVED_N_RANKS] = {
        [PROVED_DIFFERS] = "differs", [PROVED_MISSING] = "missing",
        [PROVED_FAILED] = "failed",   [PROVED_ACCEPTED] = "accepted",
        [PROVED_EQUAL] = "equal",
    };

    for (int i = 0; i < PROVED_N_RANKS; i++)
        if (strcmp(lines_text(o, "verdict"), names[i]) == 0)
            return i;
    return PROVED_FAILED;
}

static int
see_table(struct proved *p, struct catalog *c, const json_t *o,
          const char *line, struct err *err)
{
    enum proved_rank rank = rank_of(o);

    p->n_tables[rank] += lines_u64(o, "tables");
    p->n_rows += lines_u64(json_object_get(o, "right"), "rows");
    p->n_rows_wrong += lines_u64(o, "missing") + lines_u64(o, "extra") +
                       lines_u64(o, "differing");
    p->is_sample |= lines_u64(o, "sample_ppm") > 0;
    return catalog_db_run(
        c, err, SQL("INSERT OR REPLACE INTO report_proved VALUES(?, ?, ?, ?)"),
        TEXT(lines_text(o, "schema")), TEXT(lines_text(o, "name")), INT(rank),
        TEXT(line));
}

static int
see_finding(struct proved *p, struct catalog *c, const json_t *o,
            const char *line, struct err *err)
{
    enum proved_rank rank = rank_of(o);

    p->n_findings[rank]++;
    return catalog_db_run(
        c, err, SQL("INSERT INTO report_findings(rank, line) VALUES(?, ?)"),
        INT(rank), TEXT(line));
}

static void
keep(json_t **to, json_t *o)
{
    json_decref(*to);
    *to = json_incref(o);
}

static int
see(struct proved *p, struct catalog *c, json_t *o, struct err *err)
{
    const char *record = lines_text(o, "record");
    cleanup_(freep) char *line = NULL;

    if (strcmp(record, "proof") == 0)
        keep(&p->head, o);
    if (strcmp(record, "end") == 0)
        keep(&p->end, o);
    line = json_dumps(o, JSON_COMPACT);
    if (!line)
        return err_nomem(err);
    if (strcmp(record, "table") == 0)
        return see_table(p, c, o, line, err);
    if (strcmp(record, "finding") == 0)
        return see_finding(p, c, o, line, err);
    if (strcmp(record, "row") == 0)
        return catalog_db_run(
            c, err, SQL("INSERT INTO report_rows(line) VALUES(?)"), TEXT(line));
    return 0;
}

static int
read_all(struct proved *p, struct lines *l, struct catalog *c, struct err *err)
{
    json_t *o;
    int r;

    while ((r = lines_next(l, &o, NULL, err)) == 0) {
        r = see(p, c, o, err);
        json_decref(o);
        if (r)
            return r;
    }
    if (r != LINES_E_END)
        return r;
    if (!p->head || !p->end || lines_n_torn(l) > 0)
        return err_set(err, ERR_CORRUPT,
                       "\"" PROOF_FILE "\" is not a whole record of a proof");
    p->is_there = 1;
    return 0;
}

int
proved_read(struct proved *ret, const struct run_dir *dir, struct catalog *c,
            struct err *err)
{
    cleanup_(lines_freep) struct lines *l = NULL;
    int r;

    *ret = (struct proved){0};
    r = catalog_db_script(c, err, schema);
    if (!r)
        r = lines_open(&l, run_dir_fd(dir), PROOF_FILE, err);
    if (r)
        return r == LINES_E_NONE ? 0 : r;
    return read_all(ret, l, c, err);
}

uint64_t
proved_begun_at(const struct proved *p)
{
    return lines_u64(p->head, "at");
}

uint64_t
proved_ended_at(const struct proved *p)
{
    return lines_u64(p->end, "at");
}
