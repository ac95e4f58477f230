/* SPDX-License-Identifier: PostgreSQL */
#include "loader/cli/objects.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static int
set(const char *name, const char *value, struct err *err)
{
    return value && setenv(name, value, 1) < 0 ? err_nomem(err) : 0;
}

/* "2036-01-01", or with a time of day, as the store wants it. */
static int
moment(char ret[32], const char *text)
{
    struct tm tm = {0};
    const char *rest = strptime(text, "%Y-%m-%d", &tm);

    if (rest && *rest)
        rest = strptime(rest, "T%H:%M:%SZ", &tm);
    return rest && !*rest && strftime(ret, 32, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

/* "governance:2036-01-01" */
static int
choose_lock(const char *text, struct err *err)
{
    const char *colon = strchr(text, ':');
    char mode[16] = "", until[32];

    if (colon && colon - text < (int)sizeof mode)
        memcpy(mode, text, (size_t)(colon - text));
    if ((strcmp(mode, "governance") != 0 && strcmp(mode, "compliance") != 0) ||
        !moment(until, colon + 1)) {
        err_set(err, ERR_USAGE, "\"%s\" is no lock", text);
        return err_hint(err, "It is like governance:2036-12-31 or "
                             "compliance:2036-12-31.");
    }
    if (set("PGHAUL_S3_LOCK", mode, err) < 0)
        return -1;
    return set("PGHAUL_S3_RETAIN_UNTIL", until, err);
}

int
objects_choose(const struct options *o, struct err *err)
{
    if (set("AWS_ENDPOINT_URL_S3", o->s3_endpoint, err) < 0 ||
        set("AWS_CA_BUNDLE", o->s3_ca, err) < 0 ||
        set("PGHAUL_S3_LEGAL_HOLD", o->s3_hold ? "on" : NULL, err) < 0)
        return -1;
    return o->s3_lock ? choose_lock(o->s3_lock, err) : 0;
}
