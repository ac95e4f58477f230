/* SPDX-License-Identifier: PostgreSQL */
#include "loader/keys/keys.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/fd.h"
#include "loader/pg/tool.h"

enum { KEYS_MAX = 64 << 10 }; /* bytes of a file */

/* What was read, wiped when it goes. */
struct text {
    char *data;
    size_t len, size;
};

static void
text_clear(struct text *t)
{
    if (t->data)
        OPENSSL_cleanse(t->data, t->size);
    free(t->data);
    *t = (struct text){0};
}

/* ---- files ---- */

/* As libpq judges the key of a client's certificate. */
static int
require_private(int fd, const char *path, struct err *err)
{
    struct stat st;
    mode_t others;

    if (fstat(fd, &st) < 0)
        return err_sys(err, errno, "could not examine \"%s\"", path);
    if (S_ISDIR(st.st_mode))
        return err_sys(err, EISDIR, "could not read \"%s\"", path);
    others = st.st_uid == 0 && geteuid() != 0 ? 037 : 077;
    if (!S_ISREG(st.st_mode) || !(st.st_mode & others))
        return 0;
    err_set(err, ERR_REFUSED,
            "\"%s\" holds a secret, and others have a right "
            "to it",
            path);
    err_detail(err, "Its mode is %04o.", (unsigned)st.st_mode & 07777);
    return err_hint(err, "Take the right away with \"chmod go= FILE\".");
}

/* All of a small one. */
static int
read_all(struct text *ret, int fd, const char *path, struct err *err)
{
    ssize_t n = 1;

    ret->size = KEYS_MAX + 1;
    ret->data = malloc(ret->size);
    if (!ret->data)
        return err_nomem(err);
    while (n > 0 && ret->len < ret->size) {
        n = read(fd, ret->data + ret->len, ret->size - ret->len);
        if (n < 0 && errno == EINTR)
            n = 1;
        else if (n > 0)
            ret->len += (size_t)n;
    }
    if (n < 0)
        return err_sys(err, errno, "could not read \"%s\"", path);
    if (ret->len > KEYS_MAX)
        return err_set(err, ERR_USAGE, "\"%s\" is too large for a file of keys",
                       path);
    return 0;
}

enum secrecy { PUBLIC, SECRET };

static int
read_file(struct text *ret, const char *path, enum secrecy secrecy,
          struct err *err)
{
    cleanup_(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    int r = 0;

    if (fd < 0)
        return err_sys(err, errno, "could not open \"%s\"", path);
    if (secrecy == SECRET)
        r = require_private(fd, path, err);
    return r ? r : read_all(ret, fd, path, err);
}

/* ---- recipients ---- */

static int
add_recipients_file(struct age_recipients *to, const char *path,
                    struct err *err)
{
    cleanup_(text_clear) struct text t = {0};
    char name[512];
    int r = read_file(&t, path, PUBLIC, err);

    snprintf(name, sizeof name, "\"%s\"", path);
    return r ? r : age_recipients_add_file(to, t.data, t.len, name, err);
}

static int
read_passphrase(struct text *ret, const char *path, struct err *err)
{
    int r = read_file(ret, path, SECRET, err);

    if (r)
        return r;
    ret->len = strnlen(ret->data, ret->len);
    for (size_t i = 0; i < ret->len; i++)
        if (ret->data[i] == '\n' || ret->data[i] == '\r')
            ret->len = i;
    return 0;
}

static int
set_passphrase(struct age_recipients *to, const char *path, struct err *err)
{
    cleanup_(text_clear) struct text t = {0};
    int r = read_passphrase(&t, path, err);

    return r ? r
             : age_recipients_passphrase(to, t.data, t.len, AGE_SCRYPT_DEFAULT,
                                         err);
}

int
keys_recipients(struct age_recipients **ret, const struct keys_params *p,
                struct err *err)
{
    cleanup_(age_recipients_freep) struct age_recipients *to = NULL;
    int r;

    *ret = NULL;
    if (p->n_recipients == 0 && !p->recipients_file && !p->passphrase_file)
        return 0;
    r = age_recipients_new(&to, err);
    for (unsigned i = 0; i < p->n_recipients && !r; i++)
        r = age_recipients_add(to, p->recipients[i], err);
    if (!r && p->recipients_file)
        r = add_recipients_file(to, p->recipients_file, err);
    if (!r && p->passphrase_file)
        r = set_passphrase(to, p->passphrase_file, err);
    if (!r)
        *ret = take(to);
    return r;
}

/* ---- identities ---- */

static int
add_identity_file(struct age_identities *to, const char *path, struct err *err)
{
    cleanup_(text_clear) struct text t = {0};
    char name[512];
    int r = read_file(&t, path, SECRET, err);

    snprintf(name, sizeof name, "\"%s\"", path);
    return r ? r : age_identities_add_file(to, t.data, t.len, name, err);
}

/* What it said may tell a secret, but not to us alone: it is its own. */
static int
command_failed(struct err *err)
{
    struct err said = *err;

    if (said.class == ERR_CANCELLED)
        return -1;
    err_set(err, ERR_REFUSED, "--identity-command failed");
    return err_detail(err, "%s%s%s", said.message, said.detail[0] ? ": " : "",
                      said.detail);
}

static int
add_identity_command(struct age_identities *to, const struct keys_params *p,
                     struct err *err)
{
    cleanup_(text_clear) struct text t = {0};
    const char *const args[] = {"-c", p->identity_command, NULL};
    const struct tool_params tool = {
        .path = "/bin/sh", .args = args, .stdout_fd = -1, .stop = p->stop};
    int r = tool_capture(&tool, KEYS_MAX, &t.data, &t.len, err);

    t.size = t.len;
    if (r)
        return command_failed(err);
    return age_identities_add_file(to, t.data, t.len,
                                   "what --identity-command prints", err);
}

static int
add_passphrase(struct age_identities *to, const char *path, struct err *err)
{
    cleanup_(text_clear) struct text t = {0};
    char name[512];
    int r = read_passphrase(&t, path, err);

    snprintf(name, sizeof name, "\"%s\"", path);
    return r ? r : age_identities_passphrase(to, t.data, t.len, name, err);
}

int
keys_identities(struct age_identities **ret, const struct keys_params *p,
                struct err *err)
{
    cleanup_(age_identities_freep) struct age_identities *to = NULL;
    int r;

    *ret = NULL;
    if (p->n_identities == 0 && !p->identity_command && !p->passphrase_file)
        return 0;
    r = age_identities_new(&to, err);
    for (unsigned i = 0; i < p->n_identities && !r; i++)
        r = add_identity_file(to, p->identities[i], err);
    if (!r && p->identity_command)
        r = add_identity_command(to, p, err);
    if (!r && p->passphrase_file)
        r = add_passphrase(to, p->passphrase_file, err);
    if (!r)
        *ret = take(to);
    return r;
}
