/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Tool file: what one of PostgreSQL's own programs prints, as a file below
 * RUN/data/ that gets its name when all of it is on disk.
 */

#include "formats/age/age.h"
#include "io/err.h"
#include "loader/pg/tool.h"
#include "loader/run/run_dir.h"

struct tool_file {
    const struct run_dir *dir;
    const char *folder; /* below data/, made when missing; NULL: data/ itself */
    const char *name;
    const struct age_recipients *to; /* NULL: as it is; or else encrypted */
};

/* Run the program to its end (its stdout_fd is set here), over an older file.
   A disk that is full is ERR_SYSTEM, though the program has only words for
   it. */
int tool_file_write(const struct tool_file *f, struct tool_params *p,
                    struct err *err);

/* The same for what is encrypted: the program writes into memory, whose
   descriptor is *ret_fd, for a child to open by its number. */
int tool_file_encrypt(const struct tool_file *f, struct tool_params *p,
                      int *ret_fd, struct err *err);
