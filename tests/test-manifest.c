/* SPDX-License-Identifier: PostgreSQL */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/manifest.h"
#include "tests/memory.h"

static struct manifest *
parse(const char *text)
{
    struct manifest *m = NULL;
    struct err err;

    cr_assert_eq(manifest_parse(&m, "catalog.json", text, strlen(text), &err),
                 0, "%s: %s", err.message, err.detail);
    return m;
}

/* What is written, as a string. */
static char *
text_of(const struct memory *m)
{
    return strndup((const char *)m->data, m->len);
}

/* ---- documents that are no JSON ---- */

#define TEXT(s) s, sizeof s - 1
#define TEN(s) s s s s s s s s s s

static const struct {
    const char *name;
    const char *text;
    size_t len;
    const char *place;
} malformed[] = {
    {"empty", TEXT(""), "line 1, column 0"},
    {"blank", TEXT(" \n "), "line 2, column 1"},
    {"a number", TEXT("1"), "line 1, column 1"},
    {"cut in an object", TEXT("{\"a\": 1"), "line 1, column 7"},
    {"cut in a string", TEXT("{\"a"), "line 1, column 3"},
    {"cut in an escape", TEXT("{\"a\\"), "line 1, column 4"},
    {"trailing garbage", TEXT("{}\nx"), "line 2, column 1"},
    {"second document", TEXT("{}{}"), "line 1, column 3"},
    {"trailing NUL", TEXT("{}\0"), "line 1, column 3"},
    {"trailing comma", TEXT("{\"a\": 1,}"), "line 1, column 9"},
    {"comment", TEXT("{/* */}"), "line 1, column 2"},
    {"single quotes", TEXT("{'a': 1}"), "line 1, column 2"},
    {"bare name", TEXT("{a: 1}"), "line 1, column 2"},
    {"duplicate", TEXT("{\"a\": 1, \"b\": 2, \"a\": 3}"), "line 1, column 20"},
    {"escaped duplicate", TEXT("{\"a\": 1, \"\\u0061\": 3}"),
     "line 1, column 17"},
    {"duplicate inside", TEXT("{\"x\": [{\"a\": 1, \"a\": 3}]}"),
     "line 1, column 19"},
    {"newline in a string", TEXT("{\"a\": \"\n\"}"), "line 1, column 7"},
    {"NUL in a string", TEXT("{\"a\": \"b\\u0000c\"}"), "line 1, column 16"},
    {"raw NUL in a string", TEXT("{\"a\": \"b\0c\"}"), "line 1, column 8"},
    {"NUL in a name", TEXT("{\"b\\u0000c\": 1}"), "line 1, column 11"},
    {"bad UTF-8", TEXT("{\"a\": \"\xff\"}"), "line 1, column 7"},
    {"overlong UTF-8", TEXT("{\"a\": \"\xc0\xaf\"}"), "line 1, column 7"},
    {"surrogate as UTF-8", TEXT("{\"a\": \"\xed\xa0\x80\"}"),
     "line 1, column 7"},
    {"half a surrogate", TEXT("{\"a\": \"\\ud800\"}"), "line 1, column 14"},
    {"byte order mark", TEXT("\xef\xbb\xbf{}"), "line 1, column 1"},
    {"huge", TEXT("{\"a\": 9223372036854775808}"), "line 1, column 25"},
    {"huge negative", TEXT("{\"a\": -9223372036854775809}"),
     "line 1, column 26"},
    {"huge real number", TEXT("{\"a\": 1e999}"), "line 1, column 11"},
    {"leading zero", TEXT("{\"a\": 01}"), "line 1, column 7"},
    {"hexadecimal", TEXT("{\"a\": 0x1}"), "line 1, column 8"},
    {"not a number", TEXT("{\"a\": NaN}"), "line 1, column 9"},
    {"deep arrays", TEXT("{\"a\":\n " TEN(TEN("[")) "}"), "line 2, column 65"},
    {"deep objects", TEXT(TEN(TEN("{\"a\":"))), "line 1, column 321"},
};

