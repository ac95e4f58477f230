/* SPDX-License-Identifier: PostgreSQL */
#include "loader/handoff/consumer.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/durable_file.h"
#include "io/printable.h"
#include "loader/handoff/consumer_files.h"
#include "loader/pg/conninfo.h"

const char *const *
consumer_plugins(const char *name)
{
    static const char *const pgoutput[] = {"pgoutput", NULL};
    static const char *const debezium[] = {"pgoutput", "decoderbufs", NULL};
    static const char *const dms[] = {"test_decoding", NULL};
    static const char *const pgcopydb[] = {"test_decoding", "wal2json",
                                           "pgoutput", NULL};
    static const struct {
        const char *name;
        const char *const *plugins;
    } all[] = {
        {"subscription", pgoutput},
        {"debezium", debezium},
        {"dms", dms},
        {"peerdb", pgoutput},
        {"flink", debezium},
        {"pgcopydb", pgcopydb},
    };

    for (unsigned i = 0; i < sizeof all / sizeof *all; i++)
        if (strcmp(all[i].name, name) == 0)
            return all[i].plugins;
    return NULL;
}

/* ---- the gaps ---- */

enum { N_VALUES = 14 };

struct value {
    const char *name;
    const char *text; /* NULL: as if it were "" */
};

struct filling {
    FILE *to;
    const struct value *values; /* N_VALUES */
};

static const char *
value_of(const struct filling *x, const char *name, size_t len)
{
    for (unsigned i = 0; i < N_VALUES; i++)
        if (x->values[i].name && strlen(x->values[i].name) == len &&
            memcmp(x->values[i].name, name, len) == 0)
            return x->values[i].text ? x->values[i].text : "";
    return "";
}

/* Between these, and each of them inside twice, or as the shell wants it. */
static void
put_quoted(FILE *to, const char *text, const char *inside)
{
    fputc('\'', to);
    for (; *text; text++)
        if (*text == '\'')
            fputs(inside, to);
        else
            fputc(*text, to);
    fputc('\'', to);
}

/* Java's: a backslash begins an escape, and a line ends with the line. */
static void
put_property(FILE *to, const char *text)
{
    for (; *text; text++)
        if (*text == '\n')
            fputs("\\n", to);
        else if (*text == '\r')
            fputs("\\r", to);
        else if (*text == '\\')
            fputs("\\\\", to);
        else
            fputc(*text, to);
}

static void
put_shown(FILE *to, const char *text)
{
    char shown[PRINTABLE_SIZE(1024)];

    fputs(printable(shown, sizeof shown, text), to);
}

/* A name that is no UTF-8 has no place in JSON: it stands as it is shown. */
static void
put_json(FILE *to, const char *text)
{
    char shown[PRINTABLE_SIZE(1024)];
    json_t *o = json_string(text);

    if (!o)
        o = json_string(printable(shown, sizeof shown, text));
    json_dumpf(o, to, JSON_ENCODE_ANY);
    json_decref(o);
}

static void
put_value(FILE *to, const char *text, const char *how, size_t len)
{
    if (len == 2 && memcmp(how, "sh", 2) == 0)
        put_quoted(to, text, "'\\''");
    else if (len == 3 && memcmp(how, "sql", 3) == 0)
        put_quoted(to, text, "''");
    else if (len == 4 && memcmp(how, "prop", 4) == 0)
        put_property(to, text);
    else if (len == 4 && memcmp(how, "json", 4) == 0)
        put_json(to, text);
    else
        put_shown(to, text);
}

/* At is behind the first @; what follows the second is returned. */
static const char *
fill_gap(const struct filling *x, const char *at)
{
    size_t len = strcspn(at, "@"), name = strcspn(at, ":@");

    if (len == 0)
        fputc('@', x->to);
    else if (name == len)
        fputs(value_of(x, at, name), x->to);
    else
        put_value(x->to, value_of(x, at, name), at + name + 1, len - name - 1);
    return at + len + 1;
}

static const char *
fill_line(const struct filling *x, const char *at)
{
    while (*at && *at != '\n')
        if (*at == '@')
            at = fill_gap(x, at + 1);
        else
            fputc(*at++, x->to);
    fputc('\n', x->to);
    return *at ? at + 1 : at;
}

static void
fill(const struct filling *x, const char *text, int has_publication)
{
    while (*text) {
        char first = *text;

        if (first == '+' || first == '~')
            text++;
        if (first != (has_publication ? '~' : '+'))
            text = fill_line(x, text);
        else
            text += strcspn(text, "\n") + 1;
    }
}

/* ---- the values ---- */

