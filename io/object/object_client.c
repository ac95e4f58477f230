/* SPDX-License-Identifier: PostgreSQL */
#include "io/object/object_client.h"

#include <assert.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "io/clock.h"
#include "io/object/object_call.h"
#include "io/object/object_text.h"
#include "io/stop.h"

enum { PAUSE_MAX_MS = 20000 };

/* ---- the client ---- */

static int
set_up(struct object_client *c, const char *bucket, struct err *err)
{
    /* Counts its callers; undone when the program ends. */
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return err_set(err, ERR_SYSTEM, "could not set up libcurl");
    c->bucket = strdup(bucket);
    c->multi = curl_multi_init();
    if (!c->bucket || !c->multi)
        return err_nomem(err);
    curl_multi_setopt(c->multi, CURLMOPT_MAXCONNECTS,
                      (long)c->config->n_parallel + 2);
    if (getrandom(&c->seed, sizeof c->seed, GRND_NONBLOCK) < 0)
        c->seed = (unsigned)clock_ns();
    return 0;
}

int
object_client_new(struct object_client **ret,
                  const struct object_config *config, const char *bucket,
                  struct err *err)
{
    cleanup_(object_client_freep) struct object_client *c =
        calloc(1, sizeof *c);

    if (!c)
        return err_nomem(err);
    c->config = config;
    if (object_place_find(&c->place, config, bucket, err) < 0 ||
        set_up(c, bucket, err) < 0 ||
        object_credentials_new(&c->credentials, err) < 0)
        return -1;
    *ret = take(c);
    return 0;
}

struct object_client *
object_client_free(struct object_client *c)
{
    if (!c)
        return NULL;
    assert(!c->calls);
    curl_multi_cleanup(c->multi);
    object_credentials_free(c->credentials);
    object_place_clear(&c->place);
    free(c->bucket);
    free(c);
    return NULL;
}

const struct object_config *
object_client_config(const struct object_client *c)
{
    return c->config;
}

const char *
object_client_bucket(const struct object_client *c)
{
    return c->bucket;
}

void
object_client_ignore_stop(struct object_client *c)
{
    c->ignores_stop = 1;
}

/* ---- a call ---- */

static int
copy(char **ret, const char *text)
{
    *ret = text ? strdup(text) : NULL;
    return !text || *ret;
}

static int
set_body(struct object_call *call, const struct object_ask *ask)
{
    unsigned char hash[32];

    call->body = ask->body;
    call->body_len = ask->body_len;
    if (ask->body_sha256) {
        memcpy(call->body_sha256, ask->body_sha256, 64);
        return 1;
    }
    if (!EVP_Digest(ask->body ? ask->body : "", ask->body_len, hash, NULL,
                    EVP_sha256(), NULL))
        return 0;
    object_hex(call->body_sha256, hash, sizeof hash);
    return 1;
}

static int
set_path(struct object_call *call)
{
    const char *prefix = call->client->place.prefix;
    cleanup_(freep) char *key = object_escape(call->key ? call->key : "", 1);

    if (!key)
        return 0;
    /* The bucket itself is "/bucket" or "/". */
    if (asprintf(&call->path, "%s%s%s", prefix,
                 call->key || !*prefix ? "/" : "", key) < 0)
        call->path = NULL;
    return call->path != NULL;
}

static int
set_ask(struct object_call *call, const struct object_ask *ask)
{
    call->method = ask->method;
    call->is_slow = ask->is_slow;
    call->into = ask->into;
    call->offset = ask->offset;
    call->len = ask->len;
    if (!copy(&call->key, ask->key) || !copy(&call->etag, ask->etag) ||
        !copy(&call->query, ask->query ? ask->query : "") || !set_path(call))
        return 0;
    for (unsigned i = 0; i < OBJECT_HEADERS_MAX && ask->headers[i]; i++)
        if (!copy(&call->headers[i], ask->headers[i]))
            return 0;
    call->answer.text = strdup("");
    return call->answer.text && set_body(call, ask);
}

int
object_call_begin(struct object_call **ret, struct object_client *c,
                  const struct object_ask *ask, struct err *err)
{
    struct object_call *call = calloc(1, sizeof *call);

    if (!call)
        return err_nomem(err);
    call->client = c;
    call->next = c->calls;
    c->calls = call;
    call->easy = curl_easy_init();
    if (!set_ask(call, ask) || !call->easy) {
        object_call_end(call);
        return err_nomem(err);
    }
    *ret = call;
    return 0;
}

static void
leave_list(struct object_call *call)
{
    struct object_call **p = &call->client->calls;

    while (*p != call)
        p = &(*p)->next;
    *p = call->next;
}

