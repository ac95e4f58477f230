/* SPDX-License-Identifier: PostgreSQL */
#include "loader/cli/config.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <yaml.h>

#include "io/fd.h"

enum { KEYS_MAX = 200 }; /* there are not as many options */

/* The key that has keys of its own. */
#define SECTION "tables"

struct reading {
    struct config *config;
    yaml_parser_t parser;
    yaml_event_t event; /* the one at hand */
    int has_section;
};

/* ---- errors ---- */

int
config_blame(const struct config *c, struct config_place at, struct err *err)
{
    struct err said = *err;

    err_set(err, said.class, "in \"%s\", line %zu, column %zu: %.700s", c->path,
            at.line, at.column, said.message);
    err_detail(err, "%s", said.detail);
    return err_hint(err, "%s", said.hint);
}

int
config_fail(const struct config *c, struct config_place at, struct err *err,
            const char *fmt, ...)
{
    char message[sizeof err->message];
    va_list args;

    va_start(args, fmt);
    vsnprintf(message, sizeof message, fmt, args);
    va_end(args);
    err_set(err, ERR_USAGE, "%s", message);
    return config_blame(c, at, err);
}

static struct config_place
place(yaml_mark_t mark)
{
    return (struct config_place){mark.line + 1, mark.column + 1};
}

static struct config_place
here(const struct reading *r)
{
    return place(r->event.start_mark);
}

/* A name that begins with "*" or "&" is most often a pattern. */
static int
fail_reference(const struct reading *r, struct err *err)
{
    config_fail(r->config, here(r), err,
                "anchors, aliases and tags are not taken");
    return err_hint(err, "Put a text that begins with \"*\", \"&\" or \"!\" in "
                         "quotes.");
}

static int
fail_syntax(const struct reading *r, struct err *err)
{
    const yaml_parser_t *p = &r->parser;

    if (p->error == YAML_MEMORY_ERROR)
        return err_nomem(err);
    config_fail(r->config, place(p->problem_mark), err, "%s",
                p->problem ? p->problem : "this is not YAML");
    if (p->context)
        err_detail(err, "It was found %s.", p->context);
    return err_hint(err, "Put a text with special characters in quotes.");
}

/* ---- events ---- */

static int
has_reference(const yaml_event_t *e)
{
    switch (e->type) {
    case YAML_ALIAS_EVENT:
        return 1;
    case YAML_SCALAR_EVENT:
        return e->data.scalar.anchor || e->data.scalar.tag;
    case YAML_SEQUENCE_START_EVENT:
        return e->data.sequence_start.anchor || e->data.sequence_start.tag;
    case YAML_MAPPING_START_EVENT:
        return e->data.mapping_start.anchor || e->data.mapping_start.tag;
    default:
        return 0;
    }
}

static int
next(struct reading *r, struct err *err)
{
    yaml_event_delete(&r->event);
    if (!yaml_parser_parse(&r->parser, &r->event))
        return fail_syntax(r, err);
    return has_reference(&r->event) ? fail_reference(r, err) : 0;
}

/* The text of a scalar; what ends early, by a NUL, is not what was meant. */
static int
copy_scalar(const struct reading *r, char **ret, struct err *err)
{
    const char *text = (const char *)r->event.data.scalar.value;

    if (strlen(text) != r->event.data.scalar.length)
        return config_fail(r->config, here(r), err,
                           "a text contains a null character");
    *ret = strdup(text);
    return *ret ? 0 : err_nomem(err);
}

/* ---- values ---- */

static int
is_null(const char *text)
{
    return !*text || strcmp(text, "~") == 0 || strcasecmp(text, "null") == 0;
}

static int
add_value(struct reading *r, struct config_entry *e, struct err *err)
{
    struct config_value *values;
    struct config_value v = {
        .at = here(r),
        .quoted = r->event.data.scalar.style != YAML_PLAIN_SCALAR_STYLE,
    };

    values = reallocarray(e->values, e->n_values + 1, sizeof *values);
    if (!values)
        return err_nomem(err);
    e->values = values;
    if (copy_scalar(r, &v.text, err))
        return -1;
    values[e->n_values++] = v;
    if (!v.quoted && is_null(v.text))
        return config_fail(r->config, v.at, err, "\"%s\" has no value", e->key);
    return 0;
}

static int
read_list(struct reading *r, struct config_entry *e, struct err *err)
{
    e->is_list = 1;
    for (;;) {
        if (next(r, err))
            return -1;
        if (r->event.type == YAML_SEQUENCE_END_EVENT)
            return 0;
        if (r->event.type != YAML_SCALAR_EVENT)
            return config_fail(r->config, here(r), err,
                               "\"%s\" takes a list of texts", e->key);
        if (add_value(r, e, err))
            return -1;
    }
}