/* The list that pgoutput takes holds identifiers: "a ""name""". */
static int
quote_identifier(char **ret, const char *name, struct err *err)
{
    size_t len;
    FILE *f = open_memstream(ret, &len);

    if (!f)
        return err_nomem(err);
    fputc('"', f);
    for (; name && *name; name++) {
        if (*name == '"')
            fputc('"', f);
        fputc(*name, f);
    }
    fputc('"', f);
    return fclose(f) ? err_nomem(err) : 0;
}

struct texts {
    char *conninfo, *identifier;
    char lsn[CAPTURE_LSN], decimal[24];
    PQconninfoOption *options;
};

static void
texts_clear(struct texts *t)
{
    free(t->conninfo);
    free(t->identifier);
    conninfo_options_free(t->options);
}

static int
choose_texts(struct texts *t, const struct consumer *c, struct err *err)
{
    int r = conninfo_for_server(&t->conninfo, c->conninfo, 0, err);

    if (!r)
        r = conninfo_options(&t->options, t->conninfo, err);
    if (!r)
        r = quote_identifier(&t->identifier, c->capture->publication, err);
    capture_lsn(t->lsn, c->capture->lsn);
    snprintf(t->decimal, sizeof t->decimal, "%" PRIu64, c->capture->lsn);
    return r;
}

static void
choose_values(struct value v[N_VALUES], const struct texts *t,
              const struct consumer *c)
{
    const struct value all[] = {
        {"run", c->facts->run_id},
        {"slot", c->capture->slot},
        {"plugin", c->capture->plugin},
        {"publication", c->capture->publication},
        {"identifier", t->identifier},
        {"lsn", t->lsn},
        {"decimal", t->decimal},
        {"conninfo", t->conninfo},
        {"host", conninfo_value(t->options, "host")},
        {"port", conninfo_value(t->options, "port")},
        {"user", conninfo_value(t->options, "user")},
        {"database", c->facts->database},
    };

    memcpy(v, all, sizeof all);
}

/* ---- DMS's mappings: a rule a table ---- */

static json_t *
rule_of(const struct capture_table *t, unsigned number)
{
    char id[16], shown[2][PRINTABLE_SIZE(256)];

    snprintf(id, sizeof id, "%u", number);
    return json_pack(
        "{s:s,s:s,s:s,s:{s:s,s:s},s:s}", "rule-type", "selection", "rule-id",
        id, "rule-name", id, "object-locator", "schema-name",
        printable(shown[0], sizeof shown[0], t->schema), "table-name",
        printable(shown[1], sizeof shown[1], t->name), "rule-action",
        "explicit");
}

static int
write_mappings(FILE *to, struct catalog *c, unsigned epoch, struct err *err)
{
    unsigned n = 0;
    uint32_t last = 0;
    int r;

    fputs("{\"rules\": [", to);
    for (;;) {
        cleanup_(capture_table_freep) struct capture_table *t = NULL;
        json_t *rule;

        r = capture_next_table(c, epoch, last, &t, err);
        if (r)
            break;
        last = t->oid;
        if (t->member == 0)
            continue;
        rule = rule_of(t, ++n);
        fputs(n > 1 ? ",\n  " : "\n  ", to);
        json_dumpf(rule, to, JSON_COMPACT);
        json_decref(rule);
    }
    fputs("\n]}\n", to);
    return r == CATALOG_E_NONE ? 0 : r;
}

/* ---- all of it ---- */

static int
write_text(char **ret, size_t *ret_len, const struct consumer *c,
           const struct consumer_file *file, const struct value *values,
           struct err *err)
{
    FILE *f = open_memstream(ret, ret_len);
    int r = 0;

    if (!f)
        return err_nomem(err);
    if (file->text)
        fill(&(struct filling){f, values}, file->text,
             c->capture->publication != NULL);
    else
        r = write_mappings(f, c->catalog, c->capture->epoch, err);
    return fclose(f) && !r ? err_nomem(err) : r;
}

static int
write_file(const struct consumer *c, const struct consumer_file *file,
           const struct value *values, int dir_fd, struct err *err)
{
    cleanup_(durable_file_freep) struct durable_file *to = NULL;
    cleanup_(freep) char *text = NULL;
    size_t len;
    int r = write_text(&text, &len, c, file, values, err);

    if (!r)
        r = durable_file_open(&to, dir_fd, file->name, err);
    if (!r)
        r = bytes_out_append(durable_file_out(to), text, len, err);
    return r ? r : durable_file_commit(to, NULL, err);
}

int
consumer_write(const struct consumer *c, int dir_fd, struct err *err)
{
    struct value values[N_VALUES] = {0};
    struct texts texts = {0};
    int r = choose_texts(&texts, c, err);

    choose_values(values, &texts, c);
    for (const struct consumer_file *f = consumer_files; f->consumer && !r; f++)
        if (strcmp(f->consumer, c->name) == 0)
            r = write_file(c, f, values, dir_fd, err);
    texts_clear(&texts);
    return r;
}
