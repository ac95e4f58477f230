/* SPDX-License-Identifier: PostgreSQL */
#include "io/object/object.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "io/object/object_sign.h"
#include "io/object/object_text.h"
#include "io/object/object_xml.h"

int
object_no_outcome(struct object_call *call, int r, struct err *err)
{
    if (r > 0) {
        object_call_complaint(call, err);
        return -1;
    }
    return r;
}

int
object_head(struct object_client *c, const char *key, struct object_info *ret,
            struct err *err)
{
    cleanup_(object_call_endp) struct object_call *call = NULL;
    const struct object_ask ask = {.method = "HEAD", .key = key};
    const struct object_answer *a;
    int r = object_call_begin(&call, c, &ask, err);

    if (!r)
        r = object_call_wait(call, &a, err);
    if (r)
        return r;
    if (a->len == OBJECT_LEN_UNKNOWN)
        return err_set(err, ERR_SERVER,
                       "the object store does not say how long \"%s\" is", key);
    ret->len = a->len;
    strcpy(ret->etag, a->etag);
    strcpy(ret->upload_tag, a->upload_tag);
    return 0;
}

int
object_read(struct object_client *c, const char *key, const char *etag,
            uint64_t offset, void *to, size_t len, struct err *err)
{
    cleanup_(object_call_endp) struct object_call *call = NULL;
    const struct object_ask ask = {.method = "GET",
                                   .key = key,
                                   .into = to,
                                   .offset = offset,
                                   .len = len,
                                   .etag = etag};
    int r;

    if (!len)
        return 0;
    r = object_call_begin(&call, c, &ask, err);
    if (!r)
        r = object_call_wait(call, NULL, err);
    return r > 0 ? object_no_outcome(call, r, err) : r;
}

/* ---- putting ---- */

int
object_put_header(char **headers, int *n, const char *name, const char *value)
{
    if (*n < 0 || !value)
        return 0;
    if (asprintf(&headers[*n], "%s: %s", name, value) < 0)
        return headers[*n] = NULL, *n = -1;
    return ++*n;
}

int
object_put_headers(const struct object_config *config, char **headers, int n,
                   struct err *err)
{
    object_put_header(headers, &n, "x-amz-server-side-encryption",
                      config->encryption);
    object_put_header(headers, &n,
                      "x-amz-server-side-encryption-aws-kms-key-id",
                      config->kms_key);
    object_put_header(headers, &n, "x-amz-storage-class",
                      config->storage_class);
    object_put_header(headers, &n, "x-amz-object-lock-mode", config->lock);
    object_put_header(headers, &n, "x-amz-object-lock-retain-until-date",
                      config->lock ? config->retain_until : NULL);
    object_put_header(headers, &n, "x-amz-object-lock-legal-hold",
                      config->legal_hold ? "ON" : NULL);
    return n < 0 ? err_nomem(err) : n;
}

int
object_tag(char ret[OBJECT_TAG_SIZE], struct err *err)
{
    unsigned char bytes[OBJECT_TAG_SIZE / 2];

    if (getrandom(bytes, sizeof bytes, 0) != sizeof bytes)
        return err_sys(err, errno, "could not get random bytes");
    object_hex(ret, bytes, sizeof bytes);
    return 0;
}

int
object_is_ours(struct object_client *c, const char *key, const char *tag,
               struct err *err)
{
    struct object_info info;
    int r = object_head(c, key, &info, err);

    if (r < 0)
        return r;
    return !r && strcmp(info.upload_tag, tag) == 0 ? 0 : OBJECT_E_EXISTS;
}

/* Stores with a lock want one of these; older ones know the MD5 only. */
static int
put_checksums(char **headers, int *n, const struct object_config *config,
              const void *data, size_t len)
{
    unsigned char hash[32];
    char text[OBJECT_BASE64_SIZE(32)];

    if (!EVP_Digest(data, len, hash, NULL, EVP_sha256(), NULL))
        return -1;
    object_base64(text, hash, 32);
    object_put_header(headers, n, "x-amz-checksum-sha256", text);
    if (config->lock || config->legal_hold) {
        if (!EVP_Digest(data, len, hash, NULL, EVP_md5(), NULL))
            return -1;
        object_base64(text, hash, 16);
        object_put_header(headers, n, "Content-MD5", text);
    }
    return *n < 0 ? -1 : 0;
}

