/* SPDX-License-Identifier: PostgreSQL */
#include "io/object/object_call.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- what comes in ---- */

/* "name: value" of that name; *ret is cut where it is too long. */
static void
take_header(char *ret, size_t size, const char *line, size_t len,
            const char *name)
{
    size_t name_len = strlen(name);

    if (len <= name_len || line[name_len] != ':' ||
        strncasecmp(line, name, name_len) != 0)
        return;
    line += name_len + 1;
    len -= name_len + 1;
    while (len && strchr(" \t", *line))
        line++, len--;
    while (len && strchr(" \t\r\n", line[len - 1]))
        len--;
    if (len >= size)
        len = size - 1;
    memcpy(ret, line, len);
    ret[len] = '\0';
}

#define TAKE(to, name) take_header(to, sizeof to, line, len, name)

static size_t
on_header(char *line, size_t one, size_t len, void *arg)
{
    struct object_call *call = arg;
    struct object_answer *a = &call->answer;
    char number[32] = "";

    (void)one;
    TAKE(a->etag, "etag");
    TAKE(a->checksum_sha256, "x-amz-checksum-sha256");
    TAKE(a->encryption, "x-amz-server-side-encryption");
    TAKE(a->lock_mode, "x-amz-object-lock-mode");
    TAKE(a->legal_hold, "x-amz-object-lock-legal-hold");
    TAKE(a->upload_tag, "x-amz-meta-upload-tag");
    TAKE(a->last_modified, "last-modified");
    TAKE(call->date, "date");
    TAKE(call->region, "x-amz-bucket-region");
    TAKE(call->content_range, "content-range");
    TAKE(call->retry_after, "retry-after");
    TAKE(number, "content-length");
    if (*number)
        a->len = strtoull(number, NULL, 10);
    return len;
}

/* Is this the piece that was asked for?  "bytes 0-9/10" */
static const char *
check_range(struct object_call *call)
{
    uint64_t begin, end, total;
    char rest[2] = "";

    if (call->answer.status == 200)
        return call->offset + call->got == 0 && call->answer.len == call->len
                   ? NULL
                   : "it does not know ranges";
    if (sscanf(call->content_range,
               "bytes %" SCNu64 "-%" SCNu64 "/%" SCNu64 "%1s", &begin, &end,
               &total, rest) != 3)
        return "it does not say which bytes it sends";
    call->answer.len = total;
    if (begin != call->offset + call->got || end < begin || total <= end ||
        end >= call->offset + call->len)
        return "it sends other bytes than it was asked for";
    return NULL;
}

static size_t
take_bytes(struct object_call *call, const char *data, size_t len)
{
    if (!call->bad && call->got == call->got_before)
        call->bad = check_range(call);
    if (!call->bad && len > call->len - call->got)
        call->bad = "it sends more bytes than it was asked for";
    if (call->bad)
        return 0;
    memcpy(call->into + call->got, data, len);
    call->got += len;
    return len;
}

static size_t
take_text(struct object_call *call, const char *data, size_t len)
{
    struct object_answer *a = &call->answer;
    size_t need = a->text_len + len + 1;
    char *text;

    if (need > OBJECT_TEXT_MAX) {
        call->bad = "it sends a text without end";
        return 0;
    }
    if (need > call->text_size) {
        text = realloc(a->text, need * 2);
        if (!text)
            return 0;
        a->text = text;
        call->text_size = need * 2;
    }
    memcpy(a->text + a->text_len, data, len);
    a->text_len += len;
    a->text[a->text_len] = '\0';
    return len;
}

static size_t
on_body(char *data, size_t one, size_t len, void *arg)
{
    struct object_call *call = arg;

    (void)one;
    if (!len)
        return 0;
    curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &call->answer.status);
    if (call->into &&
        (call->answer.status == 200 || call->answer.status == 206))
        return take_bytes(call, data, len);
    return take_text(call, data, len);
}

/* ---- what goes out ---- */

static int
add_line(struct object_call *call, const char *line)
{
    struct curl_slist *lines =
        line ? curl_slist_append(call->lines, line) : NULL;

    if (lines)
        call->lines = lines;
    return lines != NULL;
}

static int
add_header(struct object_call *call, const char *name, const char *value)
{
    cleanup_(freep) char *line = NULL;

    if (asprintf(&line, "%s: %s", name, value) < 0)
        return line = NULL, 0;
    return add_line(call, line);
}

