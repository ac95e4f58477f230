/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * What belongs to a database and is not in it, on request: RUN/data/roles.sql
 * has the cluster's roles, their settings and memberships, data/database.sql
 * the database's own settings, limit, owner, privileges and comment.
 *
 * Both are SQL without psql's commands, for a load and for a hand.  Of roles
 * only those are made that are missing; one that is there is left as it is.
 * The database is whatever the script is run in, whatever its name.
 *
 * Everybody may read all this, but not passwords: there are none in it.
 * Predefined roles (pg_...) are not in it, nor are tablespaces.
 */

#include "formats/age/age.h"
#include "io/err.h"
#include "loader/catalog/facts.h"
#include "loader/pg/session.h"
#include "loader/run/run_dir.h"

/* Writes both durably, over older ones, and their digests into f; s is in the
   run's snapshot.  to NULL: as they are. */
int roles_write(const struct run_dir *dir, struct session *s,
                const struct age_recipients *to, struct facts *f,
                struct err *err);
