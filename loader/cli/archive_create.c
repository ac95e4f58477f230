/* SPDX-License-Identifier: PostgreSQL */
#include "loader/archive/archive_create.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>

#include "formats/hex.h"
#include "formats/manifest.h"
#include "io/store/store.h"
#include "loader/archive/attestation.h"
#include "loader/bag/seal.h"
#include "loader/cli/copying.h"
#include "loader/cli/objects.h"
#include "loader/progress/quantity.h"
#include "loader/run/audit.h"

enum { HEX = 65 };

static void
print_json(const struct workplace *w, const struct archive_created *c,
           const char *bag)
{
    json_t *o = json_pack(
        "{s:s,s:s,s:I,s:I,s:o,s:o,s:s,s:o}", "did", "archived", "archive",
        w->ctx->options->output, "volumes", (json_int_t)c->n_volumes, "written",
        (json_int_t)c->n_written, "members", manifest_u64_json(c->n_members),
        "bytes", manifest_u64_json(c->n_bytes), "bag", bag, "milliseconds",
        manifest_u64_json(workplace_elapsed_ms(w)));

    json_dumpf(o, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(o);
}

/* "archived 1.24 GB, 312 files, in 3.2 s: 388 MB/s" */
static void
print_account(const struct workplace *w, const struct archive_created *c,
              const char *bag)
{
    char bytes[QUANTITY_SIZE], rate[QUANTITY_SIZE], time[QUANTITY_SIZE];
    uint64_t ms = workplace_elapsed_ms(w);

    if (c->n_written == 0) {
        printf("nothing to do: all is archived already\n");
    } else {
        printf("archived %s, %" PRIu64 " files, in %s: %s/s",
               quantity_bytes(bytes, c->n_bytes), c->n_members,
               quantity_duration(time, ms),
               quantity_bytes(rate, c->n_bytes * 1000 / (ms ? ms : 1)));
        if (c->n_volumes > 1)
            printf("; %u volumes", c->n_volumes);
        putchar('\n');
    }
    printf("bag %s\n", bag);
}

/* Where the archive goes to standard output, the account does not. */
static void
tell(const struct workplace *w, const struct archive_created *c)
{
    const struct options *o = w->ctx->options;
    char bag[HEX];

    hex_encode(bag, c->bag, sizeof c->bag);
    if (store_is_stream(o->output))
        progress_note(w->progress, "bag %s", bag);
    else if (o->json)
        print_json(w, c, bag);
    else if (!o->quiet)
        print_account(w, c, bag);
}

/* With it the audit's head is kept where the archive is. */
static int
attest(const struct workplace *w, const struct archive_created *c,
       struct err *err)
{
    struct audit_head head;
    struct seal_marks marks;
    json_t *o;
    int r = audit_read_head(&head, run_dir_fd(w->dir), err);

    if (!r)
        r = seal_read_marks(&marks, w->dir, err);
    if (r)
        return r;
    o = json_pack("{s:s,s:s,s:s,s:s,s:I,s:o,s:{s:o,s:s}}", "did", "created",
                  "archive", w->ctx->options->output, "bag", marks.bag, "root",
                  marks.root, "volumes", (json_int_t)c->n_volumes, "bytes",
                  manifest_u64_json(c->n_bytes), "audit", "entries",
                  manifest_u64_json(head.n), "sha256", head.sha256);
    return o ? attestation_add(w->ctx->options->output, o, err)
             : err_nomem(err);
}

static int
create(struct workplace *w, struct err *err)
{
    const struct options *o = w->ctx->options;
    const struct archive_create_params p = {
        .dir = w->dir,
        .where = o->output,
        .volume_size = o->volume_size,
        .sign_key = o->sign_key,
        .stop = w->ctx->stop,
        .progress = w->progress,
    };
    struct archive_created c;
    int r = archive_create(&c, &p, err);

    if (!r && c.n_written > 0)
        r = attest(w, &c, err);
    if (!r)
        tell(w, &c);
    return r ? r : workplace_check_skips(w, err);
}

static int
run(const struct command_context *ctx, struct err *err)
{
    return workplace_do(ctx, RUN_DIR_OPEN, create, err);
}

const struct command command_archive_create = {
    .name = "archive create",
    .summary = "put a sealed run into one file",
    .description =
        "Writes the run directory as a tar: README.txt first, which says how "
        "to read it without this program, then what describes the run, then "
        "the chunks, and an index.  Every file is checked against the "
        "manifest on its way.  The same run gives the same bytes.\n\n"
        "--output is the name of the archive, which must not exist, or - for "
        "standard output, or s3://BUCKET/KEY: an object of a store that speaks "
        "S3 (the manual says how it is reached).  With --volume-size it is "
        "split into NAME.001.tar, NAME.002.tar and so on, each a tar of whole "
        "files.  --sign-key leaves a signature in FILE.sig.",
    .requires = OPTION_SET(dir) | OPTION_SET(output),
    .takes = OPTION_SET(volume_size) | OPTION_SET(sign_key) |
             OBJECTS_PUT_OPTIONS | COPYING_TALK_OPTIONS,
    .run = run,
};
