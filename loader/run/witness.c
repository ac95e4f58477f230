/* SPDX-License-Identifier: PostgreSQL */
#include "loader/run/witness.h"

#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "io/printable.h"

enum { NAME = 256 };

const char *
witness_time(char to[WITNESS_TIME])
{
    struct timespec now;
    struct tm utc;
    size_t n;

    clock_gettime(CLOCK_REALTIME, &now);
    n = strftime(to, WITNESS_TIME, "%FT%T", gmtime_r(&now.tv_sec, &utc));
    snprintf(to + n, WITNESS_TIME - n, ".%03dZ",
             (int)(now.tv_nsec / 1000000) % 1000);
    return to;
}

static void
set_name(json_t *to, const char *member, const char *name)
{
    char shown[PRINTABLE_SIZE(NAME)];

    json_object_set_new(to, member,
                        json_string(printable(shown, sizeof shown, name)));
}

void
witness_add(json_t *to)
{
    char time[WITNESS_TIME], host[NAME] = "", number[16], buffer[4096];
    struct passwd user, *found = NULL;

    gethostname(host, sizeof host - 1);
    getpwuid_r(getuid(), &user, buffer, sizeof buffer, &found);
    snprintf(number, sizeof number, "%u", (unsigned)getuid());
    json_object_set_new(to, "time", json_string(witness_time(time)));
    set_name(to, "user", found ? found->pw_name : number);
    set_name(to, "host", host);
    json_object_set_new(to, "pghaul", json_string(PGHAUL_VERSION));
}
