/* SPDX-License-Identifier: PostgreSQL */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "formats/manifest.h"
#include "io/cleanup.h"
#include "io/printable.h"
#include "loader/cli/copying.h"
#include "loader/progress/quantity.h"
#include "loader/source/plan/outlook.h"

enum { SHOWN_SKIPS = 1000, NAME_WIDTH = 40, SHOWN = PRINTABLE_SIZE(1024) };

static const char *
cut_name(const struct catalog_cut *cut)
{
    if (cut->n_chunks < 2)
        return "whole";
    return cut->by_key ? "key" : "blocks";
}

/* Call visit for the first things that are not copied. */
static int
each_skip(struct outlook *o,
          void (*visit)(void *arg, const struct catalog_skip *s), void *arg,
          struct err *err)
{
    uint64_t cursor = 0;

    for (unsigned i = 0; i < SHOWN_SKIPS; i++) {
        cleanup_(catalog_skip_freep) struct catalog_skip *s = NULL;
        int r = catalog_next_skip(o->catalog, &cursor, &s, err);

        if (r)
            return r == CATALOG_E_NONE ? 0 : r;
        visit(arg, s);
    }
    return 0;
}

/* ---- for people ---- */

static void
print_table(const struct outlook_table *x)
{
    const struct catalog_table *t = x->table;
    char name[SHOWN], shown[SHOWN], bytes[QUANTITY_SIZE], rows[24] = "-";

    snprintf(name, sizeof name, "%s.%s", t->schema, t->name);
    if (x->n_rows >= 0)
        snprintf(rows, sizeof rows, "%" PRId64, x->n_rows);
    printf("%-*s %10s %12s %8" PRIu64 "  %-6s  %s\n", NAME_WIDTH,
           printable(shown, sizeof shown, name),
           quantity_bytes(bytes, t->n_bytes), rows, x->cut.n_chunks,
           copy_format_name(t->format), cut_name(&x->cut));
}

static void
print_tables(const struct outlook *o)
{
    const struct catalog_counts *n = &o->counts;

    printf("%-*s %10s %12s %8s  %-6s  %s\n", NAME_WIDTH, "table", "size",
           "rows", "chunks", "format", "cut by");
    for (unsigned i = 0; i < o->n_largest; i++)
        print_table(&o->largest[i]);
    if (n->n_tables > o->n_largest)
        printf("... and %" PRIu64 " more\n", n->n_tables - o->n_largest);
}

static void
print_skip(void *arg, const struct catalog_skip *s)
{
    char line[4096], shown[PRINTABLE_SIZE(sizeof line)];

    (void)arg;
    snprintf(line, sizeof line, "%s %s%s%s: %s", s->kind, s->schema,
             *s->schema ? "." : "", s->name, s->reason);
    printf("%s%s\n", printable(shown, sizeof shown, line),
           s->harmless ? "" : " (the copy would not be complete)");
}

static void
print_estimates(const struct outlook *o, const struct options *options)
{
    char disk[QUANTITY_SIZE], time[QUANTITY_SIZE], bytes[QUANTITY_SIZE];
    char rows[QUANTITY_SIZE];
    char name[SHOWN], shown[SHOWN];

    printf("\nrows  about %s, by the source's statistics",
           quantity_rows(rows, o->n_rows));
    if (o->n_uncounted > 0)
        printf(", which say nothing of %" PRIu64 " table%s", o->n_uncounted,
               o->n_uncounted == 1 ? "" : "s");
    printf("\ndisk  about %s: half of the size of the tables, for they "
           "compress\n",
           quantity_bytes(disk, o->disk_bytes));
    if (o->ms == 0) {
        puts("time  not known: there is too little to measure a rate by");
        return;
    }
    snprintf(name, sizeof name, "%s.%s", o->sampled->schema, o->sampled->name);
    printf("time  about %s, if each of %u worker%s reads as fast as a sample "
           "was read:\n      %s of %s in %.1f s\n",
           quantity_duration(time, o->ms), options->jobs,
           options->jobs == 1 ? "" : "s",
           quantity_bytes(bytes, o->sample.n_bytes),
           printable(shown, sizeof shown, name), (double)o->sample.ms / 1000);
}

static int
print_text(struct outlook *o, const struct options *options, struct err *err)
{
    const struct catalog_counts *n = &o->counts;
    char bytes[QUANTITY_SIZE];
    int r;

    printf("%" PRIu64 " table%s in %" PRIu64 " chunk%s, %s; %" PRIu64
           " sequence%s\n\n",
           n->n_tables, n->n_tables == 1 ? "" : "s", n->n_chunks,
           n->n_chunks == 1 ? "" : "s", quantity_bytes(bytes, n->planned_bytes),
           o->n_sequences, o->n_sequences == 1 ? "" : "s");
    print_tables(o);
    if (n->n_skipped > 0)
        puts("\nnot copied:");
    r = each_skip(o, print_skip, NULL, err);
    if (!r && n->n_skipped > SHOWN_SKIPS)
        printf("... and %" PRIu64 " more\n", n->n_skipped - SHOWN_SKIPS);
    if (!r)
        print_estimates(o, options);
    return r;
}

