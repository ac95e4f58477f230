/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * A directory to stage files in, and the file that all tests of that stage:
 * "t.1", whose bytes follow from their offsets.
 */

#include "io/staged_file.h"

struct staging {
    char dir[32];
    struct sink_params sink;
    struct staged_file_params file; /* sink is the test's to fill */
};

extern struct staging staging;

/* For TestSuite(.init, .fini). */
void staging_begin(void);
void staging_end(void);

/* The files and the directory alone, for a test that ends in an abort. */
void staging_remove(void);

/* Look at the directory anew, after something was mounted there. */
void staging_reopen(void);

/* Append what is missing until the file has len bytes, in pieces of changing
   size. */
int staging_fill(struct staged_file *f, uint64_t len, struct err *err);

/* Stage len bytes through s and commit. */
int staging_stage(struct sink *s, uint64_t len, struct staged_file_seal *seal,
                  struct err *err);

int staging_exists(const char *name);

/* Is t.1 there, with all its len bytes and no more? */
int staging_is_whole(uint64_t len);
