/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/* Place: which database of which cluster a session is in. */

#include "loader/pg/session.h"

enum { PLACE_ID = 24, PLACE_DATABASE = 256 };

struct place {
    char system_id[PLACE_ID]; /* of the cluster, and of its standbys */
    char database[PLACE_DATABASE];
    unsigned timeline; /* that its log is on */
    int standby;
};

int place_ask(struct place *ret, struct session *s, struct err *err);

/* A database of the same name in the same cluster. */
int place_is(const struct place *p, const char *system_id,
             const char *database);
