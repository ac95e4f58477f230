/* SPDX-License-Identifier: PostgreSQL */
#include "io/object/object_credentials.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "io/object/object_profile.h"
#include "io/object/object_role.h"

enum { REFRESH_S = 300 };

typedef int role_fn(struct object_role_keys *ret, struct err *err);

struct object_credentials {
    struct object_keys keys;
    time_t expires;    /* 0: never */
    time_t not_before; /* for another try, after one has failed */
    role_fn *role;     /* NULL: they are what they are */
};

static void
wipe(char **text)
{
    if (*text)
        OPENSSL_cleanse(*text, strlen(*text));
    free(*text);
    *text = NULL;
}

static void
wipe_keys(struct object_keys *keys)
{
    wipe(&keys->id);
    wipe(&keys->secret);
    wipe(&keys->token);
}

static int
copy(char **ret, const char *text, struct err *err)
{
    *ret = text ? strdup(text) : NULL;
    return text && !*ret ? err_nomem(err) : 0;
}

static int
half_a_pair(const char *where, struct err *err)
{
    return err_set(err, ERR_USAGE,
                   "%s has one of an access key's id and secret, and not the "
                   "other",
                   where);
}

/* Each of these is 1: there are some; 0: none. */

static int
from_environment(struct object_keys *keys, struct err *err)
{
    const char *id = object_env("AWS_ACCESS_KEY_ID");
    const char *secret = object_env("AWS_SECRET_ACCESS_KEY");

    if (!id && !secret)
        return 0;
    if (!id || !secret)
        return half_a_pair("the environment", err);
    if (copy(&keys->id, id, err) < 0 || copy(&keys->secret, secret, err) < 0 ||
        copy(&keys->token, object_env("AWS_SESSION_TOKEN"), err) < 0)
        return -1;
    return 1;
}

static int
from_profile(struct object_keys *keys, struct err *err)
{
    if (object_profile_get(&keys->id, "aws_access_key_id", err) < 0 ||
        object_profile_get(&keys->secret, "aws_secret_access_key", err) < 0 ||
        object_profile_get(&keys->token, "aws_session_token", err) < 0)
        return -1;
    if (!keys->id != !keys->secret)
        return half_a_pair("the profile", err);
    return keys->id != NULL;
}

static int
from_role(struct object_credentials *c, role_fn *role, struct err *err)
{
    struct object_role_keys got = {0};
    int r = role(&got, err);

    if (r) {
        wipe_keys(&got.keys);
        return r == OBJECT_ROLE_E_NONE ? 0 : r;
    }
    wipe_keys(&c->keys);
    c->keys = got.keys;
    c->expires = got.expires;
    c->role = role;
    return 1;
}

static int
find(struct object_credentials *c, struct err *err)
{
    int r = from_environment(&c->keys, err);

    if (!r)
        r = from_profile(&c->keys, err);
    if (!r)
        r = from_role(c, object_role_of_container, err);
    if (!r)
        r = from_role(c, object_role_of_machine, err);
    if (r)
        return r < 0 ? r : 0;
    err_set(err, ERR_REFUSED, "there are no credentials for the object store");
    return err_hint(err, "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or "
                         "AWS_PROFILE, or run where a role gives some.");
}

int
object_credentials_new(struct object_credentials **ret, struct err *err)
{
    cleanup_(object_credentials_freep) struct object_credentials *c =
        calloc(1, sizeof *c);

    if (!c)
        return err_nomem(err);
    if (find(c, err) < 0)
        return -1;
    *ret = take(c);
    return 0;
}

struct object_credentials *
object_credentials_free(struct object_credentials *c)
{
    if (!c)
        return NULL;
    wipe_keys(&c->keys);
    free(c);
    return NULL;
}

/* As long as the old ones hold, a server that does not answer is no failure. */
static int
refresh(struct object_credentials *c, time_t now, struct err *err)
{
    int r = from_role(c, c->role, err);

    if (r > 0)
        return 0;
    if (now < c->expires) {
        c->not_before = now + REFRESH_S / 10;
        return 0;
    }
    return r < 0
               ? r
               : err_set(err, ERR_SERVER,
                         "the role's keys have expired, and it has no others");
}

int
object_credentials_get(struct object_credentials *c,
                       const struct object_keys **ret, struct err *err)
{
    time_t now = time(NULL);

    if (c->role && c->expires && now >= c->expires - REFRESH_S &&
        now >= c->not_before && refresh(c, now, err) < 0)
        return -1;
    *ret = &c->keys;
    return 0;
}

int
object_credentials_expire(struct object_credentials *c)
{
    if (!c->role)
        return 0;
    c->expires = 1;
    c->not_before = 0;
    return 1;
}
