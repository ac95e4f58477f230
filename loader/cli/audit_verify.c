/* SPDX-License-Identifier: PostgreSQL */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/manifest.h"
#include "io/reader.h"
#include "loader/archive/attestation.h"
#include "loader/cli/workplace.h"
#include "loader/run/audit.h"

/* A head that somebody has kept, and whether the log has it. */
struct kept {
    struct audit_head head;
    const char *where; /* it was kept */
    int found;
};

enum { KEPT_MAX = 1000 };

struct auditing {
    struct kept kept[KEPT_MAX];
    unsigned n_kept;
};

static int
visit(void *arg, const struct audit_head *at, const json_t *entry,
      struct err *err)
{
    struct auditing *x = arg;

    (void)entry;
    (void)err;
    for (unsigned i = 0; i < x->n_kept; i++)
        if (x->kept[i].head.n == at->n &&
            strcmp(x->kept[i].head.sha256, at->sha256) == 0)
            x->kept[i].found = 1;
    return 0;
}

static void
keep(struct auditing *x, uint64_t n, const char *sha256, const char *where)
{
    struct kept *k = &x->kept[x->n_kept];

    if (n == 0 || strlen(sha256) != sizeof k->head.sha256 - 1 ||
        x->n_kept == KEPT_MAX)
        return;
    k->head.n = n;
    strcpy(k->head.sha256, sha256);
    k->where = where;
    x->n_kept++;
}

/* ---- where heads are kept ---- */

static int
keep_of_bag(struct auditing *x, const struct run_dir *dir, struct err *err)
{
    cleanup_(reader_freep) struct reader *file = NULL;
    char text[4096] = "", sha256[65] = "";
    const struct bytes_in *in;
    const char *at;
    uint64_t n = 0;
    int r = reader_open(&file, run_dir_fd(dir), "bag-info.txt", err);

    if (r)
        return err->sys ? 0 : r; /* it is not sealed */
    in = reader_in(file);
    r = in->read_at(in->from, 0, text,
                    in->len < sizeof text ? in->len : sizeof text - 1, err);
    at = strstr(text, "Audit-Entries: ");
    if (!r && at &&
        sscanf(at, "Audit-Entries: %18" SCNu64 " Audit-SHA256: %64[0-9a-f]", &n,
               sha256) == 2)
        keep(x, n, sha256, "bag-info.txt");
    return r;
}

static int
keep_of_archive(void *arg, const json_t *line, struct err *err)
{
    json_int_t n = 0;
    const char *sha256 = NULL;

    (void)err;
    if (json_unpack((json_t *)line, "{s:{s:I,s:s}}", "audit", "entries", &n,
                    "sha256", &sha256) == 0 &&
        n > 0)
        keep(arg, (uint64_t)n, sha256, "the archive's attestations");
    return 0;
}

static int
require_found(const struct auditing *x, const struct audit_head *head,
              struct err *err)
{
    for (unsigned i = 0; i < x->n_kept; i++) {
        const struct kept *k = &x->kept[i];

        if (k->found)
            continue;
        err_set(err, ERR_CORRUPT, "\"" AUDIT_FILE "\" is not what it was");
        return err_detail(err,
                          "%s knows of line %" PRIu64 " with SHA-256 %s; there "
                          "are %" PRIu64 " lines.",
                          k->where, k->head.n, k->head.sha256, head->n);
    }
    return 0;
}

static void
tell(const struct options *o, const struct audit_head *head, unsigned n_kept)
{
    if (o->json) {
        json_t *j =
            json_pack("{s:o,s:s,s:i}", "entries", manifest_u64_json(head->n),
                      "sha256", head->sha256, "compared", (int)n_kept);

        json_dumpf(j, stdout, JSON_INDENT(2));
        putchar('\n');
        json_decref(j);
    } else if (!o->quiet) {
        printf("every line is where it was written: %" PRIu64 " of them; %u "
               "kept elsewhere agree\n"
               "head %s\n",
               head->n, n_kept, head->sha256);
    }
}

static int
verify(struct workplace *w, struct err *err)
{
    const struct options *o = w->ctx->options;
    cleanup_(freep) struct auditing *x = calloc(1, sizeof *x);
    struct audit_head head;
    int r;

    if (!x)
        return err_nomem(err);
    r = keep_of_bag(x, w->dir, err);
    if (!r && o->operands[0])
        r = attestation_each(o->operands[0], keep_of_archive, x, err);
    if (!r)
        r = audit_verify(&head, run_dir_fd(w->dir), visit, x, err);
    if (!r)
        r = require_found(x, &head, err);
    if (!r)
        tell(o, &head, x->n_kept);
    return r;
}

static int
run(const struct command_context *ctx, struct err *err)
{
    return workplace_do(ctx, RUN_DIR_LOOK, verify, err);
}

const struct command command_audit_verify = {
    .name = "audit verify",
    .summary = "prove that the record of what was done is whole",
    .description =
        "Reads audit.jsonl in the run directory, in which every command that "
        "can change the run has left two lines, and looks whether each line "
        "is the one that was written, after the one that was before it.  "
        "Lines cut off the end are noticed by what was kept elsewhere: the "
        "line of the sealing in bag-info.txt, and, when the run's archive is "
        "named, that of the archiving in the attestations beside it.\n\n"
        "The exit status is 4 when it is not what was written.",
    .operands = "[FILE]",
    .max_operands = 1,
    .requires = OPTION_SET(dir),
    .takes = OPTION_SET(json) | OPTION_SET(quiet),
    .run = run,
};
