/* SPDX-License-Identifier: PostgreSQL */
#include "io/object/object_role.h"

#include <curl/curl.h>
#include <jansson.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/cleanup.h"
#include "io/object/object_profile.h"

enum { ANSWER_SIZE = 64 << 10, WAIT_MS = 2000, CONNECT_MS = 1000 };

struct answer {
    char text[ANSWER_SIZE];
    size_t len;
    long status;
};

/* ---- one request ---- */

static size_t
on_body(char *data, size_t one, size_t len, void *arg)
{
    struct answer *a = arg;

    (void)one;
    if (a->len + len >= sizeof a->text)
        return 0;
    memcpy(a->text + a->len, data, len);
    a->len += len;
    a->text[a->len] = '\0';
    return len;
}

static void
set_options(CURL *easy, const char *method, const char *url,
            struct curl_slist *headers, struct answer *a)
{
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_PROXY, ""); /* it is near */
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)WAIT_MS);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, a);
}

/* header may be NULL; 0: no answer at all. */
static int
ask(struct answer *a, const char *method, const char *url, const char *header)
{
    CURL *easy = curl_easy_init();
    struct curl_slist *headers =
        header ? curl_slist_append(NULL, header) : NULL;
    CURLcode code = CURLE_OUT_OF_MEMORY;

    a->len = 0;
    a->text[0] = '\0';
    a->status = 0;
    if (easy && (headers || !header)) {
        set_options(easy, method, url, headers, a);
        code = curl_easy_perform(easy);
        curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &a->status);
    }
    curl_slist_free_all(headers);
    curl_easy_cleanup(easy);
    return code == CURLE_OK;
}

/* Once more, since all hangs on it. */
static int
ask_twice(struct answer *a, const char *method, const char *url,
          const char *header)
{
    return (ask(a, method, url, header) && a->status < 500) ||
           ask(a, method, url, header);
}

/* ---- what it says ---- */

/* "2026-11-28T05:50:00Z" */
static time_t
moment(const char *text)
{
    struct tm tm = {0};

    if (!text || !strptime(text, "%Y-%m-%dT%H:%M:%S", &tm))
        return 0;
    return timegm(&tm);
}

static char *
text_of(const json_t *json, const char *name)
{
    const char *text = json_string_value(json_object_get(json, name));

    return text ? strdup(text) : NULL;
}

static int
take_keys(struct object_role_keys *ret, struct answer *a, struct err *err)
{
    json_t *json = json_loadb(a->text, a->len, 0, NULL);

    *ret = (struct object_role_keys){
        .keys = {.id = text_of(json, "AccessKeyId"),
                 .secret = text_of(json, "SecretAccessKey"),
                 .token = text_of(json, "Token")},
        .expires =
            moment(json_string_value(json_object_get(json, "Expiration"))),
    };
    json_decref(json);
    OPENSSL_cleanse(a->text, sizeof a->text);
    if (ret->keys.id && ret->keys.secret)
        return 0;
    return err_set(err, ERR_SERVER, "the role's server has sent no keys");
}

static int
refused(const char *what, const struct answer *a, struct err *err)
{
    err_set(err, ERR_SERVER, "could not get the keys of the %s's role", what);
    if (a->status)
        return err_detail(err, "Its server has answered with status %ld.",
                          a->status);
    return err_detail(err, "Its server does not answer.");
}

/* ---- the container ---- */

/* Keys go over a plain connection within the machine only. */
static int
is_near(const char *url)
{
    static const char *const hosts[] = {
        "http://127.0.0.1",      "http://localhost",
        "http://[::1]",          "http://169.254.170.2",
        "http://169.254.170.23", "http://[fd00:ec2::23]"};

    if (strncmp(url, "https://", 8) == 0)
        return 1;
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
        size_t len = strlen(hosts[i]);

        if (strncmp(url, hosts[i], len) == 0 &&
            (url[len] == ':' || url[len] == '/' || !url[len]))
            return 1;
    }
    return 0;
}