Test(manifest, what_is_no_json_is_refused_with_line_and_column)
{
    for (size_t i = 0; i < sizeof malformed / sizeof *malformed; i++) {
        struct manifest *m = NULL;
        char message[128];
        struct err err;

        cr_assert_lt(
            manifest_parse(&m, "x", malformed[i].text, malformed[i].len, &err),
            0, "%s", malformed[i].name);
        cr_assert_null(m);
        cr_assert_eq(err.class, ERR_CORRUPT);
        snprintf(message, sizeof message, "\"x\" is not valid JSON at %s",
                 malformed[i].place);
        cr_expect_str_eq(err.message, message, "%s: %s", malformed[i].name,
                         err.message);
        cr_expect(*err.detail, "%s: the parser's reason is missing",
                  malformed[i].name);
    }
}

Test(manifest, every_cut_of_a_document_is_noticed)
{
    const char *text = "{\"a\": [1, {\"b\": \"c\\n\"}], \"d\": null}";
    struct manifest *m = NULL;
    struct err err;

    for (size_t len = 0; len < strlen(text); len++)
        cr_assert_lt(manifest_parse(&m, "x", text, len, &err), 0, "%zu", len);
    m = parse(text);
    manifest_free(m);
}

Test(manifest, brackets_in_strings_do_not_nest)
{
    manifest_free(parse("{\"a\": \"\\\"" TEN(TEN("[")) "\\\\\"}"));
}

Test(manifest, document_must_be_an_object)
{
    struct manifest *m = NULL;
    struct err err;

    cr_assert_lt(manifest_parse(&m, "x", "[1]", 3, &err), 0);
    cr_assert_str_eq(err.message, "\"x\": expected an object, found an array");
}

/* ---- documents that are not of the schema ---- */

/* Reads all kinds of members, as a caller would. */
static void
read_all(struct manifest *m)
{
    struct manifest_at root = manifest_root(m), tables, table, columns, column;

    manifest_u64(&root, "version", 1, 2);
    manifest_bool(&root, "sealed");
    tables = manifest_array(&root, "tables");
    for (size_t i = 0; i < manifest_count(&tables); i++) {
        table = manifest_element(&tables, i);
        manifest_string(&table, "name");
        manifest_u64(&table, "rows", 0, UINT64_MAX);
        manifest_i64(&table, "last");
        columns = manifest_array(&table, "columns");
        for (size_t j = 0; j < manifest_count(&columns); j++) {
            column = manifest_element(&columns, j);
            manifest_string(&column, NULL);
        }
    }
}

#define DOCUMENT(version, sealed, name, rows, last, columns)                   \
    "{\"version\": " version ", \"sealed\": " sealed                           \
    ", \"tables\": [{\"name\": " name ", \"rows\": " rows ", \"last\": " last  \
    ", \"columns\": " columns "}]}"

