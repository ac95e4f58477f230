/* SPDX-License-Identifier: PostgreSQL */

/* Where the keys to an object store come from, and where it is. */

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io/object/object.h"
#include "io/object/object_credentials.h"
#include "io/object/object_profile.h"
#include "tests/object_store.h"
#include "tests/scratch.h"

static struct err err;

#define ok(r) cr_assert_eq((r), 0, "%s: %s", err.message, err.detail)

static void
begin(void)
{
    static const char *const names[] = {
        "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN", "AWS_PROFILE",
        "AWS_REGION",        "AWS_DEFAULT_REGION",
        "AWS_ENDPOINT_URL",  "AWS_ENDPOINT_URL_S3",
        "AWS_CONFIG_FILE",   "AWS_SHARED_CREDENTIALS_FILE"};

    object_store_begin();
    scratch_begin();
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unsetenv(names[i]);
    setenv("HOME", scratch_path, 1);
    setenv("AWS_EC2_METADATA_DISABLED", "true", 1);
}

TestSuite(object_keys, .init = begin, .fini = scratch_end, .timeout = 60);
TestSuite(object_place, .timeout = 60);

static void
put_file(const char *variable, const char *name, const char *text)
{
    char path[4096];

    scratch_put(name, text, strlen(text));
    snprintf(path, sizeof path, "%s/%s", scratch_path, name);
    setenv(variable, path, 1);
}

/* They are the store's: it lets us put something. */
static void
assert_let_in(const char *endpoint)
{
    struct object_config *config = object_store_config(endpoint);
    struct object_client *client;
    struct object_info info;

    config->n_tries = 2;
    ok(object_client_new(&client, config, object_store_bucket(NULL), &err));
    ok(object_put(client, "k", "x", 1, 0, &err));
    ok(object_head(client, "k", &info, &err));
    object_client_free(client);
    object_config_free(config);
}

static void
assert_no_keys(enum err_class class, const char *message)
{
    struct object_credentials *c;

    cr_assert_eq(object_credentials_new(&c, &err), -1);
    cr_assert_eq(err.class, class, "%s", err.message);
    cr_assert(strstr(err.message, message), "%s", err.message);
    cr_assert_null(strstr(err.message, "canary"));
}

Test(object_keys, of_the_environment)
{
    setenv("AWS_ACCESS_KEY_ID", "S3RVER", 1);
    setenv("AWS_SECRET_ACCESS_KEY", "S3RVER", 1);
    assert_let_in(object_store_proxy());
}

Test(object_keys, with_a_session_token)
{
    setenv("AWS_ACCESS_KEY_ID", "S3RVER", 1);
    setenv("AWS_SECRET_ACCESS_KEY", "S3RVER", 1);
    setenv("AWS_SESSION_TOKEN", "to/ken+==", 1);
    assert_let_in(object_store_proxy_with("--token", "to/ken+=="));
}

Test(object_keys, of_a_profile)
{
    put_file("AWS_SHARED_CREDENTIALS_FILE", "keys",
             "[default]\naws_access_key_id = other\n"
             "aws_secret_access_key = canary\n"
             "# a comment\n[ archive ]\n"
             "aws_access_key_id=S3RVER\n  aws_secret_access_key = nested\n"
             "aws_secret_access_key  =  S3RVER  \n[x]\n");
    setenv("AWS_PROFILE", "archive", 1);
    assert_let_in(object_store_proxy());
}

Test(object_keys, of_a_profile_in_the_other_file)
{
    char *region;

    put_file("AWS_CONFIG_FILE", "config",
             "[profile archive]\nregion = eu-central-1\n"
             "aws_access_key_id = S3RVER\naws_secret_access_key = S3RVER\n");
    setenv("AWS_PROFILE", "archive", 1);
    assert_let_in(object_store_proxy());
    ok(object_profile_get(&region, "region", &err));
    cr_assert_str_eq(region, "eu-central-1");
    free(region);
}

Test(object_keys, of_a_profile_that_is_not_there)
{
    put_file("AWS_SHARED_CREDENTIALS_FILE", "keys", "[default]\n");
    setenv("AWS_PROFILE", "archive", 1);
    assert_no_keys(ERR_USAGE, "there is no profile \"archive\"");
}

Test(object_keys, half_a_pair)
{
    setenv("AWS_SECRET_ACCESS_KEY", "canary", 1);
    assert_no_keys(ERR_USAGE, "the environment has one of an access key's");
    unsetenv("AWS_SECRET_ACCESS_KEY");
    put_file("AWS_SHARED_CREDENTIALS_FILE", "keys",
             "[default]\naws_secret_access_key=canary\n");
    assert_no_keys(ERR_USAGE, "the profile has one of an access key's");
}

Test(object_keys, none_at_all)
{
    assert_no_keys(ERR_REFUSED, "there are no credentials");
}

