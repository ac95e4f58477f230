/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Environment: data/environment.json, in what surroundings the source's rows
 * meant what they mean: the server's version and the settings that shape text,
 * the database with its locale, the versions of extensions and collations.
 * Nothing of pghaul reads it; it is for who reads an archive in ten years.
 */

#include "formats/age/age.h"
#include "io/err.h"
#include "loader/catalog/facts.h"
#include "loader/pg/session.h"
#include "loader/run/run_dir.h"

/* Durably, over an older one; its digest goes into the facts. */
int environment_write(const struct run_dir *dir, struct session *s,
                      const struct age_recipients *to, struct facts *f,
                      struct err *err);
