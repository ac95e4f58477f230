/* SPDX-License-Identifier: PostgreSQL */
#include "loader/archive/archive_source.h"
#include "loader/cli/account.h"
#include "loader/cli/archiving.h"
#include "loader/cli/copying.h"
#include "loader/cli/loading.h"
#include "loader/cli/objects.h"

static int
restore(struct archiving *a, struct workplace *w, struct err *err)
{
    cleanup_(archive_source_freep) struct archive_source *s = NULL;
    enum account_end end;
    int r = copying_open_keys(w, &a->facts, err);

    if (!r)
        r = archive_source_new(&s, a->archive, w->identities, err);
    if (!r)
        r = loading_all(w, &a->facts, archive_source_staged(s), &end, err);
    if (!r)
        r = archive_source_finish(s, err);
    if (!r)
        r = account_copy(w, &a->facts, "restored", end, err);
    return r ? r : workplace_check_skips(w, err);
}

static int
run(const struct command_context *ctx, struct err *err)
{
    struct archiving a = {.work = restore};

    return archiving_do(&a, ctx, err);
}

const struct command command_archive_restore = {
    .name = "archive restore",
    .summary = "load an archive into a database",
    .description =
        "Does what \"pghaul load\" does, out of the archive itself: its "
        "chunks are not unpacked to disk first.  Each is checked before its "
        "first row is sent, and loaded exactly once: interrupted at any "
        "instant, the same command goes on where it was.\n\n"
        "FILE is an archive, or the name of one in volumes, or - for standard "
        "input; out of a pipe chunks are loaded in the order in which they "
        "come.\n\n"
        "--dir names a directory that then holds what the archive has besides "
        "chunks, for \"pghaul verify\"; without it that is kept for the time "
        "of the command only.",
    .operands = "FILE",
    .min_operands = 1,
    .max_operands = 1,
    .requires = OPTION_SET(target),
    .takes = OPTION_SET(dir) | OBJECTS_OPTIONS | COPYING_LOAD_OPTIONS |
             COPYING_TALK_OPTIONS,
    .run = run,
};
