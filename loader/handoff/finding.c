/* SPDX-License-Identifier: PostgreSQL */
#include "loader/handoff/finding.h"

#include <stdarg.h>
#include <stdio.h>

static int
add(struct findings *f, struct err *err, const struct finding *new,
    const char *fmt, va_list ap)
{
    struct finding found = *new;
    char seen[1200];

    vsnprintf(seen, sizeof seen, fmt, ap);
    found.seen = seen;
    return findings_add(f, &found, err);
}

int
finding_ok(struct findings *f, struct err *err, const char *name,
           const char *fmt, ...)
{
    va_list ap;
    int r;

    va_start(ap, fmt);
    r = add(f, err, &(struct finding){.name = name}, fmt, ap);
    va_end(ap);
    return r;
}

int
finding_warning(struct findings *f, struct err *err, const char *name,
                const char *advice, const char *fmt, ...)
{
    va_list ap;
    int r;

    va_start(ap, fmt);
    r = add(f, err, &(struct finding){name, FINDING_WARNING, NULL, advice}, fmt,
            ap);
    va_end(ap);
    return r;
}

int
finding_error(struct findings *f, struct err *err, const char *name,
              const char *advice, const char *fmt, ...)
{
    va_list ap;
    int r;

    va_start(ap, fmt);
    r = add(f, err, &(struct finding){name, FINDING_ERROR, NULL, advice}, fmt,
            ap);
    va_end(ap);
    return r;
}
