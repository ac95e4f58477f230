/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/* Private to report_html.c and page*.c: the parts of the page, in the order in
   which they stand.  Each leaves out what there is nothing to say of. */

#include <stdio.h>

#include "loader/report/html.h"
#include "loader/report/report_private.h"

struct page {
    FILE *to;
    struct report *r;
};

/* In pieces; ends in NULL. */
extern const char *const page_style[];

/* page_head.c */
/* Nothing was copied: any two were compared. */
int page_is_comparison(const struct page *p);
void page_verdict(struct page *p);
void page_sides(struct page *p);
void page_rules(struct page *p);

/* page_tables.c */
int page_differences(struct page *p, struct err *err);
int page_tables(struct page *p, struct err *err);
int page_findings(struct page *p, struct err *err);

/* page_rest.c */
int page_sequences(struct page *p, struct err *err);
int page_missing(struct page *p, struct err *err);
int page_intended(struct page *p, struct err *err);
int page_failures(struct page *p, struct err *err);
int page_trouble(struct page *p, struct err *err);
void page_servers(struct page *p);

/* page_time.c */
int page_charts(struct page *p, struct err *err);
int page_slowest(struct page *p, struct err *err);
int page_commands(struct page *p, struct err *err);

/* "<section><h2>...</h2>", and its end; note may be NULL. */
void page_begin(struct page *p, const char *id, const char *title);
void page_end(struct page *p);
/* A row of a <dl>, when there is a value. */
void page_term(struct page *p, const char *term, const char *value);
/* "and 4 711 more" below a list that was cut; 0: nothing. */
void page_more(struct page *p, uint64_t n, const char *of_what);