/* ---- for programs ---- */

static void
set_number(json_t *to, const char *name, uint64_t n)
{
    json_object_set_new(to, name, manifest_u64_json(n));
}

static void
set_text(json_t *to, const char *name, const char *text)
{
    char shown[PRINTABLE_SIZE(4096)];

    json_object_set_new(to, name,
                        json_string(printable(shown, sizeof shown, text)));
}

static json_t *
table_json(const struct outlook_table *x)
{
    json_t *o = json_object();

    set_text(o, "schema", x->table->schema);
    set_text(o, "name", x->table->name);
    set_number(o, "bytes", x->table->n_bytes);
    json_object_set_new(o, "rows",
                        x->n_rows < 0 ? json_null() : json_integer(x->n_rows));
    set_number(o, "chunks", x->cut.n_chunks);
    set_text(o, "format", copy_format_name(x->table->format));
    set_text(o, "cut_by", cut_name(&x->cut));
    return o;
}

static void
add_skip(void *list, const struct catalog_skip *s)
{
    json_t *o = json_object();

    set_text(o, "kind", s->kind);
    set_text(o, "schema", s->schema);
    set_text(o, "name", s->name);
    set_text(o, "reason", s->reason);
    json_object_set_new(o, "harmless", json_boolean(s->harmless));
    json_array_append_new(list, o);
}

static json_t *
sample_json(const struct outlook *o)
{
    json_t *sample = json_object();

    set_text(sample, "schema", o->sampled->schema);
    set_text(sample, "name", o->sampled->name);
    set_number(sample, "bytes", o->sample.n_bytes);
    set_number(sample, "milliseconds", o->sample.ms);
    return sample;
}

static int
print_json(struct outlook *o, struct err *err)
{
    json_t *tables = json_array(), *skips = json_array();
    json_t *all = json_object();
    int r;

    set_number(all, "tables", o->counts.n_tables);
    set_number(all, "chunks", o->counts.n_chunks);
    set_number(all, "bytes", o->counts.planned_bytes);
    set_number(all, "rows", o->n_rows);
    set_number(all, "tables_without_statistics", o->n_uncounted);
    set_number(all, "sequences", o->n_sequences);
    set_number(all, "skipped", o->counts.n_skipped);
    set_number(all, "disk_bytes", o->disk_bytes);
    if (o->ms > 0) {
        set_number(all, "milliseconds", o->ms);
        json_object_set_new(all, "sample", sample_json(o));
    }
    json_object_set_new(all, "largest", tables);
    json_object_set_new(all, "not_copied", skips);
    for (unsigned i = 0; i < o->n_largest; i++)
        json_array_append_new(tables, table_json(&o->largest[i]));
    r = each_skip(o, add_skip, skips, err);
    if (!r) {
        json_dumpf(all, stdout, JSON_INDENT(2));
        putchar('\n');
    }
    json_decref(all);
    return r;
}

static int
run(const struct command_context *ctx, struct err *err)
{
    cleanup_(selection_freep) struct selection *selection = NULL;
    cleanup_(outlook_clear) struct outlook o = {0};
    const struct options *options = ctx->options;
    struct outlook_params p = {
        .conninfo = options->source,
        .plan = copying_planner_params(options),
        .jobs = options->jobs,
        .stop = ctx->stop,
    };
    int r = selecting(&selection, options, err);

    p.selection = selection;
    if (!r)
        r = outlook_take(&o, &p, err);
    if (r)
        return r;
    return options->json ? print_json(&o, err) : print_text(&o, options, err);
}

const struct command command_plan = {
    .name = "plan",
    .summary = "show what would be copied, how, and how long it takes",
    .description =
        "Plans an export as the export itself does, in a snapshot of its own, "
        "and shows it: the largest tables with the chunks that they are cut "
        "into, and what would not be copied, with the reason.  No table "
        "stays locked, and nothing stays behind, on the source or on disk."
        "\n\n"
        "How many rows there are is what the source's statistics say.  "
        "The time is an estimate: a table is read for two seconds at most, "
        "and each worker is taken to be as fast.  So is the room on disk: "
        "half of the size of the tables.",
    .requires = OPTION_SET(source),
    .takes = OPTION_SET(jobs) | OPTION_SET(chunk_size) | OPTION_SET(format) |
             SELECTING_OPTIONS | OPTION_SET(publications) | OPTION_SET(json),
    .run = run,
};
