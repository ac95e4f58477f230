/* SPDX-License-Identifier: PostgreSQL */
#include "io/object/object_lock.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "io/object/object.h"
#include "io/object/object_text.h"

#define XMLNS "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\""

static int
put_setting(struct object_client *c, const char *key, const char *query,
            const char *xml, struct err *err)
{
    cleanup_(object_call_endp) struct object_call *call = NULL;
    unsigned char md5[16];
    char hash[OBJECT_BASE64_SIZE(16)], header[64];
    const struct object_ask ask = {.method = "PUT",
                                   .key = key,
                                   .query = query,
                                   .headers = {header},
                                   .body = xml,
                                   .body_len = strlen(xml)};
    int r;

    if (!EVP_Digest(xml, strlen(xml), md5, NULL, EVP_md5(), NULL))
        return err_nomem(err);
    object_base64(hash, md5, sizeof md5);
    snprintf(header, sizeof header, "Content-MD5: %s", hash);
    r = object_call_begin(&call, c, &ask, err);
    if (!r)
        r = object_no_outcome(call, object_call_wait(call, NULL, err), err);
    return r;
}

static int
put_retention(struct object_client *c, const char *key, struct err *err)
{
    const struct object_config *config = object_client_config(c);
    char xml[512];

    snprintf(xml, sizeof xml,
             "<Retention " XMLNS "><Mode>%s</Mode>"
             "<RetainUntilDate>%.64s</RetainUntilDate></Retention>",
             config->lock, config->retain_until);
    return put_setting(c, key, "retention=", xml, err);
}

static int
is_locked(struct object_client *c, const char *key, int *ret_hold,
          struct err *err)
{
    cleanup_(object_call_endp) struct object_call *call = NULL;
    const struct object_ask ask = {.method = "HEAD", .key = key};
    const struct object_answer *a;
    int r = object_call_begin(&call, c, &ask, err);

    if (!r)
        r = object_no_outcome(call, object_call_wait(call, &a, err), err);
    if (r)
        return r;
    *ret_hold = strcmp(a->legal_hold, "ON") == 0;
    return *a->lock_mode != '\0';
}

static int
not_locked(const char *key, struct err *err)
{
    struct err why = *err;

    err_set(err, why.class, "\"%.600s\" is there, but is not locked", key);
    err_detail(err, "%.500s: %.500s", why.message, why.detail);
    return err_hint(err, "Is the bucket one with object lock, and may we set "
                         "it (s3:PutObjectRetention, s3:PutObjectLegalHold)?");
}

int
object_lock_ensure(struct object_client *c, const char *key, struct err *err)
{
    const struct object_config *config = object_client_config(c);
    int hold = 0, r;

    if (!config->lock && !config->legal_hold)
        return 0;
    r = is_locked(c, key, &hold, err);
    if (r < 0)
        return r;
    if (config->lock && !r && put_retention(c, key, err) < 0)
        return not_locked(key, err);
    if (config->legal_hold && !hold &&
        put_setting(c, key, "legal-hold=",
                    "<LegalHold " XMLNS "><Status>ON</Status></LegalHold>",
                    err) < 0)
        return not_locked(key, err);
    return 0;
}
