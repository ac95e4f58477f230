/* SPDX-License-Identifier: PostgreSQL */
#include "loader/cli/account.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>

#include "formats/manifest.h"
#include "io/printable.h"
#include "loader/bag/seal.h"
#include "loader/catalog/capture.h"
#include "loader/cli/account_source.h"
#include "loader/cli/reporting.h"
#include "loader/cutover/cutover.h"
#include "loader/progress/quantity.h"

static void
set_number(json_t *to, const char *name, uint64_t n)
{
    json_object_set_new(to, name, manifest_u64_json(n));
}

/* The name is what the user gave, or found: any bytes. */
static void
print_publication(const char *name)
{
    char shown[PRINTABLE_SIZE(64)];

    printf("published %s\n", printable(shown, sizeof shown, name));
}

static json_t *
capture_json(const struct capture *m)
{
    char lsn[CAPTURE_LSN];

    return json_pack("{s:s,s:s?,s:s,s:s}", "slot", m->slot, "publication",
                     m->publication, "plugin", m->plugin, "lsn",
                     capture_lsn(lsn, m->lsn));
}

/* {"slot", "publication", "plugin", "lsn"} of the newest epoch, or null. */
static int
add_capture(struct workplace *w, json_t *to, struct err *err)
{
    struct capture m = {0};
    int r = capture_read(&m, w->catalog, err);

    if (r)
        return r;
    json_object_set_new(
        to, "cdc", m.state == CAPTURE_NONE ? json_null() : capture_json(&m));
    capture_clear(&m);
    return 0;
}

/* "slot      pghaul_12345678 of pgoutput from 0/1A2B3C, publication ..." */
static void
print_one_capture(const struct capture *m)
{
    char lsn[CAPTURE_LSN];

    if (m->state == CAPTURE_MADE)
        printf("slot      %s of %s, from %s\n", m->slot, m->plugin,
               capture_lsn(lsn, m->lsn));
    else
        printf("slot      %s of %s, being made or left half made\n", m->slot,
               m->plugin);
    if (m->publication)
        print_publication(m->publication);
}

/* Of each epoch. */
static int
print_capture(struct workplace *w, struct err *err)
{
    struct captures all = {0};
    int r = captures_read(&all, w->catalog, err);

    for (unsigned i = 0; i < all.n && !r; i++)
        print_one_capture(&all.list[i]);
    captures_clear(&all);
    return r;
}

/* "cutover": where it is, or null. */
static int
add_cutover(struct workplace *w, json_t *to, struct err *err)
{
    cleanup_(freep) char *state = NULL;
    int r = cutover_state(w->catalog, &state, err);

    if (r >= 0)
        json_object_set_new(to, "cutover",
                            r ? json_null() : json_string(state));
    return r < 0 ? r : 0;
}

static int
print_cutover(struct workplace *w, struct err *err)
{
    cleanup_(freep) char *state = NULL;
    int r = cutover_state(w->catalog, &state, err);

    if (r == 0)
        printf("cut-over  %s\n", state);
    return r < 0 ? r : 0;
}

/* What the report's verdict would be; no report is no failure of status. */
static void
print_verdict(struct workplace *w, const struct facts *f)
{
    cleanup_(report_freep) struct report *r = NULL;
    char because[PRINTABLE_SIZE(1024)];
    struct err ignored;

    if (f->state == FACTS_NEW || reporting_judge(&r, w, f, &ignored))
        return;
    printf("verdict   %s: %s\n", report_verdict_name(report_verdict(r)),
           printable(because, sizeof because, report_because(r)));
}

static void
add_verdict(struct workplace *w, const struct facts *f, json_t *to)
{
    cleanup_(report_freep) struct report *r = NULL;
    char because[PRINTABLE_SIZE(1024)];
    struct err ignored;

    if (f->state == FACTS_NEW || reporting_judge(&r, w, f, &ignored)) {
        json_object_set_new(to, "verdict", json_null());
        return;
    }
    json_object_set_new(to, "verdict",
                        json_string(report_verdict_name(report_verdict(r))));
    json_object_set_new(
        to, "because",
        json_string(printable(because, sizeof because, report_because(r))));
}

enum account_scope { ACCOUNT_RUN, ACCOUNT_SOURCE_TOO };

static int
print_json(struct workplace *w, const struct facts *f, const char *did,
           enum account_scope scope, struct err *err)
{
    struct catalog_counts n;
    json_t *o;
    int r = catalog_count(w->catalog, &n, err);

