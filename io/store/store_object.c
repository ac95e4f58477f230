/* SPDX-License-Identifier: PostgreSQL */

/* Stores that are objects: "s3://bucket/key". */

#include <openssl/evp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/object/object.h"
#include "io/object/object_ahead.h"
#include "io/object/object_text.h"
#include "io/object/object_upload.h"
#include "io/store/store_kinds.h"

/* ---- which object ---- */

struct place {
    char *where; /* as it was given */
    char *bucket;
    char *key;
    struct object_config *config;
};

static void
place_clear(struct place *p)
{
    free(p->where);
    free(p->bucket);
    free(p->key);
    object_config_free(p->config);
}

static int
place_find(struct place *p, const char *where, struct err *err)
{
    const char *bucket = where + strlen("s3://");
    const char *slash = strchr(bucket, '/');

    if (!slash || slash == bucket || !slash[1] || strlen(slash + 1) > 1024) {
        err_set(err, ERR_USAGE, "\"%s\" names no object", where);
        return err_hint(err, "It is like s3://bucket/name.tar.");
    }
    p->where = strdup(where);
    p->bucket = strndup(bucket, (size_t)(slash - bucket));
    p->key = strdup(slash + 1);
    if (!p->where || !p->bucket || !p->key)
        return err_nomem(err);
    return object_config_new(&p->config, err);
}

static int
outcome(int r)
{
    return r == OBJECT_E_MISSING  ? STORE_E_MISSING
           : r == OBJECT_E_EXISTS ? STORE_E_EXISTS
                                  : r;
}

/* ---- reading ---- */

enum { CLIENTS_MAX = 64 };

struct object_in {
    struct store_in store;
    struct place place;
    struct object_info info;

    pthread_mutex_t lock;                    /* over all that follows */
    struct object_client *free[CLIENTS_MAX]; /* that nobody uses now */
    unsigned n_free;
    /* Who reads on and on from one place is read ahead for, one at a time. */
    struct object_client *ahead_client;
    struct object_ahead *ahead; /* NULL: none yet, or in use */
    int ahead_in_use;
    uint64_t next; /* where the last read ended */
    unsigned n_in_a_row;
};

static struct store_in *
in_free(struct store_in *s)
{
    struct object_in *in = (struct object_in *)s;

    object_ahead_free(in->ahead);
    object_client_free(in->ahead_client);
    while (in->n_free)
        object_client_free(in->free[--in->n_free]);
    pthread_mutex_destroy(&in->lock);
    place_clear(&in->place);
    free(in);
    return NULL;
}

static int
borrow_client(struct object_in *in, struct object_client **ret, struct err *err)
{
    *ret = NULL;
    pthread_mutex_lock(&in->lock);
    if (in->n_free)
        *ret = in->free[--in->n_free];
    pthread_mutex_unlock(&in->lock);
    if (*ret)
        return 0;
    return object_client_new(ret, in->place.config, in->place.bucket, err);
}

static void
give_back(struct object_in *in, struct object_client *c)
{
    pthread_mutex_lock(&in->lock);
    if (in->n_free < CLIENTS_MAX) {
        in->free[in->n_free++] = c;
        c = NULL;
    }
    pthread_mutex_unlock(&in->lock);
    object_client_free(c);
}

/* Is this the third read of those that follow each other? */
static int
begin_ahead(struct object_in *in, uint64_t offset, size_t len)
{
    int is_ahead;

    pthread_mutex_lock(&in->lock);
    in->place.config->stop = in->store.stop;
    in->n_in_a_row = offset == in->next ? in->n_in_a_row + 1 : 0;
    in->next = offset + len;
    is_ahead = in->n_in_a_row >= 2 && !in->ahead_in_use;
    in->ahead_in_use |= is_ahead;
    pthread_mutex_unlock(&in->lock);
    return is_ahead;
}

static void
end_ahead(struct object_in *in)
{
    pthread_mutex_lock(&in->lock);
    in->ahead_in_use = 0;
    pthread_mutex_unlock(&in->lock);
}

/* By whoever has begun it. */
static int
read_ahead(struct object_in *in, uint64_t offset, void *to, size_t len,
           struct err *err)
{
    if (!in->ahead_client &&
        object_client_new(&in->ahead_client, in->place.config, in->place.bucket,
                          err) < 0)
        return -1;
    if (!in->ahead &&
        object_ahead_new(&in->ahead, in->ahead_client, in->place.key,
                         in->info.etag, in->info.len, err) < 0)
        return -1;
    return object_ahead_read(in->ahead, offset, to, len, err);
}

static int
read_alone(struct object_in *in, uint64_t offset, void *to, size_t len,
           struct err *err)
{
    struct object_client *c;
    int r;

