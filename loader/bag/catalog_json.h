/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * RUN/data/catalog.json: the run catalogue for whoever has the data directory
 * alone, in ten years or on another machine.  Its members are listed in
 * docs/catalog-json.md.
 *
 * Written when the last chunk is staged.  A run directory without run.db is
 * one that was carried here: its catalogue is made again from this file.
 */

#include "io/err.h"
#include "loader/catalog/catalog.h"
#include "loader/catalog/facts.h"
#include "loader/run/run_dir.h"

/* Durably, over an older one. */
int catalog_json_write(struct catalog *c, const struct facts *f,
                       const struct run_dir *dir, struct err *err);

int catalog_json_is_there(const struct run_dir *dir);
int catalog_json_remove(const struct run_dir *dir, struct err *err);

/*
 * Fill the catalogue when it is empty and there is the file, else do nothing.
 * What is malformed is ERR_CORRUPT with the path of the field; so is a file
 * that is not the one that was sealed.
 */
int catalog_json_restore(struct catalog *c, const struct run_dir *dir,
                         struct err *err);
