/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Errors.
 *
 * A function that can fail returns int:
 *
 *      0   done
 *     <0   failed; *err says what.  Clean up and return it unchanged.
 *     >0   an outcome named in the callee's header; handle it here.
 *
 * An error is filled where it is understood and printed once, by main().  It
 * has the three parts of a PostgreSQL message: the primary says what failed,
 * the detail adds the facts, the hint is a sentence that says what to do.
 */

/* What kind of failure.  The number is the exit status of the program. */
enum err_class {
    ERR_DIFFERS = 1,     /* a comparison was made and found a difference */
    ERR_USAGE = 2,       /* the command line or the configuration is wrong */
    ERR_SERVER = 3,      /* PostgreSQL said no, or went away; try again */
    ERR_CORRUPT = 4,     /* bytes are not what was written */
    ERR_SYSTEM = 5,      /* a system call failed; sys holds its errno */
    ERR_REFUSED = 6,     /* a check or a limit of ours said no */
    ERR_CANCELLED = 130, /* the user interrupted */
};

struct err {
    enum err_class class;
    int sys;          /* errno, with ERR_SYSTEM */
    char sqlstate[6]; /* with ERR_SERVER, where the server gave one */
    char message[1024];
    char detail[1024];
    char hint[512];
};

/*
 * These fill *err and return -1, so that callers write "return err_sys(...)".
 * Text that does not fit is cut, never at the cost of the errno's own text.
 * An errno that has one remedy, like a full disk, brings its hint.
 */
int err_set(struct err *err, enum err_class class, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
int err_sys(struct err *err, int sys, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Add to a filled error; these return -1 too. */
int err_detail(struct err *err, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
int err_hint(struct err *err, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Out of memory has no detail worth giving. */
int err_nomem(struct err *err);