    if (borrow_client(in, &c, err) < 0)
        return -1;
    r = object_read(c, in->place.key, in->info.etag, offset, to, len, err);
    give_back(in, c);
    return r;
}

static int
in_read(struct store_in *s, uint64_t offset, void *to, size_t len,
        size_t *ret_n, struct err *err)
{
    struct object_in *in = (struct object_in *)s;
    int r;

    if (offset >= s->len)
        len = 0;
    else if (len > s->len - offset)
        len = (size_t)(s->len - offset);
    *ret_n = len;
    if (!len)
        return 0;
    if (!begin_ahead(in, offset, len))
        return read_alone(in, offset, to, len, err);
    r = read_ahead(in, offset, to, len, err);
    end_ahead(in);
    return r;
}

static const struct store_in_ops in_ops = {.read = in_read, .free = in_free};

int
store_object_in(struct store_in **ret, const char *where, struct err *err)
{
    cleanup_(store_in_freep) struct store_in *s = NULL;
    struct object_in *in = calloc(1, sizeof *in);
    struct object_client *c;
    int r;

    if (!in)
        return err_nomem(err);
    pthread_mutex_init(&in->lock, NULL);
    in->store.ops = &in_ops;
    in->next = UINT64_MAX; /* nothing was read */
    s = &in->store;
    r = place_find(&in->place, where, err);
    if (!r)
        r = borrow_client(in, &c, err);
    if (r)
        return r;
    give_back(in, c);
    r = object_head(c, in->place.key, &in->info, err);
    in->store.name = in->place.where;
    in->store.len = in->info.len;
    if (!r)
        *ret = take(s);
    return outcome(r);
}

/* ---- writing ---- */

struct object_out {
    struct store_out store;
    struct place place;
    struct object_client *client;
    struct object_upload *upload;
};

static int
out_append(struct store_out *s, const void *data, size_t len, struct err *err)
{
    return object_upload_append(((struct object_out *)s)->upload, data, len,
                                err);
}

static int
out_commit(struct store_out *s, struct err *err)
{
    return outcome(object_upload_commit(((struct object_out *)s)->upload, err));
}

static struct store_out *
out_free(struct store_out *s)
{
    struct object_out *out = (struct object_out *)s;

    object_upload_free(out->upload);
    object_client_free(out->client);
    place_clear(&out->place);
    free(out);
    return NULL;
}

static const struct store_out_ops out_ops = {
    .append = out_append, .commit = out_commit, .free = out_free};

/* Of each object its own: volumes may be broken off one after the other. */
static int
state_path(char **ret, const struct store_out_params *p, struct err *err)
{
    unsigned char hash[32];
    char hex[17];

    *ret = NULL;
    if (!p->state_dir)
        return 0;
    if (!EVP_Digest(p->where, strlen(p->where), hash, NULL, EVP_sha256(), NULL))
        return err_nomem(err);
    object_hex(hex, hash, 8);
    if (asprintf(ret, "%s/upload-%s", p->state_dir, hex) < 0)
        return *ret = NULL, err_nomem(err);
    return 0;
}

int
store_object_out(struct store_out **ret, const struct store_out_params *p,
                 struct err *err)
{
    cleanup_(store_out_freep) struct store_out *s = NULL;
    cleanup_(freep) char *state = NULL;
    struct object_out *out = calloc(1, sizeof *out);
    struct object_upload_params params = {.expected_len = p->expected_len,
                                          .replace = p->replace};
    int r;

    if (!out)
        return err_nomem(err);
    out->store.ops = &out_ops;
    s = &out->store;
    r = place_find(&out->place, p->where, err);
    if (!r)
        r = state_path(&state, p, err);
    if (r)
        return r;
    out->store.name = out->place.where;
    out->place.config->stop = p->stop;
    params.key = out->place.key;
    params.state = state;
    r = object_client_new(&out->client, out->place.config, out->place.bucket,
                          err);
    if (!r)
        r = object_upload_new(&out->upload, out->client, &params, err);
    if (!r)
        *ret = take(s);
    return outcome(r);
}

int
store_object_remove(const char *where, struct err *err)
{
    cleanup_(place_clear) struct place p = {0};
    cleanup_(object_client_freep) struct object_client *c = NULL;
    struct object_info info;
    int r = place_find(&p, where, err);

    if (!r)
        r = object_client_new(&c, p.config, p.bucket, err);
    /* Most stores do not say whether there was one. */
    if (!r)
        r = object_head(c, p.key, &info, err);
    if (!r)
        r = object_remove(c, p.key, err);
    return outcome(r);
}