/* "a: b" of a mapping becomes the text that the option takes. */
static int
read_pair(struct reading *r, struct config_entry *e, struct err *err)
{
    cleanup_(freep) char *key = NULL;
    struct config_place at = here(r);
    struct config_value *v;
    char *joined;

    if (r->event.type != YAML_SCALAR_EVENT)
        return config_fail(r->config, at, err,
                           "\"%s\" takes \"TABLE: CONDITION\"", e->key);
    if (copy_scalar(r, &key, err) || next(r, err))
        return -1;
    if (r->event.type != YAML_SCALAR_EVENT)
        return config_fail(r->config, here(r), err, "\"%s\" takes a text", key);
    if (add_value(r, e, err))
        return -1;
    v = &e->values[e->n_values - 1];
    if (asprintf(&joined, "%s: %s", key, v->text) < 0)
        return err_nomem(err);
    free(v->text);
    v->text = joined;
    v->at = at;
    return 0;
}

static int
read_pairs(struct reading *r, struct config_entry *e, struct err *err)
{
    e->is_list = 1;
    for (;;) {
        if (next(r, err))
            return -1;
        if (r->event.type == YAML_MAPPING_END_EVENT)
            return 0;
        if (read_pair(r, e, err))
            return -1;
    }
}

static int
read_values(struct reading *r, struct config_entry *e, struct err *err)
{
    if (next(r, err))
        return -1;
    if (r->event.type == YAML_SEQUENCE_START_EVENT)
        return read_list(r, e, err);
    if (r->event.type == YAML_MAPPING_START_EVENT && e->takes_pairs)
        return read_pairs(r, e, err);
    if (r->event.type == YAML_SCALAR_EVENT)
        return add_value(r, e, err);
    return config_fail(r->config, here(r), err,
                       "\"%s\" takes a text, or a list of texts", e->key);
}

/* ---- entries ---- */

static int
refuse_second(const struct config *c, const struct config_entry *e,
              struct err *err)
{
    for (size_t i = 0; i < c->n_entries; i++) {
        const struct config_entry *other = &c->entries[i];

        if (other == e || strcmp(other->key, e->key) != 0)
            continue;
        config_fail(c, e->at, err, "\"%s\" is given twice", e->key);
        return err_detail(err, "It was given in line %zu already.",
                          other->at.line);
    }
    return 0;
}

/* The key at hand, behind a prefix. */
static int
add_entry(struct reading *r, const char *prefix, struct config_entry **ret,
          struct err *err)
{
    struct config *c = r->config;
    cleanup_(freep) char *key = NULL;
    struct config_entry *entries, *e;

    if (c->n_entries == KEYS_MAX)
        return config_fail(c, here(r), err, "there are too many keys");
    entries = reallocarray(c->entries, c->n_entries + 1, sizeof *entries);
    if (!entries)
        return err_nomem(err);
    c->entries = entries;
    *ret = e = &entries[c->n_entries];
    *e = (struct config_entry){.at = here(r)};
    if (copy_scalar(r, &key, err))
        return -1;
    if (asprintf(&e->key, "%s%s", prefix, key) < 0)
        return err_nomem(err);
    c->n_entries++;
    e->option = e->key;
    return refuse_second(c, e, err);
}

/* The option that a key of the section stands for. */
static int
resolve(const struct reading *r, struct config_entry *e, struct err *err)
{
    static const struct {
        const char *key, *option;
    } keys[] = {{SECTION ".include", "table"},
                {SECTION ".exclude", "exclude-table"},
                {SECTION ".where", "where"}};

    for (unsigned i = 0; i < sizeof keys / sizeof *keys; i++)
        if (strcmp(e->key, keys[i].key) == 0) {
            e->option = keys[i].option;
            e->takes_pairs = strcmp(e->option, "where") == 0;
            return 0;
        }
    config_fail(r->config, e->at, err, "unrecognized key \"%s\"", e->key);
    return err_hint(err, "\"" SECTION "\" has include, exclude and where.");
}

static int
read_section(struct reading *r, struct err *err)
{
    if (r->has_section)
        return config_fail(r->config, here(r), err,
                           "\"" SECTION "\" is given twice");
    r->has_section = 1;
    if (next(r, err))
        return -1;
    if (r->event.type != YAML_MAPPING_START_EVENT)
        return config_fail(r->config, here(r), err,
                           "\"" SECTION "\" takes include, exclude and where");
    for (;;) {
        struct config_entry *e = NULL;

        if (next(r, err))
            return -1;
        if (r->event.type == YAML_MAPPING_END_EVENT)
            return 0;
        if (r->event.type != YAML_SCALAR_EVENT)
            return config_fail(r->config, here(r), err, "a key is a word");
        if (add_entry(r, SECTION ".", &e, err) || resolve(r, e, err) ||
            read_values(r, e, err))
            return -1;
    }
}