static const struct {
    const char *text;
    const char *expected; /* NULL: nothing wrong */
} documents[] = {
    {DOCUMENT("1", "true", "\"t\"", "0", "-1", "[\"a\", \"b\"]"), NULL},
    {DOCUMENT("2", "false", "\"\"", "9007199254740992", "-9007199254740992",
              "[]"),
     NULL},
    {DOCUMENT("1", "true", "\"t\"", "\"18446744073709551615\"",
              "\"-9223372036854775808\"", "[]"),
     NULL},
    {"{}", "version: expected a number, found nothing"},
    {DOCUMENT("0", "true", "\"t\"", "0", "0", "[]"),
     "version: expected a number from 1 to 2, found 0"},
    {DOCUMENT("3", "true", "\"t\"", "0", "0", "[]"),
     "version: expected a number from 1 to 2, found 3"},
    {DOCUMENT("-1", "true", "\"t\"", "0", "0", "[]"),
     "version: expected a number from 1 to 2, found -1"},
    {DOCUMENT("1.0", "true", "\"t\"", "0", "0", "[]"),
     "version: expected a number, found a real number"},
    {DOCUMENT("1e0", "true", "\"t\"", "0", "0", "[]"),
     "version: expected a number, found a real number"},
    {DOCUMENT("\"1\"", "true", "\"t\"", "0", "0", "[]"),
     "version: expected a number, found a string"},
    {DOCUMENT("null", "true", "\"t\"", "0", "0", "[]"),
     "version: expected a number, found null"},
    {DOCUMENT("1", "1", "\"t\"", "0", "0", "[]"),
     "sealed: expected a boolean, found a number"},
    {DOCUMENT("1", "\"true\"", "\"t\"", "0", "0", "[]"),
     "sealed: expected a boolean, found a string"},
    {DOCUMENT("1", "true", "7", "0", "0", "[]"),
     "tables[0].name: expected a string, found a number"},
    {DOCUMENT("1", "true", "true", "0", "0", "[]"),
     "tables[0].name: expected a string, found a boolean"},
    {DOCUMENT("1", "true", "[]", "0", "0", "[]"),
     "tables[0].name: expected a string, found an array"},
    {DOCUMENT("1", "true", "\"t\"", "9007199254740993", "0", "[]"),
     "tables[0].rows: expected a number, "
     "found a number that may have been rounded"},
    {DOCUMENT("1", "true", "\"t\"", "\"9007199254740992\"", "0", "[]"),
     "tables[0].rows: expected a number, found a string"},
    {DOCUMENT("1", "true", "\"t\"", "\"18446744073709551616\"", "0", "[]"),
     "tables[0].rows: expected a number, found a string"},
    {DOCUMENT("1", "true", "\"t\"", "\"99999999999999999999999\"", "0", "[]"),
     "tables[0].rows: expected a number, found a string"},
    {DOCUMENT("1", "true", "\"t\"", "\"018446744073709551615\"", "0", "[]"),
     "tables[0].rows: expected a number, found a string"},
    {DOCUMENT("1", "true", "\"t\"", "\"18446744073709551615 \"", "0", "[]"),
     "tables[0].rows: expected a number, found a string"},
    {DOCUMENT("1", "true", "\"t\"", "\"+9223372036854775808\"", "0", "[]"),
     "tables[0].rows: expected a number, found a string"},
    {DOCUMENT("1", "true", "\"t\"", "\"-9223372036854775808\"", "0", "[]"),
     "tables[0].rows: expected a number from 0 to 18446744073709551615, "
     "found -9223372036854775808"},
    {DOCUMENT("1", "true", "\"t\"", "\"\"", "0", "[]"),
     "tables[0].rows: expected a number, found a string"},
    {DOCUMENT("1", "true", "\"t\"", "\"-\"", "0", "[]"),
     "tables[0].rows: expected a number, found a string"},
    {DOCUMENT("1", "true", "\"t\"", "0", "\"9223372036854775808\"", "[]"),
     "tables[0].last: expected a number of 64 bits with sign, "
     "found 9223372036854775808"},
    {DOCUMENT("1", "true", "\"t\"", "0", "\"-9223372036854775809\"", "[]"),
     "tables[0].last: expected a number of 64 bits with sign, "
     "found -9223372036854775809"},
    {DOCUMENT("1", "true", "\"t\"", "0", "0", "{}"),
     "tables[0].columns: expected an array, found an object"},
    {DOCUMENT("1", "true", "\"t\"", "0", "0", "[\"a\", 7]"),
     "tables[0].columns[1]: expected a string, found a number"},
    {"{\"version\": 1, \"sealed\": true, \"tables\": {}}",
     "tables: expected an array, found an object"},
    {"{\"version\": 1, \"sealed\": true, \"tables\": [7]}",
     "tables[0]: expected an object, found a number"},
    {"{\"version\": 1, \"sealed\": true, \"tables\": [[]]}",
     "tables[0]: expected an object, found an array"},
};

Test(manifest, what_is_not_of_the_schema_is_refused_with_its_path)
{
    for (size_t i = 0; i < sizeof documents / sizeof *documents; i++) {
        struct manifest *m = parse(documents[i].text);
        struct err err = {0};
        char message[256];

        read_all(m);
        if (!documents[i].expected) {
            cr_expect_eq(manifest_check(m, &err), 0, "%s", err.message);
        } else {
            cr_expect_lt(manifest_check(m, &err), 0);
            cr_expect_eq(err.class, ERR_CORRUPT);
            snprintf(message, sizeof message, "\"catalog.json\": %s",
                     documents[i].expected);
            cr_expect_str_eq(err.message, message, "%s", err.message);
        }
        manifest_free(m);
    }
}

