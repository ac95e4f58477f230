/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Expire: an archive is removed when it says itself that it may be: it has a
 * day until which it must be kept (Retain-Until in its bag-info.txt), that day
 * is over everywhere on earth, and nobody holds it (Legal-Hold).  One without
 * such a day stays.  So does one that cannot be read as what was sealed, since
 * nobody knows what it would say.
 *
 * What was found when it was looked at stays beside the place where it was.
 */

#include "io/err.h"

enum archive_fate {
    ARCHIVE_EXPIRED,
    ARCHIVE_RETAINED, /* its day has not come */
    ARCHIVE_HELD,
    ARCHIVE_UNDATED, /* it has none */
};

struct archive_expiry {
    enum archive_fate fate;
    char until[16];    /* "2031-12-31", or "" */
    char reason[1024]; /* of the hold, or "" */
    unsigned n_volumes;
};

/* What becomes of it; unless it is a dry run that has happened. */
int archive_expire(struct archive_expiry *ret, const char *where, int dry_run,
                   struct err *err);
