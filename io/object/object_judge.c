/* SPDX-License-Identifier: PostgreSQL */

/* What the end of a try means: done, an outcome, another try, a failure. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/object/object_call.h"
#include "io/object/object_xml.h"
#include "io/printable.h"

/* What an answer says of an error. */
struct complaint {
    char code[128];
    char message[512];
    char region[64];
};

static void
put(char *to, size_t size, const char *text)
{
    if (!*to)
        printable(to, size, text);
}

static int
on_element(void *arg, const char *path, const char *text, struct err *err)
{
    struct complaint *c = arg;

    (void)err;
    if (strcmp(path, "Error/Code") == 0)
        put(c->code, sizeof c->code, text);
    else if (strcmp(path, "Error/Message") == 0)
        put(c->message, sizeof c->message, text);
    else if (strcmp(path, "Error/Region") == 0)
        put(c->region, sizeof c->region, text);
    else if (strcmp(path, "Error") == 0 && !*c->code)
        put(c->code, sizeof c->code, "Error");
    return 0;
}

/* A proxy's page is no complaint of ours, and has none. */
static void
read_complaint(struct complaint *c, const struct object_call *call)
{
    const struct object_answer *a = &call->answer;
    size_t blank = strspn(a->text, " \t\r\n");
    struct err ignored;

    *c = (struct complaint){0};
    if (!call->into || a->status >= 300)
        object_xml_parse(a->text + blank, a->text_len - blank, on_element, c,
                         &ignored);
    put(c->region, sizeof c->region, call->region);
}

static int
is(const struct complaint *c, const char *code)
{
    return strcmp(c->code, code) == 0;
}

/* ---- what may pass ---- */

static int
is_transport_retryable(CURLcode code)
{
    switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_PARTIAL_FILE:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_WEIRD_SERVER_REPLY:
        return 1;
    default:
        return 0;
    }
}

/* It says so itself; also with status 200, which was sent before it knew. */
static int
may_pass(long status, const struct complaint *c)
{
    static const char *const codes[] = {
        "InternalError", "ServiceUnavailable", "SlowDown", "RequestTimeout",
        "OperationAborted", "ConditionalRequestConflict", "TooManyRequests",
        "Throttling", "RequestLimitExceeded",
        /* The bytes have changed on their way. */
        "BadDigest", "XAmzContentSHA256Mismatch", "IncompleteBody"};

    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        if (is(c, codes[i]))
            return 1;
    return status == 408 || status == 429 ||
           (status >= 500 && status != 501 && status != 505);
}

/* Our clock is wrong, or the keys have expired: once each, mended. */
static int
is_mended(struct object_call *call, const struct complaint *c)
{
    time_t date = curl_getdate(call->date, NULL);

    if (call->n_resets >= 2)
        return 0;
    if ((is(c, "RequestTimeTooSkewed") || is(c, "RequestExpired")) &&
        date != -1) {
        call->client->skew_s = (long)(date - time(NULL));
        return ++call->n_resets;
    }
    if ((is(c, "ExpiredToken") || is(c, "TokenRefreshRequired")) &&
        object_credentials_expire(call->client->credentials))
        return ++call->n_resets;
    return 0;
}

static int
is_last(const struct object_call *call)
{
    return call->n_tries >= call->client->config->n_tries;
}

/* ---- what is said of it ---- */

static int
fail(struct object_call *call, enum err_class class, const char *what)
{
    char key[1024];

    printable(key, sizeof key, call->key ? call->key : "");
    err_set(&call->err, class, "%s %s of \"s3://%s/%.600s\"", what,
            call->method, call->client->bucket, key);
    call->r = -1;
    return 0;
}

static void
add_detail(struct object_call *call, const struct complaint *c)
{
    if (*c->code)
        err_detail(&call->err, "Status %ld, %s%s%s", call->answer.status,
                   c->code, *c->message ? ": " : "", c->message);
    else
        err_detail(&call->err, "Status %ld.", call->answer.status);
}

