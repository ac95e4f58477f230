/* SPDX-License-Identifier: PostgreSQL */
#include "loader/archive/archive_expire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "formats/hex.h"
#include "io/store/store.h"
#include "loader/archive/archive.h"
#include "loader/archive/attestation.h"
#include "loader/archive/volumes.h"

enum { DAY_S = 86400, WEST_S = 12 * 3600 /* where a day ends last */ };

/* The value of a line of bag-info.txt: "" when it is not there. */
static void
read_value(char *to, size_t room, const char *info, const char *label)
{
    const char *at = strstr(info, label);
    size_t n = 0;

    if (at)
        at += strlen(label);
    if (at)
        n = strcspn(at, "\n");
    snprintf(to, room, "%.*s", (int)n, at ? at : "");
}

static int
judge(struct archive_expiry *x, const char *info, struct err *err)
{
    struct tm day = {0};
    const char *end;

    read_value(x->until, sizeof x->until, info, "\nRetain-Until: ");
    read_value(x->reason, sizeof x->reason, info, "\nLegal-Hold: ");
    x->fate = ARCHIVE_HELD;
    if (strstr(info, "\nLegal-Hold:"))
        return 0;
    x->fate = ARCHIVE_UNDATED;
    if (!strstr(info, "\nRetain-Until:"))
        return 0;
    end = strptime(x->until, "%Y-%m-%d", &day);
    if (!end || *end)
        return err_set(err, ERR_CORRUPT,
                       "bag-info.txt does not say until when it is retained");
    x->fate = time(NULL) >= timegm(&day) + DAY_S + WEST_S ? ARCHIVE_EXPIRED
                                                          : ARCHIVE_RETAINED;
    return 0;
}

static int
remove_store(const char *name, struct err *err)
{
    int r = store_remove(name, err);

    return r == STORE_E_MISSING ? 0 : r;
}

/* The first volume last: until then all of it can be removed again. */
static int
remove_all(const char *where, unsigned n_volumes, struct err *err)
{
    cleanup_(freep) char *whole = volumes_whole(where);
    int r = 0;

    if (n_volumes == 1)
        return remove_store(where, err);
    for (unsigned i = n_volumes; i >= 1 && !r; i--) {
        cleanup_(freep) char *name = volumes_name(whole ? whole : where, i);

        r = name ? remove_store(name, err) : err_nomem(err);
    }
    return r;
}

static int
attest(const struct archive_expiry *x, const char *where, const char *bag,
       struct err *err)
{
    return attestation_add(where,
                           json_pack("{s:s,s:s,s:s,s:s}", "did", "expired",
                                     "archive", where, "bag", bag, "until",
                                     x->until),
                           err);
}

int
archive_expire(struct archive_expiry *ret, const char *where, int dry_run,
               struct err *err)
{
    const struct archive_in_params p = {.where = where};
    cleanup_(archive_in_freep) struct archive_in *a = NULL;
    char bag[65];
    int r;

    *ret = (struct archive_expiry){0};
    if (store_is_stream(where))
        return err_set(err, ERR_USAGE, "a stream cannot be removed");
    r = archive_in_open(&a, &p, err);
    if (!r && archive_in_is_forward(a))
        r = err_set(err, ERR_USAGE, "\"%s\" is not a file", where);
    if (!r)
        r = judge(ret, archive_in_tag(a, ARCHIVE_BAG_INFO, NULL), err);
    if (r)
        return r;
    ret->n_volumes = archive_in_n_volumes(a);
    if (dry_run || ret->fate != ARCHIVE_EXPIRED)
        return 0;
    hex_encode(bag, archive_in_bag(a), 32);
    r = attest(ret, where, bag, err);
    return r ? r : remove_all(where, ret->n_volumes, err);
}
