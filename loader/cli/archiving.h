/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Archiving: what every command that reads an archive begins with.  It is
 * opened, what it has besides chunks is unpacked into a work directory, a
 * temporary one unless --dir names it, and that is the workplace.
 */

#include "io/err.h"
#include "loader/archive/archive.h"
#include "loader/catalog/facts.h"
#include "loader/cli/workplace.h"

struct archiving {
    struct command_context ctx; /* the workplace's */
    struct options options;     /* --dir is the work directory */
    const char *where;
    struct archive_in *archive;
    struct facts facts;
    /* What is done there. */
    int (*work)(struct archiving *a, struct workplace *w, struct err *err);
};

/* The archive is the first operand.  a is zero but for work, and what follows
   it in the caller's own struct. */
int archiving_do(struct archiving *a, const struct command_context *ctx,
                 struct err *err);
