/* SPDX-License-Identifier: PostgreSQL */
#include "loader/pg/encoding.h"

#include <string.h>

int
encoding_holds(const char *to, const char *from)
{
    if (strcmp(to, from) == 0)
        return 1;
    return strcmp(to, "UTF8") == 0 && strcmp(from, "SQL_ASCII") != 0 &&
           strcmp(from, "MULE_INTERNAL") != 0;
}

int
encoding_require(const char *to, const char *from, struct err *err)
{
    if (encoding_holds(to, from))
        return 0;
    err_set(err, ERR_REFUSED,
            "the target database cannot hold every text of the source");
    err_detail(err, "Its encoding is %s, that of the source is %s.", to, from);
    return err_hint(err,
                    "Make the target database anew: CREATE DATABASE ... "
                    "ENCODING '%s' TEMPLATE template0.",
                    from);
}