Test(manifest, values_are_those_of_the_document)
{
    struct manifest *m = parse(
        "{\"s\": \"\\u00e9\", \"u\": \"18446744073709551615\", \"n\": 7,"
        " \"i\": \"-9223372036854775808\", \"j\": -7, \"yes\": true,"
        " \"no\": false, \"null\": null, \"o\": {\"a\": [{\"s\": \"x\"}]}}");
    struct manifest_at root = manifest_root(m);
    struct manifest_at o = manifest_object(&root, "o");
    struct manifest_at a = manifest_array(&o, "a");
    struct manifest_at e = manifest_element(&a, 0);
    struct err err;

    cr_assert_str_eq(manifest_string(&root, "s"), "\xc3\xa9");
    cr_assert_eq(manifest_u64(&root, "u", 0, UINT64_MAX), UINT64_MAX);
    cr_assert_eq(manifest_u64(&root, "n", 7, 7), 7);
    cr_assert_eq(manifest_i64(&root, "i"), INT64_MIN);
    cr_assert_eq(manifest_i64(&root, "j"), -7);
    cr_assert_eq(manifest_bool(&root, "yes"), 1);
    cr_assert_eq(manifest_bool(&root, "no"), 0);
    cr_assert_eq(manifest_has(&root, "s"), 1);
    cr_assert_eq(manifest_has(&root, "null"), 0);
    cr_assert_eq(manifest_has(&root, "missing"), 0);
    cr_assert_eq(manifest_count(&a), 1);
    cr_assert_str_eq(manifest_string(&e, "s"), "x");
    cr_assert_eq(manifest_check(m, &err), 0);
    manifest_free(m);
}

Test(manifest, first_failure_sticks_and_all_later_reads_answer_nothing)
{
    struct manifest *m = parse("{\"s\": \"x\", \"n\": 7, \"a\": [1]}");
    struct manifest_at root = manifest_root(m);
    struct manifest_at a = manifest_array(&root, "a");
    struct err err;

    manifest_string(&root, "n");
    manifest_string(&root, "missing");
    cr_assert_null(manifest_string(&root, "s"));
    cr_assert_eq(manifest_u64(&root, "n", 0, 9), 0);
    cr_assert_eq(manifest_has(&root, "n"), 0);
    cr_assert_eq(manifest_count(&a), 0);
    cr_assert_null(manifest_element(&a, 0).value);
    cr_assert_null(manifest_root(m).value);
    cr_assert_lt(manifest_check(m, &err), 0);
    cr_assert_str_eq(err.message,
                     "\"catalog.json\": n: expected a string, found a number");
    manifest_free(m);
}

Test(manifest, element_beyond_the_end_is_nothing)
{
    struct manifest *m = parse("{\"a\": []}");
    struct manifest_at root = manifest_root(m);
    struct manifest_at a = manifest_array(&root, "a");
    struct manifest_at e = manifest_element(&a, 0);
    struct err err;

    manifest_string(&e, "name");
    cr_assert_lt(manifest_check(m, &err), 0);
    cr_assert_str_eq(
        err.message,
        "\"catalog.json\": a[0]: expected an object, found nothing");
    manifest_free(m);
}

/* ---- writing ---- */

Test(manifest, unknown_members_are_written_back_in_their_order)
{
    static const char expected[] = "{\n"
                                   "  \"zebra\": 1,\n"
                                   "  \"apple\": {\n"
                                   "    \"y\": [\n"
                                   "      1,\n"
                                   "      \"line\\nbreak \xc3\xa9\"\n"
                                   "    ],\n"
                                   "    \"x\": {}\n"
                                   "  },\n"
                                   "  \"none\": []\n"
                                   "}\n";
    struct manifest *m =
        parse("{\"zebra\":1,\"apple\":{\"y\":[1,\"line\\nbreak \\u00e9\"],"
              "\"x\":{}},\"none\":[]}");

    /* Twice: what was written is a document that gives the same bytes. */
    for (int i = 0; i < 2; i++) {
        struct memory written = {0};
        struct bytes_out out = memory_out(&written);
        char *text;
        struct err err;

        cr_assert_eq(manifest_write(m, &out, &err), 0);
        text = text_of(&written);
        cr_assert_str_eq(text, expected);
        manifest_free(m);
        m = parse(text);
        free(text);
        memory_free(&written);
    }
    manifest_free(m);
}

