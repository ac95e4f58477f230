/* SPDX-License-Identifier: PostgreSQL */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "loader/cli/workplace.h"
#include "loader/source/capturing.h"
#include "loader/source/keeper.h"

/* 1: there was none. */
static int
end_keeper(struct workplace *w, struct err *err)
{
    struct keeper_look keeper;
    int r;

    r = keeper_look(w->dir, &keeper, err);
    if (r)
        return r;
    r = keeper_end(w->dir, err);
    if (!r)
        printf("keeper %d has ended: the snapshot is gone, what is staged "
               "stays\n",
               (int)keeper.pid);
    return r;
}

/* ---- what is at the source ---- */

static void
name_capture(const struct capture *m)
{
    printf("at the source, database \"%s\":\n", m->database);
    printf("  replication slot \"%s\"\n", m->slot);
    if (m->publication && !m->found)
        printf("  publication \"%s\"\n", m->publication);
}

/* Text for a human's psql: names have passed the option's check or ours, but
   a quote in a publication's name must not end the literal. */
static void
print_quoted(const char *text, char quote)
{
    putchar(quote);
    for (; *text; text++) {
        if (*text == quote)
            putchar(quote);
        putchar((unsigned char)*text < ' ' ? '?' : *text);
    }
    putchar(quote);
}

/* A table whose identity was changed; 1: there are more than can be listed by
   hand. */
static int
has_identities(struct workplace *w, int *ret, struct err *err)
{
    uint32_t last = 0;
    int r = 0;

    *ret = 0;
    while (!r && !*ret) {
        cleanup_(capture_table_freep) struct capture_table *t = NULL;

        r = capture_next_table(w->catalog, last, &t, err);
        if (r)
            break;
        last = t->oid;
        *ret = t->identity != '\0';
    }
    return r == CATALOG_E_NONE ? 0 : r;
}

static int
tell_what_is_left(struct workplace *w, const struct capture *m, struct err *err)
{
    int identities, r = has_identities(w, &identities, err);

    if (r)
        return r;
    name_capture(m);
    puts("are left, and the slot keeps the source's log until it is dropped: "
         "give --source,\nor run there");
    printf("  SELECT pg_drop_replication_slot(");
    print_quoted(m->slot, '\'');
    puts(");");
    if (m->publication && !m->found) {
        printf("  DROP PUBLICATION ");
        print_quoted(m->publication, '"');
        puts(";");
    }
    if (identities)
        puts("Replica identities that were made FULL are put back with "
             "--source only.");
    return 0;
}

static void
tell(void *arg, const char *what)
{
    (void)arg;
    puts(what);
}

static int
confirm(struct workplace *w, const struct capture *m, struct err *err)
{
    char answer[16];

    if (w->ctx->options->yes)
        return 0;
    name_capture(m);
    if (isatty(STDIN_FILENO)) {
        printf("will be dropped; no change can be captured after that.  Go "
               "on? [y/N] ");
        fflush(stdout);
        if (fgets(answer, sizeof answer, stdin) &&
            (answer[0] == 'y' || answer[0] == 'Y'))
            return 0;
        return err_set(err, ERR_CANCELLED, "nothing was dropped");
    }
    err_set(err, ERR_REFUSED, "slot and publication were not dropped");
    return err_hint(err, "Give --yes to drop them.");
}

static int
undo(struct workplace *w, const struct capture *m, struct err *err)
{
    const struct capturing_undo u = {
        .conninfo = w->ctx->options->source,
        .force = 1,
        .tell = tell,
    };
    int r = confirm(w, m, err);

    return r ? r : capturing_undo(&u, w->catalog, err);
}

static int
abort_run(struct workplace *w, struct err *err)
{
    struct capture m = {0};
    int had_keeper, r;

    r = end_keeper(w, err);
    had_keeper = r == 0;
    if (r >= 0)
        r = capture_read(&m, w->catalog, err);
    if (r)
        return r;
    if (m.state != CAPTURE_NONE)
        r = w->ctx->options->source ? undo(w, &m, err)
                                    : tell_what_is_left(w, &m, err);
    else if (!had_keeper)
        puts("nothing to abort: no snapshot is held for this run, and nothing "
             "of it is at the source");
    capture_clear(&m);
    return r;
}

static int
run(const struct command_context *ctx, struct err *err)
{
    return workplace_do(ctx, RUN_DIR_OPEN, abort_run, err);
}

const struct command command_abort = {
    .name = "abort",
    .summary = "let the source go: end the keeper of an export",
    .description =
        "Ends the process that holds the snapshot of an unfinished export, "
        "and with it the locks and the transactions at the source.  The "
        "export cannot go on after that, only begin again (--start-over).\n\n"
        "What --cdc made at the source is named; with --source it is taken "
        "away: the slot and the publication are dropped, and replica "
        "identities are put back.  It asks before; --yes answers.",
    .requires = OPTION_SET(dir),
    .takes = OPTION_SET(source) | OPTION_SET(yes),
    .run = run,
};