static void
add_hint(struct object_call *call, const struct complaint *c)
{
    const char *region = c->region;

    if (*region && strcmp(region, call->client->config->region) != 0 &&
        (call->answer.status == 301 || call->answer.status == 307 ||
         call->answer.status == 400))
        err_hint(&call->err, "The bucket is in region \"%s\": set AWS_REGION.",
                 region);
    else if (is(c, "SignatureDoesNotMatch") || is(c, "InvalidAccessKeyId"))
        err_hint(&call->err, "The access key or its secret is not the store's, "
                             "or the store is not what AWS_ENDPOINT_URL says.");
    else if (!*c->code && call->answer.status == 403)
        err_hint(&call->err, "Either the access key or its secret is not the "
                             "store's, or they do not allow to read and list "
                             "(s3:GetObject, s3:ListBucket).");
    else if (is(c, "ExpiredToken"))
        err_hint(&call->err, "The temporary keys have expired: get others.");
    else if (is(c, "NoSuchBucket"))
        err_hint(&call->err, "Make the bucket first.");
}

static int
judge_transport(struct object_call *call, CURLcode code)
{
    int passes = is_transport_retryable(code);

    if (call->bad) {
        fail(call, ERR_CORRUPT, "the object store's answer is wrong:");
        err_detail(&call->err, "In answer to what was asked %s.", call->bad);
        return 0;
    }
    if (code == CURLE_WRITE_ERROR || code == CURLE_OUT_OF_MEMORY) {
        call->r = err_nomem(&call->err);
        return 0;
    }
    if (passes && !is_last(call))
        return 1;
    fail(call, ERR_SERVER, "could not get an answer to");
    err_detail(&call->err, "%s: %s%s", call->client->place.host,
               *call->error ? call->error : curl_easy_strerror(code),
               passes ? ", again and again" : "");
    if (code == CURLE_PEER_FAILED_VERIFICATION ||
        code == CURLE_SSL_CACERT_BADFILE)
        err_hint(&call->err, "AWS_CA_BUNDLE or --s3-ca names the certificates "
                             "to be trusted.");
    return 0;
}

/* Success, if it is all there. */
static int
judge_success(struct object_call *call)
{
    if (call->into && call->got < call->len) {
        if (!is_last(call))
            return 1;
        fail(call, ERR_SERVER, "the answer is too short to");
    } else
        call->r = 0;
    return 0;
}

static int
outcome(struct object_call *call, const struct complaint *c)
{
    long status = call->answer.status;

    if (status == 404 && !is(c, "NoSuchBucket"))
        return OBJECT_E_MISSING;
    if (status == 412 && !call->into)
        return OBJECT_E_EXISTS;
    if (status == 501 || status == 405 || is(c, "NotImplemented"))
        return OBJECT_E_UNSUPPORTED;
    if (is(c, "InvalidPart") || is(c, "InvalidPartOrder") ||
        is(c, "EntityTooSmall"))
        return OBJECT_E_REJECTED;
    return 0;
}

static int
judge_refusal(struct object_call *call, const struct complaint *c)
{
    if (is_mended(call, c))
        return 1;
    if (may_pass(call->answer.status, c) && !is_last(call))
        return 1;
    if (call->answer.status == 412 && call->into) {
        fail(call, ERR_CORRUPT, "the object has been replaced meanwhile:");
        return 0;
    }
    fail(call, ERR_SERVER, "the object store has refused");
    add_detail(call, c);
    add_hint(call, c);
    /* With the message at hand, where the caller cannot make use of it. */
    if (outcome(call, c))
        call->r = outcome(call, c);
    return 0;
}

int
object_call_judge(struct object_call *call, CURLcode code)
{
    struct complaint c;

    curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &call->answer.status);
    if (code != CURLE_OK)
        return judge_transport(call, code);
    read_complaint(&c, call);
    if (call->answer.status >= 200 && call->answer.status < 300 && !*c.code)
        return judge_success(call);
    return judge_refusal(call, &c);
}