struct object_call *
object_call_end(struct object_call *call)
{
    if (!call)
        return NULL;
    leave_list(call);
    if (call->state == OBJECT_RUNNING)
        curl_multi_remove_handle(call->client->multi, call->easy);
    curl_easy_cleanup(call->easy);
    curl_slist_free_all(call->lines);
    free(call->key);
    free(call->path);
    free(call->query);
    free(call->etag);
    for (unsigned i = 0; i < OBJECT_HEADERS_MAX; i++)
        free(call->headers[i]);
    free(call->answer.text);
    free(call);
    return NULL;
}

int
object_call_is_done(const struct object_call *call)
{
    return call->state == OBJECT_DONE;
}

int
object_call_result(struct object_call *call, const struct object_answer **ret,
                   struct err *err)
{
    assert(call->state == OBJECT_DONE);
    if (ret)
        *ret = &call->answer;
    if (call->r < 0)
        *err = call->err;
    return call->r;
}

void
object_call_complaint(const struct object_call *call, struct err *ret)
{
    *ret = call->err;
}

/* ---- driving them ---- */

static void
finish(struct object_call *call, int r)
{
    call->state = OBJECT_DONE;
    call->r = r;
}

/* Half of the pause is chance: who was refused together does not come back
   together. */
static unsigned
pause_ms(struct object_call *call)
{
    unsigned shift = call->n_tries < 16 ? call->n_tries - 1 : 15;
    unsigned long ms = (unsigned long)call->client->config->pause_ms << shift;
    unsigned long asked = strtoul(call->retry_after, NULL, 10) * 1000;

    if (asked > ms)
        ms = asked;
    if (ms > PAUSE_MAX_MS)
        ms = PAUSE_MAX_MS;
    return (unsigned)(ms / 2 +
                      (unsigned)rand_r(&call->client->seed) % (ms / 2 + 1));
}

static void
begin_due(struct object_client *c, uint64_t now)
{
    for (struct object_call *call = c->calls; call; call = call->next) {
        if (call->state != OBJECT_WAITING || call->due_ms > now)
            continue;
        if (object_call_try(call, &call->err) < 0)
            finish(call, -1);
        else
            call->state = OBJECT_RUNNING;
    }
}

static void
end_try(struct object_call *call, CURLcode code)
{
    curl_multi_remove_handle(call->client->multi, call->easy);
    /* One that moves goes on for as long as it takes. */
    if (call->got - call->got_before >= 64 << 10)
        call->n_tries = 0;
    call->n_tries++;
    if (!object_call_judge(call, code)) {
        finish(call, call->r);
        return;
    }
    call->state = OBJECT_WAITING;
    call->due_ms = clock_ms() + pause_ms(call);
}

static void
end_tries(struct object_client *c)
{
    CURLMsg *m;
    int left;

    while ((m = curl_multi_info_read(c->multi, &left))) {
        struct object_call *call = NULL;

        if (m->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &call);
        end_try(call, m->data.result);
    }
}

/* Until the next call is due, or so long. */
static unsigned
wait_for(const struct object_client *c, unsigned wait_ms)
{
    uint64_t now = clock_ms();

    for (const struct object_call *call = c->calls; call; call = call->next) {
        if (call->state == OBJECT_DONE)
            return 0;
        if (call->state != OBJECT_WAITING)
            continue;
        if (call->due_ms <= now)
            return 0;
        if (call->due_ms - now < wait_ms)
            wait_ms = (unsigned)(call->due_ms - now);
    }
    return wait_ms;
}

int
object_client_drive(struct object_client *c, unsigned wait_ms, struct err *err)
{
    const struct stop *stop = c->ignores_stop ? NULL : c->config->stop;
    struct curl_waitfd wake = {.events = CURL_WAIT_POLLIN};
    int n_running;

    if (stop && stop_check(stop, err) < 0)
        return -1;
    begin_due(c, clock_ms());
    if (curl_multi_perform(c->multi, &n_running) != CURLM_OK)
        return err_nomem(err);
    end_tries(c);
    wait_ms = wait_ms ? wait_for(c, wait_ms) : 0;
    if (!wait_ms)
        return 0;
    if (stop)
        wake.fd = stop_fd(stop);
    if (curl_multi_poll(c->multi, &wake, stop ? 1 : 0, (int)wait_ms, NULL) !=
        CURLM_OK)
        return err_nomem(err);
    return 0;
}

int
object_call_wait(struct object_call *call, const struct object_answer **ret,
                 struct err *err)
{
    while (call->state != OBJECT_DONE)
        if (object_client_drive(call->client, 1000, err) < 0)
            return -1;
    return object_call_result(call, ret, err);
}
