/* SPDX-License-Identifier: PostgreSQL */

/* Signatures, by the examples that AWS has published (Amazon S3 API
   Reference, "Authenticating Requests: Using the Authorization Header"). */

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "io/object/object_sign.h"
#include "io/object/object_text.h"
#include "io/object/object_xml.h"

TestSuite(object_sign, .timeout = 60);

#define EMPTY "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define PUT_SHA256                                                             \
    "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072"
#define HOST "Host: examplebucket.s3.amazonaws.com"
#define DATE "x-amz-date: 20130524T000000Z"

static char *
sign(const char *method, const char *path, const char *query,
     const char *sha256, const char *const *headers)
{
    static const struct object_keys keys = {
        .id = "AKIAIOSFODNN7EXAMPLE",
        .secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"};
    struct object_signing s = {.keys = &keys,
                               .region = "us-east-1",
                               .date = "20130524T000000Z",
                               .method = method,
                               .path = path,
                               .query = query,
                               .headers = headers,
                               .payload_sha256 = sha256};
    struct err err;
    char *ret;

    while (headers[s.n_headers])
        s.n_headers++;
    cr_assert_eq(object_sign(&ret, &s, &err), 0, "%s", err.message);
    return ret;
}

#define assert_signed(signature, method, path, query, sha256, ...)             \
    do {                                                                       \
        const char *const headers[] = {__VA_ARGS__, NULL};                     \
        char *line = sign(method, path, query, sha256, headers);               \
        const char *found = strstr(line, ",Signature=");                       \
                                                                               \
        cr_assert_str_eq(found, ",Signature=" signature, "%s", line);          \
        free(line);                                                            \
    } while (0)

Test(object_sign, of_a_range_is_as_published)
{
    assert_signed(
        "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
        "GET", "/test.txt", "", EMPTY, HOST, "Range: bytes=0-9",
        "x-amz-content-sha256: " EMPTY, DATE);
}

Test(object_sign, of_an_object_that_is_put_is_as_published)
{
    assert_signed(
        "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
        "PUT", "/test%24file.text", "", PUT_SHA256, HOST,
        "Date: Fri, 24 May 2013 00:00:00 GMT", DATE,
        "x-amz-storage-class: REDUCED_REDUNDANCY",
        "x-amz-content-sha256: " PUT_SHA256);
}

Test(object_sign, of_a_query_without_a_value_is_as_published)
{
    assert_signed(
        "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
        "GET", "/", "lifecycle=", EMPTY, HOST, DATE,
        "x-amz-content-sha256: " EMPTY);
}

Test(object_sign, of_a_list_is_as_published)
{
    assert_signed(
        "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
        "GET", "/", "max-keys=2&prefix=J", EMPTY, HOST, DATE,
        "x-amz-content-sha256: " EMPTY);
}

/* Where one is the beginning of the other, the shorter comes first. */
Test(object_sign, headers_are_in_the_order_of_their_names)
{
    const char *const headers[] = {
        "x-amz-server-side-encryption-aws-kms-key-id: k",
        "x-amz-server-side-encryption: aws:kms", HOST, NULL};
    char *line = sign("PUT", "/k", "", EMPTY, headers);

    cr_assert(strstr(line, "SignedHeaders=host;x-amz-server-side-encryption;"
                           "x-amz-server-side-encryption-aws-kms-key-id,"));
    free(line);
}

Test(object_sign, whatever_is_no_letter_is_escaped)
{
    char *text = object_escape("a/b c+\xc3\xa9~*", 1);

    cr_assert_str_eq(text, "a/b%20c%2B%C3%A9~%2A");
    free(text);
    text = object_escape("a/b", 0);
    cr_assert_str_eq(text, "a%2Fb");
    free(text);
}

/* ---- answers ---- */

static int
count(void *arg, const char *path, const char *text, struct err *err)
{
    (void)err;
    if (strcmp(path, "A/B") == 0)
        cr_assert_str_eq(text, "x<y");
    ++*(int *)arg;
    return 0;
}

static int
parse(const char *text, struct err *err)
{
    int n = 0, r = object_xml_parse(text, strlen(text), count, &n, err);

    return r ? r : n;
}

Test(object_xml, elements_come_with_their_path_and_text)
{
    struct err err;

    cr_assert_eq(parse("<A xmlns='urn:x'><B>x&lt;y</B><C/></A>", &err), 3);
}

Test(object_xml, what_is_hostile_is_refused)
{
    static const char *const texts[] = {
        "",
        "<A>",
        "<A></B>",
        "<A/><B/>",
        "\xff\xfe<A/>",
        "<A>&e;</A>",
        "<!DOCTYPE A [<!ENTITY e 'x'>]><A>&e;</A>",
        "<!DOCTYPE A SYSTEM 'file:///etc/passwd'><A/>"};
    struct err err;

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        cr_assert_eq(parse(texts[i], &err), -1, "%s", texts[i]);
        cr_assert_eq(err.class, ERR_CORRUPT);
    }
}

Test(object_xml, depth_and_text_have_limits)
{
    char deep[4096] = "", text[OBJECT_XML_TEXT_MAX + 64];
    struct err err;

    for (int i = 0; i < 200; i++)
        strcat(deep, "<Abc>");
    cr_assert_eq(parse(deep, &err), -1);
    cr_assert(strstr(err.message, "too deep"), "%s", err.message);
    memset(text, 'x', sizeof text);
    memcpy(text, "<A>", 3);
    strcpy(text + sizeof text - 5, "</A>");
    cr_assert_eq(parse(text, &err), -1);
    cr_assert(strstr(err.message, "too long"), "%s", err.message);
}

/* ---- tags ---- */

Test(object_text, a_tag_is_an_md5_or_none)
{
    unsigned char md5[16];

    cr_assert(object_etag_md5(md5, "\"764efa883dda1e11db47671c4a3bbd9e\""));
    cr_assert_eq(md5[0], 0x76);
    cr_assert_eq(md5[15], 0x9e);
    cr_assert_not(
        object_etag_md5(md5, "\"764efa883dda1e11db47671c4a3bbd9e-2\""));
    cr_assert_not(object_etag_md5(md5, "\"764efa883dda1e11db47671c4a3bbdg!\""));
    cr_assert_not(object_etag_md5(md5, ""));
    cr_assert(object_etag_equal("\"a\"", "a"));
    cr_assert_not(object_etag_equal("\"a\"", "b"));
}
