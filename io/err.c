/* SPDX-License-Identifier: PostgreSQL */
#include "io/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* What helps whatever it was that failed. */
static const struct {
    int sys;
    const char *text;
} hints[] = {
    {ENOSPC, "Make room on the file system that holds it, then run the same "
             "command again."},
    {EDQUOT, "Make room in the quota of the file system that holds it, then "
             "run the same command again."},
    {EFBIG, "Raise the limit on the size of files (ulimit -f, RLIMIT_FSIZE)."},
};

int
err_set(struct err *err, enum err_class class, const char *fmt, ...)
{
    va_list ap;

    *err = (struct err){.class = class};
    va_start(ap, fmt);
    vsnprintf(err->message, sizeof err->message, fmt, ap);
    va_end(ap);
    return -1;
}

int
err_sys(struct err *err, int sys, const char *fmt, ...)
{
    const char *why = strerrordesc_np(sys);
    size_t room;
    va_list ap;

    *err = (struct err){.class = ERR_SYSTEM, .sys = sys};
    if (!why)
        why = "unknown error";

    /* The reason is worth more than the end of a long name. */
    room = sizeof err->message - strlen(": ") - strlen(why);
    va_start(ap, fmt);
    vsnprintf(err->message, room, fmt, ap);
    va_end(ap);
    strcat(strcat(err->message, ": "), why);

    for (size_t i = 0; i < sizeof hints / sizeof *hints; i++)
        if (hints[i].sys == sys)
            err_hint(err, "%s", hints[i].text);
    return -1;
}

int
err_detail(struct err *err, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(err->detail, sizeof err->detail, fmt, ap);
    va_end(ap);
    return -1;
}

int
err_hint(struct err *err, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(err->hint, sizeof err->hint, fmt, ap);
    va_end(ap);
    return -1;
}

int
err_nomem(struct err *err)
{
    err_set(err, ERR_SYSTEM, "out of memory");
    err->sys = ENOMEM;
    return -1;
}
