/* SPDX-License-Identifier: PostgreSQL */
#include "loader/archive/archive_verify.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>

#include "formats/hex.h"
#include "formats/manifest.h"
#include "io/store/store.h"
#include "loader/archive/attestation.h"
#include "loader/archive/signing.h"
#include "loader/cli/archiving.h"
#include "loader/cli/copying.h"
#include "loader/cli/keying.h"
#include "loader/cli/objects.h"
#include "loader/progress/quantity.h"

enum { HEX = 65 };

struct asking {
    struct archiving archiving; /* the first: see verify() */
    struct archive_verified found;
    char bag[HEX]; /* "" until it is known */
};

static int
check_signature(const struct archiving *a, const struct options *o,
                struct err *err)
{
    const char *text;
    size_t len;

    if (!o->public_key)
        return 0;
    text = archive_in_tag(a->archive, ARCHIVE_TAG_MANIFEST, &len);
    return signing_verify(a->where, o->public_key, text, len, err);
}

static int
verify(struct archiving *a, struct workplace *w, struct err *err)
{
    struct asking *x = (struct asking *)a;
    const struct options *o = w->ctx->options;
    struct archive_verify_params p = {
        .archive = a->archive,
        .deep = o->deep,
        .part = o->part.n,
        .of = o->part.of,
        .catalog = w->catalog,
        .facts = &a->facts,
        .progress = w->progress,
    };

    int r = check_signature(a, o, err);

    if (!r && o->deep)
        r = copying_open_keys(w, &a->facts, err);
    p.identities = w->identities;
    hex_encode(x->bag, archive_in_bag(a->archive), 32);
    return r ? r : archive_verify(&x->found, &p, err);
}

static json_t *
result_json(const struct asking *x, const struct options *o,
            const struct err *why)
{
    json_t *j = json_object();
    char part[32];

    json_object_set_new(j, "did", json_string("verified"));
    json_object_set_new(j, "archive", json_string(o->operands[0]));
    json_object_set_new(j, "deep", json_boolean(o->deep));
    if (o->part.of > 0) {
        snprintf(part, sizeof part, "%u/%u", o->part.n, o->part.of);
        json_object_set_new(j, "part", json_string(part));
    }
    json_object_set_new(j, "signed", json_boolean(o->public_key != NULL));
    json_object_set_new(j, "right", json_boolean(why == NULL));
    if (why)
        json_object_set_new(j, "because", json_string(why->message));
    json_object_set_new(j, "bag",
                        x->bag[0] ? json_string(x->bag) : json_null());
    json_object_set_new(j, "members", manifest_u64_json(x->found.n_members));
    json_object_set_new(j, "bytes", manifest_u64_json(x->found.n_bytes));
    json_object_set_new(
        j, "rows", o->deep ? manifest_u64_json(x->found.n_rows) : json_null());
    return j;
}

static void
print_result(const struct asking *x, const struct options *o)
{
    char bytes[QUANTITY_SIZE], rows[QUANTITY_SIZE];

    printf("every byte is what was sealed: %s in %" PRIu64 " files\n",
           quantity_bytes(bytes, x->found.n_bytes), x->found.n_members);
    if (o->part.of > 0)
        printf("not looked at, since they are of other parts: %" PRIu64
               " chunks\n",
               x->found.n_passed_over);
    if (o->deep)
        printf("every digest of rows is what was exported: %s\n",
               quantity_rows(rows, x->found.n_rows));
    printf("bag %s\n", x->bag);
}

/* It was found right, or corrupt; another failure says nothing about it. */
static int
attest(const struct asking *x, const struct options *o, const struct err *why,
       struct err *err)
{
    if (why && why->class != ERR_CORRUPT)
        return 0;
    return attestation_add(o->operands[0], result_json(x, o, why), err);
}

static int
run(const struct command_context *ctx, struct err *err)
{
    const struct options *o = ctx->options;
    struct asking x = {.archiving = {.work = verify}};
    struct err ignored;
    int r = archiving_do(&x.archiving, ctx, err);

    if (r) {
        attest(&x, o, err, &ignored);
        return r;
    }
    r = attest(&x, o, NULL, err);
    if (!r && o->json) {
        json_t *j = result_json(&x, o, NULL);

        json_dumpf(j, stdout, JSON_INDENT(2));
        putchar('\n');
        json_decref(j);
    } else if (!r && !o->quiet) {
        print_result(&x, o);
    }
    return r;
}

const struct command command_archive_verify = {
    .name = "archive verify",
    .summary = "prove that an archive is what was sealed",
    .description =
        "Reads every byte of the archive: its files against the manifest, "
        "and what lies between them against what must stand there.  With "
        "--deep the rows are read, too, and their digests compared with those "
        "that the export computed.  --part 1/12 takes a twelfth of the "
        "chunks, another one with 2/12: a whole year's proof, month by "
        "month.\n\n"
        "--public-key looks at the signature in FILE.sig first.\n\n"
        "The result is added to FILE.attestations.jsonl beside the archive.  "
        "The exit status is 4 when something is not what was written.",
    .operands = "FILE",
    .min_operands = 1,
    .max_operands = 1,
    .takes = OPTION_SET(deep) | OPTION_SET(part) | OPTION_SET(public_key) |
             KEYING_IDENTITY_OPTIONS | OBJECTS_OPTIONS | COPYING_TALK_OPTIONS,
    .run = run,
};