void
object_headers_free(char *(*headers)[OBJECT_HEADERS_MAX])
{
    for (unsigned i = 0; i < OBJECT_HEADERS_MAX; i++)
        free((*headers)[i]);
}

int
object_put(struct object_client *c, const char *key, const void *data,
           size_t len, int replace, struct err *err)
{
    cleanup_(object_headers_free) char *headers[OBJECT_HEADERS_MAX] = {0};
    cleanup_(object_call_endp) struct object_call *call = NULL;
    char tag[OBJECT_TAG_SIZE];
    const struct object_config *config = object_client_config(c);
    struct object_ask ask = {
        .method = "PUT", .key = key, .body = data, .body_len = len};
    int n = object_put_headers(config, headers, 0, err), r;

    if (n < 0 || object_tag(tag, err) < 0)
        return -1;
    object_put_header(headers, &n, "x-amz-meta-upload-tag", tag);
    if (put_checksums(headers, &n, config, data, len) < 0)
        return err_nomem(err);
    if (!replace)
        object_put_header(headers, &n, "If-None-Match", "*");
    if (n < 0)
        return err_nomem(err);
    memcpy(ask.headers, headers, sizeof headers);
    r = object_call_begin(&call, c, &ask, err);
    if (!r)
        r = object_call_wait(call, NULL, err);
    if (r == OBJECT_E_EXISTS)
        return object_is_ours(c, key, tag, err);
    return object_no_outcome(call, r, err);
}

int
object_remove(struct object_client *c, const char *key, struct err *err)
{
    cleanup_(object_call_endp) struct object_call *call = NULL;
    const struct object_ask ask = {.method = "DELETE", .key = key};
    int r = object_call_begin(&call, c, &ask, err);

    if (!r)
        r = object_call_wait(call, NULL, err);
    return r == OBJECT_E_MISSING ? r : object_no_outcome(call, r, err);
}

/* ---- listing ---- */

struct listing {
    object_visit *visit;
    void *arg;
    char key[OBJECT_XML_TEXT_MAX];
    uint64_t len;
    char next[OBJECT_XML_TEXT_MAX]; /* token */
    int truncated;
};

static int
on_listed(void *arg, const char *path, const char *text, struct err *err)
{
    struct listing *l = arg;

    if (strcmp(path, "ListBucketResult/Contents/Key") == 0)
        strcpy(l->key, text);
    else if (strcmp(path, "ListBucketResult/Contents/Size") == 0)
        l->len = strtoull(text, NULL, 10);
    else if (strcmp(path, "ListBucketResult/NextContinuationToken") == 0)
        strcpy(l->next, text);
    else if (strcmp(path, "ListBucketResult/IsTruncated") == 0)
        l->truncated = strcmp(text, "true") == 0;
    else if (strcmp(path, "ListBucketResult/Contents") == 0)
        return l->visit(l->arg, l->key, l->len, err);
    return 0;
}

static int
list_page(struct object_client *c, const char *query, struct listing *l,
          struct err *err)
{
    cleanup_(object_call_endp) struct object_call *call = NULL;
    const struct object_ask ask = {.method = "GET", .query = query};
    const struct object_answer *a;
    int r = object_call_begin(&call, c, &ask, err);

    if (!r)
        r = object_no_outcome(call, object_call_wait(call, &a, err), err);
    return r ? r : object_xml_parse(a->text, a->text_len, on_listed, l, err);
}

int
object_list(struct object_client *c, const char *prefix, object_visit *visit,
            void *arg, struct err *err)
{
    cleanup_(freep) char *escaped = object_escape(prefix, 0);
    struct listing l = {.visit = visit, .arg = arg};
    int r;

    if (!escaped)
        return err_nomem(err);
    do {
        cleanup_(freep) char *token = object_escape(l.next, 0);
        cleanup_(freep) char *query = NULL;

        /* In the order of their names, as the signature has them. */
        if (!token || asprintf(&query, "%s%s%slist-type=2&prefix=%s",
                               *token ? "continuation-token=" : "", token,
                               *token ? "&" : "", escaped) < 0)
            return query = NULL, err_nomem(err);
        l.truncated = 0;
        l.next[0] = '\0';
        r = list_page(c, query, &l, err);
    } while (!r && l.truncated && l.next[0]);
    return r;
}