    if (r)
        return r;
    o = json_object();
    json_object_set_new(o, "did", json_string(did));
    json_object_set_new(o, "run", json_string(f->run_id ? f->run_id : ""));
    set_number(o, "tables", n.n_tables);
    set_number(o, "tables_failed", n.n_tables_failed);
    set_number(o, "chunks", n.n_chunks);
    set_number(o, "chunks_staged", n.n_chunks_staged);
    set_number(o, "chunks_loaded", n.n_chunks_loaded);
    set_number(o, "entries", n.n_entries);
    set_number(o, "entries_done", n.n_entries_done);
    set_number(o, "skipped", n.n_skipped);
    set_number(o, "rows", n.n_rows);
    set_number(o, "raw_bytes", n.raw_bytes);
    set_number(o, "file_bytes", n.file_bytes);
    json_object_set_new(o, "recipients",
                        f->recipients ? json_string(f->recipients)
                                      : json_null());
    json_object_set_new(o, "sealed", json_boolean(seal_is_there(w->dir)));
    set_number(o, "milliseconds", workplace_elapsed_ms(w));
    r = add_capture(w, o, err);
    if (!r && scope == ACCOUNT_SOURCE_TOO)
        r = add_cutover(w, o, err);
    if (scope == ACCOUNT_SOURCE_TOO)
        if (scope == ACCOUNT_SOURCE_TOO) {
            account_source_json(w->dir, o);
            add_verdict(w, f, o);
        }
    if (!r) {
        json_dumpf(o, stdout, JSON_INDENT(2));
        putchar('\n');
    }
    json_decref(o);
    return r;
}

/* Of those who write files. */
static void
print_encryption(const struct workplace *w, const struct facts *f)
{
    unsigned n = 1;

    if (!(w->ctx->command->takes & OPTION_SET(recipient)))
        return;
    if (!f->recipients) {
        puts("not encrypted: --recipient was not given");
        return;
    }
    for (const char *c = f->recipients; *c; c++)
        n += *c == ' ';
    printf("encrypted to %u recipient%s\n", n, n == 1 ? "" : "s");
}

/* "exported 1.2 M rows of 4 tables in 3.2 s: 812 MB, 253 MB/s" */
static void
print_moved(struct workplace *w, const struct catalog_counts *n,
            const char *did)
{
    char rows[QUANTITY_SIZE], bytes[QUANTITY_SIZE], rate[QUANTITY_SIZE];
    char time[QUANTITY_SIZE];
    uint64_t ms = workplace_elapsed_ms(w);

    printf("%s %s of %" PRIu64 " table%s in %s: %s, %s/s\n", did,
           quantity_rows(rows, n->n_rows), n->n_tables,
           n->n_tables == 1 ? "" : "s", quantity_duration(time, ms),
           quantity_bytes(bytes, n->raw_bytes),
           quantity_bytes(rate, n->raw_bytes * 1000 / (ms ? ms : 1)));
}

int
account_copy(struct workplace *w, const struct facts *f, const char *verb,
             enum account_end end, struct err *err)
{
    struct catalog_counts n;
    char bytes[QUANTITY_SIZE];
    int r;

    if (w->ctx->options->json)
        return print_json(w, f, verb, ACCOUNT_RUN, err);
    r = catalog_count(w->catalog, &n, err);
    if (r || w->ctx->options->quiet)
        return r;
    if (end == ACCOUNT_NOTHING_TO_DO)
        printf("nothing to do: all is %s already\n", verb);
    else
        print_moved(w, &n, verb);
    printf("run %s in \"%s\": %" PRIu64 " chunks, %s staged\n", f->run_id,
           w->called ? w->called : run_dir_path(w->dir), n.n_chunks,
           quantity_bytes(bytes, n.file_bytes));
    print_encryption(w, f);
    return print_capture(w, err);
}

int
account_status(struct workplace *w, const struct facts *f, struct err *err)
{
    struct catalog_counts n;
    char bytes[QUANTITY_SIZE], rows[QUANTITY_SIZE];
    int r, pid = run_dir_holder(w->dir);

    if (w->ctx->options->json)
        return print_json(w, f, "status", ACCOUNT_SOURCE_TOO, err);
    r = catalog_count(w->catalog, &n, err);
    if (r)
        return r;
    if (f->state == FACTS_NEW) {
        printf("nothing is exported yet\n");
    } else {
        printf("run       %s\n", f->run_id);
        printf("source    %s\n", f->source);
        if (f->recipients)
            printf("encrypted to %s\n", f->recipients);
        printf("export    %" PRIu64 " of %" PRIu64 " chunks of %" PRIu64
               " tables staged: %s, %s\n",
               n.n_chunks_staged, n.n_chunks, n.n_tables,
               quantity_rows(rows, n.n_rows),
               quantity_bytes(bytes, n.file_bytes));
        if (seal_is_there(w->dir))
            printf("sealed    \"sha256sum -c manifest-sha256.txt\" checks"
                   " every byte\n");
        printf("load      %" PRIu64 " chunks loaded, %" PRIu64 " of %" PRIu64
               " schema entries restored after the data\n",
               n.n_chunks_loaded, n.n_entries_done, n.n_entries);
        if (n.n_tables_failed + n.n_entries_failed > 0)
            printf("failed    %" PRIu64 " tables, %" PRIu64 " entries\n",
                   n.n_tables_failed, n.n_entries_failed);
        if (n.n_skipped > 0)
            printf("skipped   %" PRIu64 " objects, %" PRIu64
                   " of them missing in the copy\n",
                   n.n_skipped, n.n_skipped_harmful);
        print_verdict(w, f);
    }
    r = print_capture(w, err);
    if (!r)
        r = print_cutover(w, err);
    if (pid)
        printf("at work   process %d\n", pid);
    account_source_print(w->dir);
    return r;
}
