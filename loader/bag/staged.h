/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * What was staged, trusted only after it was checked: a chunk's length and
 * SHA-256 against the catalogue, then its own head against what it should be.
 */

#include "formats/chunk.h"
#include "io/reader.h"
#include "loader/catalog/catalog.h"
#include "loader/run/run_dir.h"

/* Both read all of data/<name>; ERR_CORRUPT when it is missing, or is not the
   one that was digested. */
int staged_digest(const struct run_dir *dir, const char *name,
                  unsigned char ret_sha256[32], struct err *err);
int staged_check(const struct run_dir *dir, const char *name,
                 const unsigned char sha256[32], struct err *err);

/* The same, and opened; one of the documents that describe the run. */
int staged_open_document(struct reader **ret, const struct run_dir *dir,
                         const char *name, const unsigned char sha256[32],
                         struct err *err);

/* Opens the file and reads all of it once; ERR_CORRUPT names the file. */
int staged_open(struct reader **ret, const struct run_dir *dir,
                const struct catalog_chunk *k, struct err *err);

/* Begins reading its frames; ERR_CORRUPT when it is another chunk's file, or
   its totals are not the catalogue's. */
int staged_begin(struct chunk_reader *r, struct reader *file,
                 const struct catalog_chunk *k, const unsigned char run[16],
                 struct err *err);
