/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/* Private to report*.c: what a report is made of. */

#include "loader/report/history.h"
#include "loader/report/proved.h"
#include "loader/report/report.h"

/* What troubles about a table, in the order of the report. */
enum report_trouble {
    REPORT_TABLE_DIFFERS,
    REPORT_TABLE_MISSING,    /* on one side */
    REPORT_TABLE_UNCOMPARED, /* could not be */
    REPORT_TABLE_FAILED,     /* to be exported or loaded */
    REPORT_TABLE_UNFINISHED, /* to be exported or loaded yet */
    REPORT_TABLE_ACCEPTED,   /* differs within what was accepted */
    REPORT_TABLE_FINE,
    REPORT_N_TROUBLES,
};

struct report {
    struct report_params params;
    struct history history;
    struct proved proved;
    int is_stale; /* the copy was changed after the proof */
    struct catalog_counts counts;
    char seal[65]; /* SHA-256 of tagmanifest-sha256.txt; "": not sealed */
    uint64_t made_at;
    enum report_verdict verdict;
    char because[1024];
    struct report_sums {
        uint64_t n_lines; /* of the list of tables: roots count as one */
        uint64_t n_troubled, n_tables, n_rows, n_raw, n_stored;
        uint64_t n_sequences;
    } sums;
};

/* One line of the list of tables: a table, or all below one root. */
struct report_table {
    char *schema, *name; /* owned */
    char *why;           /* owned; NULL: nothing to say */
    json_t *proved;      /* owned; its record, or NULL */
    enum report_trouble trouble;
    uint64_t n_tables, n_chunks, n_unstaged, n_unloaded;
    uint64_t n_rows, n_raw, n_stored;
    char digest[33]; /* of what is staged; "": not all is */
    int is_binary;
    uint64_t export_ms, load_ms, build_ms, verify_ms;
};

/* Troubles first, then by size. */
#define REPORT_TABLES "ORDER BY trouble, n_raw DESC, n_bytes DESC, id"
/* Those that took longest. */
#define REPORT_SLOWEST                                                         \
    "WHERE export + load + build + verify > 0"                                 \
    " ORDER BY export + load + build + verify DESC, id"

/* Visit the first max of them.  visit's answer other than 0 ends it and is
   returned. */
int report_each_table(struct report *r, const char *order, uint64_t max,
                      int (*visit)(void *arg, const struct report_table *t,
                                   struct err *err),
                      void *arg, struct err *err);

/* The records of a temporary table (column "line"), in this order. */
int report_each_line(struct report *r, const char *sql,
                     int (*visit)(void *arg, const json_t *o, struct err *err),
                     void *arg, struct err *err);

/* report_tables.c: fill the list of tables. */
int report_list_tables(struct report *r, struct err *err);
/* report_verdict.c */
void report_judge(struct report *r);

/* "X/Y". */
enum { REPORT_LSN = 24 };
char *report_lsn(char to[REPORT_LSN], uint64_t lsn);
