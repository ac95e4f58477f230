/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Consumer: who goes on with a run's changes in a program of its own, and the
 * files that let it: its configuration and the commands that start it, filled
 * in from the run, with what loses or repeats changes as comments.
 *
 * No password is in any of them.
 */

#include "io/err.h"
#include "loader/catalog/capture.h"
#include "loader/catalog/catalog.h"
#include "loader/catalog/facts.h"

struct consumer {
    const char *name;     /* "debezium"... */
    const char *conninfo; /* of the source */
    struct catalog *catalog;
    const struct facts *facts;
    const struct capture *capture;
};

/* The output plugins that it can read, the best first, then NULL; NULL: any. */
const char *const *consumer_plugins(const char *name);

/* Over older ones; nothing for "json" and "subscription". */
int consumer_write(const struct consumer *c, int dir_fd, struct err *err);