static int
add_range(struct object_call *call)
{
    char range[96];

    snprintf(range, sizeof range, "bytes=%" PRIu64 "-%" PRIu64,
             call->offset + call->got, call->offset + call->len - 1);
    return add_header(call, "Range", range) &&
           (!call->etag || !*call->etag ||
            add_header(call, "If-Match", call->etag));
}

/* All of these are signed. */
static int
add_headers(struct object_call *call, const struct object_keys *keys,
            const char *date)
{
    int ok = add_header(call, "Host", call->client->place.host) &&
             add_header(call, "x-amz-date", date) &&
             add_header(call, "x-amz-content-sha256", call->body_sha256);

    if (ok && keys->token)
        ok = add_header(call, "x-amz-security-token", keys->token);
    if (ok && call->body_len)
        ok = add_header(call, "Content-Type", "application/octet-stream");
    for (unsigned i = 0; ok && i < OBJECT_HEADERS_MAX && call->headers[i]; i++)
        ok = add_line(call, call->headers[i]);
    return ok && (!call->into || add_range(call));
}

static int
sign(struct object_call *call, struct err *err)
{
    const char *lines[32];
    char date[OBJECT_DATE_SIZE];
    cleanup_(freep) char *authorization = NULL;
    struct object_signing s = {.region = call->client->config->region,
                               .date = date,
                               .method = call->method,
                               .path = call->path,
                               .query = call->query,
                               .headers = lines,
                               .payload_sha256 = call->body_sha256};

    if (object_credentials_get(call->client->credentials, &s.keys, err) < 0)
        return -1;
    object_date(date, time(NULL) + call->client->skew_s);
    if (!add_headers(call, s.keys, date))
        return err_nomem(err);
    for (struct curl_slist *l = call->lines; l && s.n_headers < 32; l = l->next)
        lines[s.n_headers++] = l->data;
    if (object_sign(&authorization, &s, err) < 0)
        return -1;
    /* Nothing is asked before a body is sent: stores that do not know the
       question make everybody wait. */
    if (!add_line(call, authorization) || !add_line(call, "Expect:") ||
        (!call->body_len && !add_line(call, "Content-Type:")))
        return err_nomem(err);
    return 0;
}

static void
set_method(struct object_call *call)
{
    CURL *easy = call->easy;
    int has_body =
        strcmp(call->method, "PUT") == 0 || strcmp(call->method, "POST") == 0;

    if (has_body) {
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
                         (curl_off_t)call->body_len);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS,
                         call->body_len ? call->body : "");
    }
    if (strcmp(call->method, "HEAD") == 0)
        curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    else
        curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, call->method);
}

static void
set_options(struct object_call *call, const char *url)
{
    const struct object_config *config = call->client->config;
    CURL *easy = call->easy;

    curl_easy_reset(easy);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, call);
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    /* One connection a request: with HTTP/2 they would share one. */
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "pghaul");
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, call->error);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT, (long)config->stall_s);
    curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME,
                     (long)config->stall_s * (call->is_slow ? 20 : 1));
    curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, 256L << 10);
    curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, 256L << 10);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, call);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, call);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, call->lines);
    if (config->ca)
        curl_easy_setopt(easy, CURLOPT_CAINFO, config->ca);
    set_method(call);
}

static void
forget_answer(struct object_call *call)
{
    char *text = call->answer.text;

    text[0] = '\0';
    call->answer =
        (struct object_answer){.text = text, .len = OBJECT_LEN_UNKNOWN};
    call->date[0] = call->region[0] = call->content_range[0] = '\0';
    call->retry_after[0] = call->error[0] = '\0';
    call->bad = NULL;
    call->got_before = call->got;
    curl_slist_free_all(call->lines);
    call->lines = NULL;
}

int
object_call_try(struct object_call *call, struct err *err)
{
    cleanup_(freep) char *url = NULL;

    forget_answer(call);
    if (sign(call, err) < 0)
        return -1;
    if (asprintf(&url, "%s%s%s%s", call->client->place.base, call->path,
                 *call->query ? "?" : "", call->query) < 0)
        return url = NULL, err_nomem(err);
    set_options(call, url);
    if (curl_multi_add_handle(call->client->multi, call->easy) != CURLM_OK)
        return err_nomem(err);
    return 0;
}
