/* SPDX-License-Identifier: PostgreSQL */
#include "loader/archive/archive_expire.h"

#include <jansson.h>
#include <stdio.h>

#include "io/printable.h"
#include "loader/cli/command.h"
#include "loader/cli/objects.h"

static const char *const fates[] = {
    [ARCHIVE_EXPIRED] = "expired",
    [ARCHIVE_RETAINED] = "retained",
    [ARCHIVE_HELD] = "held",
    [ARCHIVE_UNDATED] = "undated",
};

static void
tell(const char *where, const struct archive_expiry *x, int dry_run)
{
    char shown[PRINTABLE_SIZE(1024)];

    printable(shown, sizeof shown, where);
    switch (x->fate) {
    case ARCHIVE_EXPIRED:
        printf("%s  %s: it had to be kept until %s\n",
               dry_run ? "would go" : "removed ", shown, x->until);
        return;
    case ARCHIVE_RETAINED:
        printf("kept      %s: until %s\n", shown, x->until);
        return;
    case ARCHIVE_HELD:
        printf("held      %s: %s\n", shown, x->reason);
        return;
    case ARCHIVE_UNDATED:
        printf("kept      %s: it does not say until when\n", shown);
        return;
    }
}

static json_t *
fate_json(const char *where, const struct archive_expiry *x)
{
    char shown[PRINTABLE_SIZE(1024)];

    return json_pack("{s:s,s:s,s:s,s:s}", "archive",
                     printable(shown, sizeof shown, where), "fate",
                     fates[x->fate], "until", x->until, "hold", x->reason);
}

static int
run(const struct command_context *ctx, struct err *err)
{
    const struct options *o = ctx->options;
    json_t *list = json_array(), *all;
    int r = 0;

    for (char *const *at = o->operands; *at && !r; at++) {
        struct archive_expiry x;

        r = archive_expire(&x, *at, o->dry_run, err);
        if (!r && o->json)
            json_array_append_new(list, fate_json(*at, &x));
        else if (!r && !o->quiet)
            tell(*at, &x, o->dry_run);
    }
    all = json_pack("{s:b,s:o}", "dry_run", o->dry_run, "archives", list);
    if (!r && o->json) {
        json_dumpf(all, stdout, JSON_INDENT(2));
        putchar('\n');
    }
    json_decref(all);
    return r;
}

const struct command command_archive_expire = {
    .name = "archive expire",
    .summary = "remove archives that need not be kept any more",
    .description =
        "Removes those of the archives whose last day, that of --retain-until "
        "at their export, is over.  One with a legal hold, and one without a "
        "day, are never removed; nor is one that cannot be read.  With "
        "--dry-run it is told what would go.\n\n"
        "The files of attestations stay, with a line about the removal.",
    .operands = "FILE...",
    .min_operands = 1,
    .max_operands = 10000,
    .takes = OBJECTS_OPTIONS | OPTION_SET(dry_run) | OPTION_SET(json) |
             OPTION_SET(quiet),
    .run = run,
};
