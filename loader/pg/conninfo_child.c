/* SPDX-License-Identifier: PostgreSQL */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/fd.h"
#include "loader/pg/conninfo.h"

static int
is_secret(const PQconninfoOption *o)
{
    /* libpq marks what a form should show as stars; the keys of SCRAM it
       marks otherwise. */
    return *o->dispchar == '*' || strncmp(o->keyword, "scram_", 6) == 0;
}

static int
refuse_other_secrets(const PQconninfoOption *options, struct err *err)
{
    for (const PQconninfoOption *o = options; o->keyword; o++) {
        if (!o->val || !*o->val || !is_secret(o) ||
            strcmp(o->keyword, "password") == 0)
            continue;
        err_set(err, ERR_USAGE, "could not hand %s on to another program",
                o->keyword);
        err_detail(err, "It would stand in that program's arguments, for all "
                        "users of this machine to read.");
        return err_hint(err, "Put it into a service file and give service=...");
    }
    return 0;
}

/* A line for any server, as it is the only one that the child talks to. */
static int
write_passfile(int fd, const char *password, struct err *err)
{
    FILE *f = fdopen(dup(fd), "w");
    int failed;

    if (!f)
        return err_sys(err, errno, "could not write a password file in memory");
    fputs("*:*:*:*:", f);
    for (const char *c = password; *c; c++) {
        if (*c == ':' || *c == '\\')
            fputc('\\', f);
        fputc(*c, f);
    }
    fputc('\n', f);
    failed = ferror(f);
    if (fclose(f) || failed)
        return err_sys(err, errno, "could not write a password file in memory");
    return 0;
}

/* libpq reads a passfile only when it is a regular file that nobody else may
   read; a memfd is one, once its mode is right. */
static int
make_passfile(int *ret_fd, const char *password, struct err *err)
{
    cleanup_(fd_closep) int fd = -1;
    int r;

    if (strpbrk(password, "\r\n"))
        return err_set(err, ERR_USAGE,
                       "could not hand on a password with a line break");
    fd = memfd_create("passfile", MFD_CLOEXEC);
    if (fd < 0 || fchmod(fd, 0600) < 0)
        return err_sys(err, errno,
                       "could not create a password file in memory");
    r = write_passfile(fd, password, err);
    if (r)
        return r;
    *ret_fd = fd_take(&fd);
    return 0;
}

static int
make_string(char **ret, const PQconninfoOption *options, int passfile_fd,
            struct err *err)
{
    char passfile[64];
    size_t len;
    FILE *f = open_memstream(ret, &len);

    if (!f)
        return err_nomem(err);
    for (const PQconninfoOption *o = options; o->keyword; o++) {
        if (o->val && !is_secret(o) &&
            !(passfile_fd >= 0 && strcmp(o->keyword, "passfile") == 0))
            conninfo_put(f, o->keyword, o->val);
    }
    if (passfile_fd >= 0) {
        snprintf(passfile, sizeof passfile, "/proc/self/fd/%d", passfile_fd);
        conninfo_put(f, "passfile", passfile);
    }
    return fclose(f) ? err_nomem(err) : 0;
}

/* PGPASSWORD would also go before the passfile. */
static int
make_env(char ***ret, struct err *err)
{
    unsigned n = 0, n_kept = 0;
    char **env;

    while (environ[n])
        n++;
    env = calloc(n + 1, sizeof *env);
    if (!env)
        return err_nomem(err);
    for (unsigned i = 0; i < n; i++) {
        if (strncmp(environ[i], "PGPASSWORD=", 11) != 0)
            env[n_kept++] = environ[i];
    }
    *ret = env;
    return 0;
}

static int
describe(struct conninfo_child *c, const char *conninfo, struct err *err)
{
    cleanup_(conninfo_options_freep) PQconninfoOption *options = NULL;
    const char *password;
    int r;

    r = conninfo_options(&options, conninfo, err);
    if (!r)
        r = refuse_other_secrets(options, err);
    if (r)
        return r;

    password = conninfo_value(options, "password");
    if (!password)
        password = getenv("PGPASSWORD");
    if (password)
        r = make_passfile(&c->passfile_fd, password, err);
    return r ? r : make_string(&c->conninfo, options, c->passfile_fd, err);
}

int
conninfo_child_new(struct conninfo_child *ret, const char *conninfo,
                   struct err *err)
{
    struct conninfo_child c = {.passfile_fd = -1};
    int r;

    r = make_env(&c.env, err);
    if (!r && conninfo)
        r = describe(&c, conninfo, err);
    if (r) {
        conninfo_child_free(&c);
        return r;
    }
    *ret = c;
    return 0;
}

void
conninfo_child_free(struct conninfo_child *c)
{
    free(c->conninfo);
    free(c->env);
    if (c->passfile_fd >= 0)
        close(c->passfile_fd);
    *c = (struct conninfo_child){.passfile_fd = -1};
}