static int
read_entry(struct reading *r, struct err *err)
{
    struct config_entry *e = NULL;

    if (r->event.type != YAML_SCALAR_EVENT)
        return config_fail(r->config, here(r), err,
                           "a key is the name of an option");
    if (strcmp((const char *)r->event.data.scalar.value, SECTION) == 0)
        return read_section(r, err);
    return add_entry(r, "", &e, err) ? -1 : read_values(r, e, err);
}

static int
read_mapping(struct reading *r, struct err *err)
{
    for (;;) {
        if (next(r, err))
            return -1;
        if (r->event.type == YAML_MAPPING_END_EVENT)
            return next(r, err);
        if (read_entry(r, err))
            return -1;
    }
}

/* What a file of comments holds: nothing, or an empty text. */
static int
is_empty(const yaml_event_t *e)
{
    return e->type == YAML_SCALAR_EVENT &&
           e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
           e->data.scalar.length == 0;
}

static int
read_document(struct reading *r, struct err *err)
{
    if (next(r, err))
        return -1;
    if (r->event.type != YAML_MAPPING_START_EVENT && !is_empty(&r->event)) {
        config_fail(r->config, here(r), err, "this is not a configuration");
        return err_hint(err, "Write \"option: value\", a line each.");
    }
    if (is_empty(&r->event) ? next(r, err) : read_mapping(r, err))
        return -1;
    if (next(r, err)) /* behind the document's end */
        return -1;
    if (r->event.type != YAML_STREAM_END_EVENT)
        return config_fail(r->config, here(r), err,
                           "there is a second document");
    return 0;
}

static int
read_stream(struct reading *r, struct err *err)
{
    if (next(r, err) || next(r, err))
        return -1;
    return r->event.type == YAML_STREAM_END_EVENT ? 0 : read_document(r, err);
}

static int
parse(struct config *c, const char *text, size_t len, struct err *err)
{
    struct reading r = {.config = c};
    int result;

    if (!yaml_parser_initialize(&r.parser))
        return err_nomem(err);
    yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&r.parser, (const unsigned char *)text, len);
    result = read_stream(&r, err);
    yaml_event_delete(&r.event);
    yaml_parser_delete(&r.parser);
    return result;
}

/* ---- the file ---- */

static int
read_bytes(int fd, const char *path, char *to, size_t *ret_len, struct err *err)
{
    size_t len = 0;
    ssize_t n;

    while (len <= CONFIG_MAX) {
        n = read(fd, to + len, CONFIG_MAX + 1 - len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_sys(err, errno, "could not read \"%s\"", path);
        if (n == 0)
            break;
        len += (size_t)n;
    }
    if (len > CONFIG_MAX)
        return err_set(err, ERR_USAGE, "\"%s\" is larger than %d bytes", path,
                       CONFIG_MAX);
    *ret_len = len;
    return 0;
}

/* Not a FIFO or a device: waiting for its writer could not be interrupted. */
static int
open_file(struct config *c, int *ret_fd, struct err *err)
{
    cleanup_(fd_closep) int fd =
        open(c->path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    struct stat st;

    if (fd < 0 || fstat(fd, &st) < 0)
        return err_sys(err, errno, "could not open \"%s\"", c->path);
    if (!S_ISREG(st.st_mode))
        return err_set(err, ERR_USAGE, "\"%s\" is not a regular file", c->path);
    c->is_private = (st.st_mode & (S_IRWXG | S_IRWXO)) == 0;
    *ret_fd = fd_take(&fd);
    return 0;
}

int
config_read(struct config **ret, const char *path, struct err *err)
{
    cleanup_(config_freep) struct config *c = calloc(1, sizeof *c);
    cleanup_(freep) char *text = malloc(CONFIG_MAX + 1);
    cleanup_(fd_closep) int fd = -1;
    size_t len = 0;
    int r;

    if (!c || !text)
        return err_nomem(err);
    c->path = strdup(path);
    if (!c->path)
        return err_nomem(err);
    r = open_file(c, &fd, err);
    if (!r)
        r = read_bytes(fd, path, text, &len, err);
    if (!r && !EVP_Digest(text, len, c->sha256, NULL, EVP_sha256(), NULL))
        r = err_set(err, ERR_SYSTEM, "could not compute a SHA-256 digest");
    if (!r)
        r = parse(c, text, len, err);
    if (!r)
        *ret = take(c);
    return r;
}

struct config *
config_free(struct config *c)
{
    if (!c)
        return NULL;
    for (size_t i = 0; i < c->n_entries; i++) {
        struct config_entry *e = &c->entries[i];

        for (size_t j = 0; j < e->n_values; j++)
            free(e->values[j].text);
        free(e->values);
        free(e->key);
    }
    free(c->entries);
    free(c->path);
    free(c);
    return NULL;
}
