/* SPDX-License-Identifier: PostgreSQL */
#include <criterion/criterion.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/moves.h"

SERVERS({"source"}, {"target"})

/* ---- looking at reports ---- */

static json_t *
read_json(const char *path)
{
    json_error_t error;
    json_t *o = json_load_file(path, JSON_REJECT_DUPLICATES, &error);

    cr_assert(o, "%s: %s", path, error.text);
    return o;
}

static const char *
text_at(const json_t *o, const char *a, const char *b)
{
    const char *text =
        json_string_value(json_object_get(json_object_get(o, a), b));

    return text ? text : "";
}

/* report.json as "pghaul report" makes it now. */
static json_t *
report_of(const char *dir)
{
    const char *file = moves_path(server_tmp_dir(), "report.json");
    struct server_run r =
        moves_pghaul("report", "--dir", dir, "--json", "-o", file);

    cr_assert_eq(r.status, 0, "%s", r.errors);
    return read_json(file);
}

static void
assert_verdict(const char *dir, const char *verdict)
{
    json_t *o = report_of(dir);

    cr_assert_str_eq(text_at(o, "result", "verdict"), verdict, "%s",
                     text_at(o, "result", "because"));
    json_decref(o);
}

/* The page is well-formed, stands alone, and has these texts. */
#define assert_page(path, ...)                                                 \
    judge_page((const char *const[]){PYTHON, "", path, __VA_ARGS__, NULL})

static void
judge_page(const char *const *words)
{
    const char *argv[20];
    char judge[512];
    struct server_run r;
    int i;

    snprintf(judge, sizeof judge, "%s/tests/report-page.py",
             getenv("PGHAUL_SOURCE"));
    for (i = 0; words[i]; i++)
        argv[i] = i == 1 ? judge : words[i];
    argv[i] = NULL;
    r = server_run(argv);
    cr_assert_eq(r.status, 0, "%s%s", r.output, r.errors);
}

static const char *
page_of(const char *dir)
{
    const char *file = moves_path(server_tmp_dir(), "page.html");
    struct server_run r = moves_pghaul("report", "--dir", dir, "-o", file);

    cr_assert_eq(r.status, 0, "%s", r.errors);
    return file;
}

/* ---- runs ---- */

static const char *
exported(const char *source)
{
    const char *dir = moves_path(server_tmp_dir(), "run");

    moves_export(source, dir);
    return dir;
}

static int
verify(const char *target, const char *dir)
{
    return moves_pghaul("verify", "--target", target, "--dir", dir).status;
}

static void
check_files(const char *dir)
{
    struct stat st;
    json_t *o;

    cr_assert_eq(stat(moves_path(dir, "report.html"), &st), 0);
    cr_assert_eq(st.st_mode & 0777, 0600);
    assert_page(moves_path(dir, "report.html"), "Proved equal", "equal",
                "Where the time went", "max_wal_size");
    o = read_json(moves_path(dir, "report.json"));
    cr_assert_str_eq(text_at(o, "result", "verdict"), "equal");
    cr_assert_eq(json_array_size(json_object_get(o, "commands")), 3);
    cr_assert_eq(strlen(text_at(o, "run", "seal_sha256")), 64);
    json_decref(o);
}

static void
check_places(const char *dir)
{
    struct server_run r = moves_pghaul("report", "--dir", dir, "--output", "-");

    cr_assert_eq(r.status, 0);
    cr_assert_eq(strncmp(r.output, "<!DOCTYPE html>", 15), 0);
    cr_assert_str_eq(r.output + strlen(r.output) - 8, "</html>\n");
    r = moves_pghaul("report", "--dir", dir, "--json");
    cr_assert_eq(r.output[0], '{');
    cr_assert_eq(moves_pghaul("report", "--dir", dir).status, 2);
    cr_assert_eq(
        moves_pghaul("report", "--dir", dir, "-o", "/nowhere/x").status, 5);
}

static void
check_status(const char *dir)
{
    struct server_run r = moves_pghaul("status", "--dir", dir);

    cr_assert(strstr(r.output, "verdict   equal: "), "%s", r.output);
    r = moves_pghaul("status", "--dir", dir, "--json");
    cr_assert(strstr(r.output, "\"verdict\": \"equal\""), "%s", r.output);
}

/* What lies beside it does not change the bag. */
static void
check_bag(const char *dir)
{
    char command[600];

    snprintf(command, sizeof command,
             "cd '%s' && sha256sum -c --quiet manifest-sha256.txt "
             "tagmanifest-sha256.txt",
             dir);
    cr_assert_eq(
        server_run((const char *const[]){"sh", "-c", command, NULL}).status, 0);
}

Test(report, says_equal_from_the_proof_until_rows_are_copied_again)
{
    const char *dir = exported(moves_source());
    const char *target = server_database("target");

    assert_verdict(dir, "unverified");
    moves_load(target, dir);
    assert_verdict(dir, "unverified");
    cr_assert_eq(verify(target, dir), 0);
    check_files(dir);
    check_places(dir);
    check_status(dir);
    check_bag(dir);

    /* What comes to no end leaves the record of what did. */
    cr_assert_eq(verify("host=/nowhere dbname=x", dir), 3);
    assert_verdict(dir, "equal");
    assert_page(page_of(dir), "Proved equal", "could not connect");
    /* That there is nothing to do changes nothing. */
    moves_load(target, dir);
    assert_verdict(dir, "equal");
    moves_load(server_database("target"), dir);
    assert_verdict(dir, "unverified");
}

