/* SPDX-License-Identifier: PostgreSQL */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>

#include "formats/manifest.h"
#include "io/printable.h"
#include "loader/cli/archiving.h"
#include "loader/cli/objects.h"
#include "loader/progress/quantity.h"

/* What is told of a table. */
struct row {
    const struct catalog_table *table;
    uint64_t n_chunks, n_rows, raw_bytes, file_bytes;
};

static int
sum_chunks(struct row *row, struct catalog *c, struct err *err)
{
    uint64_t id = 0;
    int r;

    for (;;) {
        cleanup_(catalog_chunk_freep) struct catalog_chunk *k = NULL;

        r = catalog_next_chunk(c, row->table->id, id, &k, err);
        if (r)
            return r == CATALOG_E_NONE ? 0 : r;
        id = k->id;
        row->n_chunks++;
        row->n_rows += k->totals.digest.n_rows;
        row->raw_bytes += k->totals.raw_len;
        row->file_bytes += k->file_len;
    }
}

static void
print_row(const struct row *row)
{
    char schema[PRINTABLE_SIZE(64)], name[PRINTABLE_SIZE(64)];
    char rows[QUANTITY_SIZE], bytes[QUANTITY_SIZE];

    printf("%14s  %12s  %6" PRIu64 "  %s.%s\n",
           quantity_rows(rows, row->n_rows),
           quantity_bytes(bytes, row->raw_bytes), row->n_chunks,
           printable(schema, sizeof schema, row->table->schema),
           printable(name, sizeof name, row->table->name));
}

static json_t *
row_json(const struct row *row)
{
    json_t *o = json_object();

    manifest_set_name(o, "schema", row->table->schema);
    manifest_set_name(o, "name", row->table->name);
    json_object_set_new(o, "kind",
                        json_string(catalog_kind_name(row->table->kind)));
    json_object_set_new(o, "format",
                        json_string(copy_format_name(row->table->format)));
    json_object_set_new(o, "rows", manifest_u64_json(row->n_rows));
    json_object_set_new(o, "raw_bytes", manifest_u64_json(row->raw_bytes));
    json_object_set_new(o, "file_bytes", manifest_u64_json(row->file_bytes));
    json_object_set_new(o, "chunks", manifest_u64_json(row->n_chunks));
    return o;
}

static int
each_row(struct workplace *w, json_t *to, struct row *sum, struct err *err)
{
    uint64_t id = 0;
    int r;

    for (;;) {
        cleanup_(catalog_table_freep) struct catalog_table *t = NULL;
        struct row row = {0};

        r = catalog_next_table(w->catalog, id, &t, err);
        if (r)
            return r == CATALOG_E_NONE ? 0 : r;
        id = t->id;
        row.table = t;
        r = sum_chunks(&row, w->catalog, err);
        if (r)
            return r;
        sum->n_chunks += row.n_chunks;
        sum->n_rows += row.n_rows;
        sum->raw_bytes += row.raw_bytes;
        if (to)
            json_array_append_new(to, row_json(&row));
        else
            print_row(&row);
    }
}

static int
list_json(struct archiving *a, struct workplace *w, struct err *err)
{
    struct row sum = {0};
    json_t *tables = json_array(), *o;
    int r = each_row(w, tables, &sum, err);

    o = json_pack("{s:s,s:s,s:i,s:i,s:o,s:o,s:o}", "archive", a->where, "run",
                  a->facts.run_id, "server_version", a->facts.version,
                  "volumes", (int)archive_in_n_volumes(a->archive), "rows",
                  manifest_u64_json(sum.n_rows), "chunks",
                  manifest_u64_json(sum.n_chunks), "tables", tables);
    if (!r)
        json_dumpf(o, stdout, JSON_INDENT(2));
    if (!r)
        putchar('\n');
    json_decref(o);
    return r;
}

static int
list(struct archiving *a, struct workplace *w, struct err *err)
{
    char database[PRINTABLE_SIZE(64)], rows[QUANTITY_SIZE];
    struct row sum = {0};
    int r;

    if (w->ctx->options->json)
        return list_json(a, w, err);
    printf("run %s of database %s, PostgreSQL %d\n\n", a->facts.run_id,
           printable(database, sizeof database, a->facts.database),
           a->facts.version / 10000);
    printf("%14s  %12s  %6s  %s\n", "rows", "bytes", "chunks", "table");
    r = each_row(w, NULL, &sum, err);
    if (!r)
        printf("\n%s in %" PRIu64 " chunks, %u volume%s\n",
               quantity_rows(rows, sum.n_rows), sum.n_chunks,
               archive_in_n_volumes(a->archive),
               archive_in_n_volumes(a->archive) > 1 ? "s" : "");
    return r;
}

static int
run(const struct command_context *ctx, struct err *err)
{
    struct archiving a = {.work = list};

    return archiving_do(&a, ctx, err);
}

const struct command command_archive_list = {
    .name = "archive list",
    .summary = "say what is in an archive",
    .description =
        "Lists the tables of an archive with their rows, bytes and chunks.  "
        "Only what describes them is read, and checked; \"pghaul archive "
        "verify\" reads all.\n\n"
        "FILE is an archive, or the name of one in volumes, or - for "
        "standard input.",
    .operands = "FILE",
    .min_operands = 1,
    .max_operands = 1,
    .takes = OBJECTS_OPTIONS | OPTION_SET(json) | OPTION_SET(quiet),
    .run = run,
};
