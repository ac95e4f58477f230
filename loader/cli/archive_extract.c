/* SPDX-License-Identifier: PostgreSQL */
#include "loader/archive/archive_extract.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "io/store/store.h"
#include "loader/bag/by_hand.h"
#include "loader/cli/archiving.h"
#include "loader/cli/copying.h"
#include "loader/cli/keying.h"
#include "loader/cli/objects.h"
#include "loader/progress/quantity.h"

/* How it gets into a table; the caller frees.  NULL: no memory. */
static char *
psql_command(const struct archiving *a, const struct catalog_table *t)
{
    cleanup_(freep) char *sql = by_hand_copy(t);
    char *text = NULL;
    size_t len;
    FILE *f = sql ? open_memstream(&text, &len) : NULL;

    if (!f)
        return NULL;
    fprintf(f, "PGCLIENTENCODING=%s psql -X -v ON_ERROR_STOP=1 -c ",
            a->facts.encoding);
    by_hand_quoted(f, sql);
    return fclose(f) == 0 ? text : NULL;
}

/* To standard error, where rows go to standard output. */
static int
tell(struct archiving *a, struct workplace *w, const struct catalog_table *t,
     const struct archive_extracted *x, struct err *err)
{
    const struct options *o = w->ctx->options;
    FILE *to = store_is_stream(o->output) ? stderr : stdout;
    cleanup_(freep) char *psql = psql_command(a, t);
    char rows[QUANTITY_SIZE];

    if (!psql)
        return err_nomem(err);
    if (o->quiet)
        return 0;
    fprintf(to, "extracted %s in %" PRIu64 " chunks; what takes them in:\n\n",
            quantity_rows(rows, x->n_rows), x->n_chunks);
    if (to == stderr) {
        fprintf(to, "    %s\n", psql);
        return 0;
    }
    fputs("    for f in ", to);
    by_hand_quoted(to, o->output);
    fprintf(to,
            "/*.lz4; do lz4 -tq \"$f\" && lz4 -dcq \"$f\" |\n"
            "        %s || break; done\n",
            psql);
    return 0;
}

static int
extract(struct archiving *a, struct workplace *w, struct err *err)
{
    const struct options *o = w->ctx->options;
    cleanup_(catalog_table_freep) struct catalog_table *t = NULL;
    struct archive_extract_params p = {
        .archive = a->archive,
        .catalog = w->catalog,
        .facts = &a->facts,
        .dir = store_is_stream(o->output) ? NULL : o->output,
        .stream = stdout,
        .stop = w->ctx->stop,
        .progress = w->progress,
    };
    struct archive_extracted x;
    int r = archive_find_table(&t, w->catalog, o->operands[1], err);

    p.table = t;
    if (!r)
        r = copying_open_keys(w, &a->facts, err);
    p.identities = w->identities;
    if (!r)
        r = archive_extract(&x, &p, err);
    return r ? r : tell(a, w, t, &x, err);
}

static int
run(const struct command_context *ctx, struct err *err)
{
    struct archiving a = {.work = extract};

    return archiving_do(&a, ctx, err);
}

const struct command command_archive_extract = {
    .name = "archive extract",
    .summary = "take one table out of an archive",
    .description =
        "Reads the chunks of one table, and what describes the archive, and "
        "nothing else of it.  With --output a directory, the chunks are put "
        "there as files; with --output - all rows go to standard output as "
        "one stream of COPY, in the format in which they were exported.  The "
        "command of psql that takes them in is told.\n\n"
        "FILE is an archive, or the name of one in volumes, or - for standard "
        "input.  TABLE is \"name\" or \"schema.name\", as \"pghaul archive "
        "list\" shows it.",
    .operands = "FILE TABLE",
    .min_operands = 2,
    .max_operands = 2,
    .requires = OPTION_SET(output),
    .takes = OBJECTS_OPTIONS | KEYING_IDENTITY_OPTIONS | OPTION_SET(progress) |
             OPTION_SET(quiet),
    .run = run,
};