Test(manifest, numbers_that_doubles_round_are_strings)
{
    static const struct {
        uint64_t n;
        const char *text;
    } u64[] = {
        {0, "0"},
        {UINT64_C(9007199254740992), "9007199254740992"},
        {UINT64_C(9007199254740993), "\"9007199254740993\""},
        {UINT64_MAX, "\"18446744073709551615\""},
    };
    static const struct {
        int64_t n;
        const char *text;
    } i64[] = {
        {-1, "-1"},
        {INT64_C(-9007199254740992), "-9007199254740992"},
        {INT64_C(-9007199254740993), "\"-9007199254740993\""},
        {INT64_MAX, "\"9223372036854775807\""},
        {INT64_MIN, "\"-9223372036854775808\""},
    };

    for (size_t i = 0; i < sizeof u64 / sizeof *u64; i++) {
        json_t *j = manifest_u64_json(u64[i].n);
        char *text = json_dumps(j, JSON_ENCODE_ANY);

        cr_expect_str_eq(text, u64[i].text);
        free(text);
        json_decref(j);
    }
    for (size_t i = 0; i < sizeof i64 / sizeof *i64; i++) {
        json_t *j = manifest_i64_json(i64[i].n);
        char *text = json_dumps(j, JSON_ENCODE_ANY);

        cr_expect_str_eq(text, i64[i].text);
        free(text);
        json_decref(j);
    }
}

Test(manifest, writer_writes_members_and_arrays_piece_by_piece)
{
    struct memory written = {0};
    struct bytes_out out = memory_out(&written);
    struct manifest_writer *w;
    char *text;
    struct err err;

    cr_assert_eq(manifest_writer_begin(&w, &out, &err), 0);
    cr_assert_eq(manifest_writer_member(w, "id", json_integer(1), &err), 0);
    cr_assert_eq(manifest_writer_array(w, "tables", &err), 0);
    for (int i = 1; i <= 2; i++)
        cr_assert_eq(manifest_writer_element(
                         w, json_pack("{sisi}", "n", i, "rows", 10 * i), &err),
                     0);
    cr_assert_eq(manifest_writer_array_end(w, &err), 0);
    cr_assert_eq(manifest_writer_array(w, "none", &err), 0);
    cr_assert_eq(manifest_writer_array_end(w, &err), 0);
    cr_assert_eq(manifest_writer_member(w, "end \"quoted\"",
                                        json_pack("[ii]", 1, 2), &err),
                 0);
    cr_assert_eq(manifest_writer_end(w, &err), 0);
    manifest_writer_free(w);

    text = text_of(&written);
    cr_assert_str_eq(text, "{\n"
                           "  \"id\": 1,\n"
                           "  \"tables\": [\n"
                           "    {\"n\": 1, \"rows\": 10},\n"
                           "    {\"n\": 2, \"rows\": 20}\n"
                           "  ],\n"
                           "  \"none\": [],\n"
                           "  \"end \\\"quoted\\\"\": [\n"
                           "    1,\n"
                           "    2\n"
                           "  ]\n"
                           "}\n");
    manifest_free(parse(text));
    free(text);
    memory_free(&written);
}

Test(manifest, writer_of_nothing_writes_an_empty_object)
{
    struct memory written = {0};
    struct bytes_out out = memory_out(&written);
    struct manifest_writer *w;
    struct err err;

    cr_assert_eq(manifest_writer_begin(&w, &out, &err), 0);
    cr_assert_eq(manifest_writer_end(w, &err), 0);
    manifest_writer_free(w);
    cr_assert_eq(written.len, 3);
    cr_assert_arr_eq(written.data, "{}\n", 3);
    memory_free(&written);
}

Test(manifest, writer_forwards_the_failure_of_its_output_at_any_byte)
{
    struct manifest *m = parse("{\"a\": [1, 2], \"b\": {\"c\": \"d\"}}");
    struct memory whole = {0};
    struct bytes_out out = memory_out(&whole);
    struct err err;

    cr_assert_eq(manifest_write(m, &out, &err), 0);
    for (size_t at = 1; at < whole.len; at++) {
        struct memory broken = {.limit = at};

        out = memory_out(&broken);
        cr_assert_lt(manifest_write(m, &out, &err), 0);
        cr_assert_str_eq(err.message, "no room");
        memory_free(&broken);
    }
    memory_free(&whole);
    manifest_free(m);
}

Test(manifest, writer_refuses_text_that_is_not_utf8)
{
    struct memory written = {0};
    struct bytes_out out = memory_out(&written);
    cleanup_(manifest_writer_freep) struct manifest_writer *w = NULL;
    struct err err;

    cr_assert_eq(manifest_writer_begin(&w, &out, &err), 0);
    cr_assert_lt(manifest_writer_member(w, "name", json_string("\xff"), &err),
                 0);
    cr_assert_str_eq(err.message, "could not write JSON of \"name\"");
    memory_free(&written);
}
