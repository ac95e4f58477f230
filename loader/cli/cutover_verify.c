/* SPDX-License-Identifier: PostgreSQL */
#include "loader/cli/cutover_verify.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "loader/catalog/capture.h"
#include "loader/cli/selecting.h"
#include "loader/proof/sampling.h"
#include "loader/proof/verify.h"

enum { RANGE_SIZE = 128 << 20 };

/* What is told, counted; which end the source is. */
struct outcome {
    struct workplace *workplace;
    enum proof_end source;
    uint64_t n_equal, n_bad;
    int failed; /* of the look into the catalogue */
    struct err err;
};

/* CATALOG_E_NONE: it is not of this epoch. */
static int
find_in_epoch(struct outcome *o, const struct proof_table *t, unsigned epoch,
              int *ret)
{
    uint32_t last = 0;
    int r;

    for (;;) {
        cleanup_(capture_table_freep) struct capture_table *x = NULL;

        r = capture_next_table(o->workplace->catalog, epoch, last, &x, &o->err);
        if (r)
            return r;
        last = x->oid;
        if (strcmp(x->schema, t->schema) == 0 &&
            strcmp(x->name, t->name) == 0) {
            *ret = x->member != 0;
            return 0;
        }
    }
}

/* Is it among those that were copied and left out of the publications, or was
   it never copied? */
static int
is_followed(struct outcome *o, const struct proof_table *t, int *ret)
{
    struct captures all = {0};
    int r = captures_read(&all, o->workplace->catalog, &o->err);

    *ret = t->is_there[o->source]; /* a root or more */
    for (unsigned i = 0; i < all.n && !r; i++) {
        r = find_in_epoch(o, t, all.list[i].epoch, ret);
        if (r == 0)
            break;
        r = r == CATALOG_E_NONE ? 0 : r;
    }
    captures_clear(&all);
    return r;
}

static void
hear_table(void *arg, const struct proof_table *t)
{
    struct outcome *o = arg;
    int followed;

    if (proof_verdict_is_good(t->verdict)) {
        o->n_equal++;
        return;
    }
    if (o->failed)
        return;
    if (is_followed(o, t, &followed))
        o->failed = 1;
    else if (followed && o->n_bad++ < 20)
        progress_note(o->workplace->progress, "%s.%s: %s", t->schema, t->name,
                      t->reason ? t->reason : proof_verdict_name(t->verdict));
}

static int
judge(struct outcome *o, struct err *err)
{
    if (o->failed) {
        *err = o->err;
        return -1;
    }
    if (o->n_bad == 0)
        return 0;
    err_set(err, ERR_DIFFERS, "source and target are not equal");
    err_detail(err, "Of the tables that are followed %" PRIu64 " differ.",
               o->n_bad);
    return err_hint(err, "\"pghaul verify\" with --source and --target shows "
                         "the rows.");
}

static int
drive(struct workplace *w, struct proof_side *left, struct proof_side *right,
      struct outcome *o, struct err *err)
{
    const struct proof_pair pair = {{left, right}};
    const struct proof_listener listener = {.table = hear_table, .arg = o};
    const struct verify_params p = {
        .pair = &pair,
        .jobs = w->ctx->options->jobs,
        .sample_ppm = w->ctx->options->sample < SAMPLING_ALL
                          ? w->ctx->options->sample
                          : 0,
        .listener = &listener,
    };
    cleanup_(verify_freep) struct verify *v = NULL;
    struct drive_result done;
    struct lane lane;
    int r = verify_begin(&v, &p, err);

    if (r)
        return r;
    lane = verify_lane(v);
    r = workplace_run(w, &lane, 1, &done, err);
    progress_finish(w->progress);
    return r ? r : judge(o, err);
}

/* "table=pattern\n..." as a selection; a backslash and a line feed in a pattern
   are escaped. */
static int
add_line(struct selection *s, const char *line, size_t len, struct err *err)
{
    static const char *const names[] = {
        [SELECTION_SCHEMA] = "--schema=",
        [SELECTION_EXCLUDE_SCHEMA] = "--exclude-schema=",
        [SELECTION_TABLE] = "--table=",
        [SELECTION_EXCLUDE_TABLE] = "--exclude-table=",
        [SELECTION_WHERE] = "--where=",
    };
    char text[4096];
    size_t n = 0, i;

    for (unsigned k = 0; k < sizeof names / sizeof *names; k++) {
        size_t head = strlen(names[k]);

        if (strncmp(line, names[k], head) != 0)
            continue;
        for (i = head; i < len && n < sizeof text - 1; i++) {
            if (line[i] == '\\' && i + 1 < len)
                text[n++] = line[++i] == 'n' ? '\n' : line[i];
            else
                text[n++] = line[i];
        }
        text[n] = '\0';
        return selection_add(s, (enum selection_kind)k, text, err);
    }
    return err_set(err, ERR_CORRUPT, "\"%.*s\" is no selection", (int)len,
                   line);
}

static int
selection_of(const struct facts *f, struct selection **ret, struct err *err)
{
    cleanup_(selection_freep) struct selection *s = NULL;
    const char *at = f->selection;
    int r;

    if (!at || !*at)
        return 0;
    r = selection_new(&s, err);
    for (; !r && *at; at += strcspn(at, "\n"), at += *at == '\n')
        r = add_line(s, at, strcspn(at, "\n"), err);
    if (!r)
        *ret = take(s);
    return r;
}

int
cutover_verify(struct workplace *w, const struct facts *f,
               enum cutover_direction to, struct err *err)
{
    cleanup_(selection_freep) struct selection *selection = NULL;
    cleanup_(proof_side_freep) struct proof_side *source = NULL, *target = NULL;
    struct outcome o = {
        .workplace = w,
        .source = to == CUTOVER_TO_TARGET ? PROOF_LEFT : PROOF_RIGHT,
    };
    struct proof_side_params p = {
        .name = "source",
        .conninfo = w->ctx->options->source,
        .side = SESSION_SOURCE,
        .encoding = f->encoding,
        .plan = {.chunk_size = RANGE_SIZE},
        .stop = w->ctx->stop,
    };
    int r = selection_of(f, &selection, err);

    p.selection = selection;
    if (!r)
        r = proof_side_open(&source, &p, err);
    p.name = "target";
    p.conninfo = w->ctx->options->target;
    p.side = SESSION_TARGET;
    p.selection = NULL;
    if (!r)
        r = proof_side_open(&target, &p, err);
    if (r)
        return r;
    return to == CUTOVER_TO_TARGET ? drive(w, source, target, &o, err)
                                   : drive(w, target, source, &o, err);
}
