/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/* Findings: what a preflight saw, in the order in which it looked. */

#include "io/err.h"

enum finding_level {
    FINDING_OK,
    FINDING_WARNING, /* it can be done; something would be left or wait */
    FINDING_ERROR,   /* it would fail, or the copy would not be whole */
};

struct finding {
    const char *name; /* a constant */
    enum finding_level level;
    const char *seen;   /* the facts */
    const char *advice; /* what to do; "" with FINDING_OK */
};

/* Begins as {0}. */
struct findings {
    struct finding *list;
    unsigned n;
    unsigned n_errors;
};

/* Texts are copied.  The advice may be NULL, and is dropped when all is ok. */
int findings_add(struct findings *f, const struct finding *new,
                 struct err *err);
void findings_clear(struct findings *f);
