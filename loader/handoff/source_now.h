/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/* What a run's source says now of what the run has left there. */

#include "io/err.h"
#include "loader/catalog/capture.h"
#include "loader/pg/place.h"
#include "loader/pg/session.h"
#include "loader/source/keeper/slot.h"

struct source_now {
    int64_t at; /* when, in seconds since 1970; 0: it was not asked */
    int version;
    struct place place;
    int has_slot;
    struct slot_look slot;
};

int source_now_ask(struct source_now *ret, struct session *s,
                   const struct capture *m, struct err *err);
