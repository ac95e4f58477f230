/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Seal: a run directory whose export is complete is made a BagIt bag (RFC
 * 8493), which "sha256sum -c" verifies and any archive takes.
 *
 *     README.txt             how to read all of it with common tools
 *     bagit.txt
 *     bag-info.txt           whose copy it is
 *     manifest-sha256.txt    every file below data/
 *     tagmanifest-sha256.txt the four above
 *
 *     OPEN --write--> SEALED --remove--> OPEN
 *
 * Each file is durable before the next is begun, and the tag manifest is the
 * last: where it is, the bag is whole.  Killed before that the directory is
 * OPEN, and write does all of it again.  A sealed directory is not changed any
 * more but by remove, which takes the tag manifest first.
 *
 * run.db, the lock and the keeper's files are no part of the bag.
 */

#include "io/err.h"
#include "loader/catalog/catalog.h"
#include "loader/catalog/facts.h"
#include "loader/run/run_dir.h"

/* Facts of the catalogue that bag-info.txt repeats, where they are set: a day,
   "2031-12-31"; a reason. */
#define SEAL_RETAIN_UNTIL "bag.retain_until"
#define SEAL_LEGAL_HOLD "bag.legal_hold"

/* Whether the directory is SEALED. */
int seal_is_there(const struct run_dir *dir);

/*
 * The chunks' digests are the catalogue's, nothing of them is read again;
 * memory does not grow with their number.  Every file below data/ must be the
 * run's (ERR_REFUSED names one that is not), and every file of the run must be
 * there with its length (ERR_CORRUPT names one that is not).
 */
int seal_write(struct catalog *c, const struct facts *f,
               const struct run_dir *dir, struct err *err);

/* Nothing happens when there is nothing to remove. */
int seal_remove(const struct run_dir *dir, struct err *err);

/* What stands for all of a sealed bag, in hexadecimal digits: "" when it is not
   sealed. */
struct seal_marks {
    char bag[65];  /* SHA-256 of tagmanifest-sha256.txt */
    char root[65]; /* Merkle-Root of bag-info.txt; of older bags: "" */
};
int seal_read_marks(struct seal_marks *ret, const struct run_dir *dir,
                    struct err *err);

/*
 * Do the bag's own files fit together, and is catalog.json the one that was
 * sealed?  ERR_CORRUPT when not.  0 also without a seal: data/ alone may have
 * been carried here.  The chunks are checked by who reads them.
 */
int seal_check(const struct run_dir *dir, struct err *err);