Test(report, names_the_table_that_differs_first)
{
    const char *dir = exported(moves_source());
    const char *target = server_database("target");
    json_t *o, *first;

    moves_load(target, dir);
    server_sql(target, "DELETE FROM shop.odd WHERE ctid = "
                       "(SELECT min(ctid) FROM shop.odd)");
    cr_assert_eq(verify(target, dir), 1);

    o = read_json(moves_path(dir, "report.json"));
    cr_assert_str_eq(text_at(o, "result", "verdict"), "differs");
    first = json_array_get(json_object_get(o, "tables"), 0);
    cr_assert_str_eq(json_string_value(json_object_get(first, "verdict")),
                     "differs");
    cr_assert_str_eq(json_string_value(json_object_get(first, "name")), "odd");
    cr_assert_eq(json_integer_value(json_object_get(first, "rows")) - 1,
                 json_integer_value(json_object_get(
                     json_object_get(json_object_get(first, "proof"), "right"),
                     "rows")));
    json_decref(o);
    assert_page(moves_path(dir, "report.html"), "Differs", "found");
}

Test(report, of_an_export_that_was_killed_says_so)
{
    const char *source = moves_source();
    const char *dir = moves_path(server_tmp_dir(), "run");
    struct server_program p = server_program_start(
        moves_words("export", "--source", source, "--dir", dir, "--chunk-size",
                    "1MB", "--max-rate", "1MB", "-q"));

    moves_wait_until_staged(dir);
    kill(p.pid, SIGKILL);
    cr_assert_eq(server_program_wait(&p).status, 128 + SIGKILL);
    assert_verdict(dir, "incomplete");
    assert_page(page_of(dir), "Not complete", "was killed");
    moves_export(source, dir);
    assert_page(page_of(dir), "was killed", "Not verified");
    moves_pghaul("abort", "--dir", dir);
}

/* ---- what comes from outside ---- */

/* A page with such a title would be one of theirs. */
static const char hostile[] =
    "CREATE SCHEMA \"<b>\";"
    "CREATE TABLE \"<b>\".\"<script>alert(1)</script>\" AS"
    " SELECT generate_series(1, 10) AS a;"
    "CREATE TABLE \"a\"\"b' onload='x\" AS SELECT 1 AS a;"
    "CREATE TABLE \"&lt;img src=http:x>\" AS SELECT 1 AS a;"
    "CREATE TABLE \"two\nlines\" AS SELECT 1 AS a;"
    "CREATE TABLE \"bell\a\" AS SELECT 1 AS a;"
    "CREATE TABLE \"url(x)</style>\" AS SELECT 1 AS a;"
    "CREATE TABLE U&\"\\202Egpj.txt\" AS SELECT 1 AS a;"
    "CREATE TABLE U&\"\\061Carabic\" AS SELECT 1 AS a;"
    "CREATE SEQUENCE \"</td></table>\";"
    "CREATE MATERIALIZED VIEW \"]]>--><svg\" AS SELECT 1 AS a;";

Test(report, hostile_names_are_text)
{
    const char *source = server_database("source"), *dir;
    const char *target = server_database("target");

    server_sql(source, hostile);
    dir = exported(source);
    moves_load(target, dir);
    server_sql(target, "INSERT INTO \"two\nlines\" VALUES (2);"
                       "DROP TABLE \"a\"\"b' onload='x\"");
    cr_assert_eq(verify(target, dir), 1);
    assert_page(moves_path(dir, "report.html"), "<b>.<script>alert(1)</script>",
                "a\"b' onload='x", "&lt;img src=http:x>", "two\\nlines",
                "bell\\x07", "\\xe2\\x80\\xaegpj.txt", "\\xd8\\x9carabic",
                "</td></table>", "]]>--><svg");
    json_decref(read_json(moves_path(dir, "report.json")));
}

Test(report, and_the_log_hold_no_password)
{
    const char *source = server_database("source");
    const char *dir = moves_path(server_tmp_dir(), "run");
    const char *config = moves_path(server_tmp_dir(), "run.yaml");
    struct server_run r;
    FILE *f = fopen(config, "w");

    fchmod(fileno(f), 0600);
    fprintf(f, "source: \"%s password=s3cret\"\ndir: \"%s\"\n", source, dir);
    fclose(f);
    r = moves_pghaul("export", "--config", config);
    cr_assert_eq(r.status, 0, "%s", r.errors);
    page_of(dir);
    r = server_run((const char *const[]){"grep", "-rc", "--binary-files=text",
                                         "s3cret", dir, NULL});
    cr_assert_eq(r.status, 1, "%s", r.output);
    r = server_run((const char *const[]){
        "grep", "-c",
        "\"source\":\"postgresql:", moves_path(dir, "events.jsonl"), NULL});
    cr_assert_str_eq(r.output, "1\n");
}