/* NULL: none is needed. */
static int
container_token(char **ret, struct err *err)
{
    const char *path = object_env("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
    const char *token = object_env("AWS_CONTAINER_AUTHORIZATION_TOKEN");
    char text[4096] = "";
    FILE *f;

    *ret = NULL;
    if (path) {
        f = fopen(path, "re");
        if (!f || !fgets(text, sizeof text, f)) {
            if (f)
                fclose(f);
            return err_set(err, ERR_SYSTEM, "could not read \"%s\"", path);
        }
        fclose(f);
        text[strcspn(text, "\r\n")] = '\0';
        token = text;
    }
    if (token && asprintf(ret, "Authorization: %s", token) < 0)
        return *ret = NULL, err_nomem(err);
    OPENSSL_cleanse(text, sizeof text);
    return 0;
}

static int
container_url(char **ret, struct err *err)
{
    const char *path = object_env("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
    const char *url = object_env("AWS_CONTAINER_CREDENTIALS_FULL_URI");

    if (!path && !url)
        return OBJECT_ROLE_E_NONE;
    if (asprintf(ret, "%s%s", path ? "http://169.254.170.2" : url,
                 path ? path : "") < 0)
        return *ret = NULL, err_nomem(err);
    if (is_near(*ret))
        return 0;
    return err_set(err, ERR_REFUSED,
                   "AWS_CONTAINER_CREDENTIALS_FULL_URI is neither https nor on "
                   "this machine");
}

int
object_role_of_container(struct object_role_keys *ret, struct err *err)
{
    cleanup_(freep) char *url = NULL, *token = NULL;
    struct answer a;
    int r = container_url(&url, err);

    if (!r)
        r = container_token(&token, err);
    if (r)
        return r;
    if (!ask_twice(&a, "GET", url, token) || a.status != 200)
        return refused("container", &a, err);
    return take_keys(ret, &a, err);
}

/* ---- the machine ---- */

#define METADATA "/latest/meta-data/iam/security-credentials/"

static int
machine_url(char url[512], const char *path, const char *role)
{
    const char *base = object_env("AWS_EC2_METADATA_SERVICE_ENDPOINT");
    size_t len;

    if (!base)
        base = "http://169.254.169.254";
    len = strlen(base);
    if (len && base[len - 1] == '/')
        len--;
    return snprintf(url, 512, "%.*s%s%s", (int)len, base, path, role) < 512;
}

/* The first line is the role; there is one. */
static int
ask_machine(struct answer *a, const char *token)
{
    char url[512], role[128];

    if (!machine_url(url, METADATA, "") || !ask_twice(a, "GET", url, token))
        return -1;
    if (a->status == 404 || !a->len)
        return OBJECT_ROLE_E_NONE;
    a->text[strcspn(a->text, "\r\n")] = '\0';
    if (a->status != 200 || strlen(a->text) >= sizeof role ||
        a->text[strcspn(a->text, "/?# ")])
        return -1;
    strcpy(role, a->text);
    if (!machine_url(url, METADATA, role) || !ask_twice(a, "GET", url, token))
        return -1;
    return a->status == 200 ? 0 : -1;
}

int
object_role_of_machine(struct object_role_keys *ret, struct err *err)
{
    const char *disabled = object_env("AWS_EC2_METADATA_DISABLED");
    char url[512], token[1024];
    struct answer a;
    int r;

    if (disabled && strcasecmp(disabled, "true") == 0)
        return OBJECT_ROLE_E_NONE;
    if (!machine_url(url, "/latest/api/token", ""))
        return err_set(err, ERR_USAGE,
                       "AWS_EC2_METADATA_SERVICE_ENDPOINT is too long");
    /* No answer: this is no machine of theirs. */
    if (!ask(&a, "PUT", url, "X-aws-ec2-metadata-token-ttl-seconds: 21600") ||
        a.status != 200 || a.len > 512 || a.text[strcspn(a.text, "\r\n")])
        return OBJECT_ROLE_E_NONE;
    snprintf(token, sizeof token, "X-aws-ec2-metadata-token: %.512s", a.text);
    r = ask_machine(&a, token);
    if (r < 0)
        return refused("machine", &a, err);
    return r ? r : take_keys(ret, &a, err);
}
