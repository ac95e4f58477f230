/* SPDX-License-Identifier: PostgreSQL */
#include "io/object/object_config.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/object/object_profile.h"

/* ---- from the environment ---- */

static int
copy(char **ret, const char *text, struct err *err)
{
    *ret = text ? strdup(text) : NULL;
    return text && !*ret ? err_nomem(err) : 0;
}

static const char *
first_env(const char *a, const char *b)
{
    const char *value = object_env(a);

    return value ? value : object_env(b);
}

static int
read_region(struct object_config *c, struct err *err)
{
    if (copy(&c->region, first_env("AWS_REGION", "AWS_DEFAULT_REGION"), err) <
        0)
        return -1;
    if (!c->region && object_profile_get(&c->region, "region", err) < 0)
        return -1;
    if (!c->region && copy(&c->region, "us-east-1", err) < 0)
        return -1;
    /* It becomes part of a host's name, and of the signature. */
    if (c->region[strspn(c->region, "abcdefghijklmnopqrstuvwxyz"
                                    "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                    "0123456789-_")])
        return err_set(err, ERR_USAGE, "\"%s\" is no region", c->region);
    return 0;
}

static int
read_style(struct object_config *c, struct err *err)
{
    const char *style = object_env("PGHAUL_S3_STYLE");

    if (!style || strcmp(style, "auto") == 0)
        c->style = OBJECT_STYLE_AUTO;
    else if (strcmp(style, "path") == 0)
        c->style = OBJECT_STYLE_PATH;
    else if (strcmp(style, "host") == 0)
        c->style = OBJECT_STYLE_HOST;
    else
        return err_set(err, ERR_USAGE,
                       "PGHAUL_S3_STYLE is \"%s\": none of auto, path, host",
                       style);
    return 0;
}

/* "AES256", "aws:kms" or "aws:kms:KEY". */
static int
read_encryption(struct object_config *c, struct err *err)
{
    const char *text = object_env("PGHAUL_S3_ENCRYPTION");

    if (!text)
        return 0;
    if (strncmp(text, "aws:kms:", 8) == 0)
        return copy(&c->encryption, "aws:kms", err) < 0
                   ? -1
                   : copy(&c->kms_key, text + 8, err);
    if (strcmp(text, "AES256") == 0 || strcmp(text, "aws:kms") == 0)
        return copy(&c->encryption, text, err);
    return err_set(err, ERR_USAGE,
                   "PGHAUL_S3_ENCRYPTION is \"%s\": none of AES256, aws:kms, "
                   "aws:kms:KEY",
                   text);
}

/* "governance" or "compliance", and until when. */
static int
read_lock(struct object_config *c, struct err *err)
{
    const char *mode = object_env("PGHAUL_S3_LOCK");
    const char *until = object_env("PGHAUL_S3_RETAIN_UNTIL");
    const char *hold = object_env("PGHAUL_S3_LEGAL_HOLD");

    c->legal_hold = hold && strcasecmp(hold, "off") != 0;
    if (!mode != !until)
        return err_set(err, ERR_USAGE,
                       "an object lock needs both a mode and a date until "
                       "which it holds");
    if (!mode)
        return 0;
    if (strcasecmp(mode, "governance") == 0)
        mode = "GOVERNANCE";
    else if (strcasecmp(mode, "compliance") == 0)
        mode = "COMPLIANCE";
    else
        return err_set(err, ERR_USAGE,
                       "\"%s\" is no object lock: governance or compliance",
                       mode);
    return copy(&c->lock, mode, err) < 0 ? -1
                                         : copy(&c->retain_until, until, err);
}

int
object_config_new(struct object_config **ret, struct err *err)
{
    cleanup_(object_config_freep) struct object_config *c =
        calloc(1, sizeof *c);

    if (!c)
        return err_nomem(err);
    c->n_tries = 8;
    c->pause_ms = 250;
    c->stall_s = 30;
    c->n_parallel = 4;
    if (copy(&c->endpoint, first_env("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"),
             err) < 0 ||
        copy(&c->ca, object_env("AWS_CA_BUNDLE"), err) < 0 ||
        copy(&c->storage_class, object_env("PGHAUL_S3_STORAGE_CLASS"), err) < 0)
        return -1;
    if (read_region(c, err) < 0 || read_style(c, err) < 0 ||
        read_encryption(c, err) < 0 || read_lock(c, err) < 0)
        return -1;
    *ret = take(c);
    return 0;
}

struct object_config *
object_config_free(struct object_config *c)
{
    if (!c)
        return NULL;
    free(c->endpoint);
    free(c->region);
    free(c->ca);
    free(c->encryption);
    free(c->kms_key);
    free(c->storage_class);
    free(c->lock);
    free(c->retain_until);
    free(c);
    return NULL;
}

/* ---- where a bucket is ---- */

struct endpoint {
    char *scheme, *host, *port, *path, *user, *query; /* libcurl's */
};

static void
endpoint_clear(struct endpoint *e)
{
    curl_free(e->scheme);
    curl_free(e->host);
    curl_free(e->port);
    curl_free(e->path);
    curl_free(e->user);
    curl_free(e->query);
}

static int
parse_endpoint(struct endpoint *e, const char *url, struct err *err)
{
    CURLU *u = curl_url();
    int ok;

    if (!u)
        return err_nomem(err);
    ok = curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK;
    if (ok) {
        curl_url_get(u, CURLUPART_SCHEME, &e->scheme, 0);
        curl_url_get(u, CURLUPART_HOST, &e->host, 0);
        curl_url_get(u, CURLUPART_PORT, &e->port, CURLU_NO_DEFAULT_PORT);
        curl_url_get(u, CURLUPART_PATH, &e->path, 0);
        curl_url_get(u, CURLUPART_USER, &e->user, 0);
        curl_url_get(u, CURLUPART_QUERY, &e->query, 0);
    }
    curl_url_cleanup(u);
    if (ok && e->host && e->scheme && !e->user && !e->query &&
        (!e->path || strcmp(e->path, "/") == 0) &&
        (strcmp(e->scheme, "https") == 0 || strcmp(e->scheme, "http") == 0))
        return 0;
    /* Not shown: somebody may have put a secret into it. */
    err_set(err, ERR_USAGE, "the object store's endpoint is no address");
    return err_hint(err, "It is like https://s3.example.com:9000, and names "
                         "neither a user nor a path.");
}

static int
default_endpoint(char **ret, const char *region, struct err *err)
{
    if (asprintf(ret, "https://s3.%s.amazonaws.com%s", region,
                 strncmp(region, "cn-", 3) == 0 ? ".cn" : "") < 0)
        return *ret = NULL, err_nomem(err);
    return 0;
}

static int
check_bucket(const char *bucket, struct err *err)
{
    size_t len = strlen(bucket);

    if (len >= 3 && len <= 255 && !strstr(bucket, "..") &&
        !bucket[strspn(bucket, "abcdefghijklmnopqrstuvwxyz"
                               "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_")])
        return 0;
    return err_set(err, ERR_USAGE, "\"%s\" is no bucket's name", bucket);
}

static int
is_host_style(const struct object_config *c, const char *bucket)
{
    if (c->style != OBJECT_STYLE_AUTO)
        return c->style == OBJECT_STYLE_HOST;
    /* A certificate for *.endpoint does not stretch over a dot. */
    return !c->endpoint && !strchr(bucket, '.');
}

static int
put_together(struct object_place *ret, const struct endpoint *e,
             const char *bucket, int host_style, struct err *err)
{
    const char *port = e->port ? e->port : "";

    *ret = (struct object_place){0};
    if (asprintf(&ret->host, "%s%s%s%s%s", host_style ? bucket : "",
                 host_style ? "." : "", e->host, *port ? ":" : "", port) < 0)
        ret->host = NULL;
    else if (asprintf(&ret->base, "%s://%s", e->scheme, ret->host) < 0)
        ret->base = NULL;
    else if (asprintf(&ret->prefix, "%s%s", host_style ? "" : "/",
                      host_style ? "" : bucket) < 0)
        ret->prefix = NULL;
    if (ret->prefix)
        return 0;
    object_place_clear(ret);
    return err_nomem(err);
}

int
object_place_find(struct object_place *ret, const struct object_config *c,
                  const char *bucket, struct err *err)
{
    cleanup_(freep) char *fallback = NULL;
    cleanup_(endpoint_clear) struct endpoint e = {0};

    *ret = (struct object_place){0};
    if (check_bucket(bucket, err) < 0)
        return -1;
    if (!c->endpoint && default_endpoint(&fallback, c->region, err) < 0)
        return -1;
    if (parse_endpoint(&e, c->endpoint ? c->endpoint : fallback, err) < 0)
        return -1;
    return put_together(ret, &e, bucket, is_host_style(c, bucket), err);
}

void
object_place_clear(struct object_place *p)
{
    free(p->base);
    free(p->prefix);
    free(p->host);
    *p = (struct object_place){0};
}