Test(object_keys, of_the_machine)
{
    const char *proxy = object_store_proxy_with("--token", "role-token");

    unsetenv("AWS_EC2_METADATA_DISABLED");
    setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", proxy, 1);
    assert_let_in(proxy);
}

static void
set_container(const char *proxy)
{
    char url[128];

    snprintf(url, sizeof url, "%s/container", proxy);
    setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", url, 1);
    put_file("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "token",
             "container-token\n");
}

Test(object_keys, of_the_container)
{
    const char *proxy = object_store_proxy_with("--token", "role-token");

    set_container(proxy);
    assert_let_in(proxy);
    setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "", 1);
    setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "canary", 1);
    assert_no_keys(ERR_SERVER, "could not get the keys of the container's");
}

Test(object_keys, are_not_sent_for_over_a_plain_connection)
{
    setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1.evil/", 1);
    assert_no_keys(ERR_REFUSED, "is neither https nor on this machine");
}

/* Each is good for a second, and fetched before it is of no use. */
Test(object_keys, of_a_role_are_fetched_anew)
{
    const char *proxy = object_store_proxy_with("--lifetime", "2");
    struct object_credentials *c;
    const struct object_keys *keys;

    set_container(proxy);
    ok(object_credentials_new(&c, &err));
    ok(object_credentials_get(c, &keys, &err));
    setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "/dev/null", 1);
    /* The old ones still hold. */
    ok(object_credentials_get(c, &keys, &err));
    cr_assert(object_credentials_expire(c));
    cr_assert_eq(object_credentials_get(c, &keys, &err), -1);
    object_credentials_free(c);
}

/* The store says that they have expired, before we know. */
Test(object_keys, that_have_expired_are_fetched_anew)
{
    const char *bucket = object_store_bucket("PUT /k =1 expired");
    const char *proxy = object_store_proxy();
    struct object_config *config = object_store_config(proxy);
    struct object_client *client;

    set_container(proxy);
    ok(object_client_new(&client, config, bucket, &err));
    ok(object_put(client, "k", "x", 1, 0, &err));
    cr_assert_eq(object_store_count("PUT", "/k"), 2);
    object_client_free(client);
    object_config_free(config);
}

/* ---- where it is ---- */

Test(object_place, is_found_from_endpoint_region_and_style)
{
    static const struct {
        const char *endpoint, *region, *bucket;
        enum object_style style;
        const char *base, *prefix;
    } cases[] = {{NULL, "eu-west-1", "b-1", OBJECT_STYLE_AUTO,
                  "https://b-1.s3.eu-west-1.amazonaws.com", ""},
                 {NULL, "cn-north-1", "b-1", OBJECT_STYLE_PATH,
                  "https://s3.cn-north-1.amazonaws.com.cn", "/b-1"},
                 {NULL, "eu-west-1", "b.1", OBJECT_STYLE_AUTO,
                  "https://s3.eu-west-1.amazonaws.com", "/b.1"},
                 {"http://127.0.0.1:9000/", "r", "b-1", OBJECT_STYLE_AUTO,
                  "http://127.0.0.1:9000", "/b-1"},
                 {"https://[::1]:9000", "r", "b-1", OBJECT_STYLE_AUTO,
                  "https://[::1]:9000", "/b-1"},
                 {"https://s3.example.com:443", "r", "b-1", OBJECT_STYLE_HOST,
                  "https://b-1.s3.example.com", ""}};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct object_config c = {.endpoint = (char *)cases[i].endpoint,
                                  .region = (char *)cases[i].region,
                                  .style = cases[i].style};
        struct object_place p;

        ok(object_place_find(&p, &c, cases[i].bucket, &err));
        cr_assert_str_eq(p.base, cases[i].base);
        cr_assert_str_eq(p.prefix, cases[i].prefix);
        object_place_clear(&p);
    }
}

Test(object_place, that_is_none_is_refused)
{
    static const char *const endpoints[] = {
        "ftp://example.com", "https://user:canary@example.com",
        "https://a/b",       "https://a?b=c",
        "https://",          "file:///etc"};
    static const char *const buckets[] = {"a", "a/b", "..a", "a b", "a?b"};
    struct object_config c = {.region = "r"};
    struct object_place p;

    for (size_t i = 0; i < sizeof endpoints / sizeof *endpoints; i++) {
        c.endpoint = (char *)endpoints[i];
        cr_assert_eq(object_place_find(&p, &c, "bucket", &err), -1, "%s",
                     endpoints[i]);
        cr_assert_eq(err.class, ERR_USAGE);
        cr_assert_null(strstr(err.message, "canary"));
    }
    c.endpoint = NULL;
    for (size_t i = 0; i < sizeof buckets / sizeof *buckets; i++)
        cr_assert_eq(object_place_find(&p, &c, buckets[i], &err), -1, "%s",
                     buckets[i]);
}
