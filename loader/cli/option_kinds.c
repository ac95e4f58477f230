/* SPDX-License-Identifier: PostgreSQL */
#include "loader/cli/option_kinds.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <libpq-fe.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    JOBS_MAX = 64,
    NAME_MAX_BYTES = 63, /* NAMEDATALEN - 1 */
    SECONDS_MAX = 7 * 24 * 3600,
    HOURS_MAX = 365 * 24,
};
#define CHUNK_SIZE_MIN (UINT64_C(1) << 20)
#define CHUNK_SIZE_MAX (UINT64_C(1) << 40)
#define DURATION_MIN_MS UINT64_C(1000)
#define DURATION_MAX_MS (30 * UINT64_C(86400000))
enum { COUNT_MAX = 1000000000 };

static int
fail_value(const struct option_row *row, const char *text, struct err *err)
{
    return err_set(err, ERR_USAGE, "invalid value \"%s\" for option \"--%s\"",
                   text, row->name);
}

int
option_parse_flag(const struct option_row *row, const char *text, void *field,
                  struct err *err)
{
    (void)row, (void)text, (void)err;
    *(int *)field = 1;
    return 0;
}

int
option_parse_path(const struct option_row *row, const char *text, void *field,
                  struct err *err)
{
    if (!*text)
        return fail_value(row, text, err);
    *(const char **)field = text;
    return 0;
}

int
option_parse_name(const struct option_row *row, const char *text, void *field,
                  struct err *err)
{
    if (!*text || strlen(text) > NAME_MAX_BYTES ||
        strncmp(text, "pg_", 3) == 0) {
        fail_value(row, text, err);
        return err_detail(err,
                          "A name has 1 to %d bytes and does not begin "
                          "with \"pg_\".",
                          NAME_MAX_BYTES);
    }
    *(const char **)field = text;
    return 0;
}

/* What PostgreSQL allows in one. */
int
option_parse_slot(const struct option_row *row, const char *text, void *field,
                  struct err *err)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789_";

    if (!*text || strlen(text) > NAME_MAX_BYTES ||
        text[strspn(text, letters)]) {
        fail_value(row, text, err);
        return err_detail(err,
                          "A slot's name has 1 to %d letters a-z, digits and "
                          "underscores.",
                          NAME_MAX_BYTES);
    }
    *(const char **)field = text;
    return 0;
}

/* What a list's texts mean says who uses them. */
int
option_parse_list(const struct option_row *row, const char *text, void *field,
                  struct err *err)
{
    struct option_list *list = field;
    const char **texts;

    if (!*text)
        return fail_value(row, text, err);
    texts = reallocarray(list->texts, list->n + 1, sizeof *texts);
    if (!texts)
        return err_nomem(err);
    list->texts = texts;
    texts[list->n++] = text;
    return 0;
}

int
option_is_list(const struct option_row *row)
{
    return row->parse == option_parse_list;
}

/* How many processors we may run on, which a container can make fewer than
   the machine has. */
static unsigned
count_cores(void)
{
    cpu_set_t set;
    int n = 0;

    if (sched_getaffinity(0, sizeof set, &set) == 0)
        n = CPU_COUNT(&set);
    return n < 1 ? 1 : n > JOBS_MAX ? JOBS_MAX : (unsigned)n;
}

/* Digits only: strtoull() alone would take " -1".  *end is what follows. */
static int
parse_digits(const char *text, uint64_t *ret, char **end)
{
    if (!isdigit((unsigned char)*text))
        return -1;
    errno = 0;
    *ret = strtoull(text, end, 10);
    return errno ? -1 : 0;
}

int
option_parse_jobs(const struct option_row *row, const char *text, void *field,
                  struct err *err)
{
    uint64_t n;
    char *end;

    if (strcmp(text, "cores") == 0) {
        *(unsigned *)field = count_cores();
        return 0;
    }
    if (parse_digits(text, &n, &end) < 0 || *end || n < 1 || n > JOBS_MAX) {
        fail_value(row, text, err);
        return err_detail(err, "It is a number from 1 to %d, or \"cores\".",
                          JOBS_MAX);
    }
    *(unsigned *)field = (unsigned)n;
    return 0;
}

static int
parse_time(const struct option_row *row, const char *text, unsigned max,
           void *field, struct err *err)
{
    uint64_t n;
    char *end;

    if (parse_digits(text, &n, &end) < 0 || *end || n < 1 || n > max) {
        fail_value(row, text, err);
        return err_detail(err, "It is a number from 1 to %u.", max);
    }
    *(unsigned *)field = (unsigned)n;
    return 0;
}

int
option_parse_seconds(const struct option_row *row, const char *text,
                     void *field, struct err *err)
{
    return parse_time(row, text, SECONDS_MAX, field, err);
}

int
option_parse_hours(const struct option_row *row, const char *text, void *field,
                   struct err *err)
{
    return parse_time(row, text, HOURS_MAX, field, err);
}

/* The units of postgresql.conf, case and all; *ret is a shift. */
static int
parse_unit(const char *text, unsigned *ret)
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB"};

    for (unsigned i = 0; i < sizeof units / sizeof *units; i++)
        if (strcmp(text, units[i]) == 0) {
            *ret = 10 * i;
            return 0;
        }
    return -1;
}

int
option_parse_size(const struct option_row *row, const char *text, void *field,
                  struct err *err)
{
    unsigned shift;
    uint64_t n;
    char *end;

    if (parse_digits(text, &n, &end) < 0 || parse_unit(end, &shift) < 0) {
        fail_value(row, text, err);
        return err_hint(err, "Give a whole number and a unit: \"B\", \"kB\", "
                             "\"MB\", \"GB\" or \"TB\".");
    }
    if (n > CHUNK_SIZE_MAX >> shift || n << shift < CHUNK_SIZE_MIN) {
        fail_value(row, text, err);
        return err_detail(err, "It is outside the range 1MB to 1TB.");
    }
    *(uint64_t *)field = n << shift;
    return 0;
}

/* The units of postgresql.conf; *ret is in milliseconds. */
static int
parse_time_unit(const char *text, uint64_t *ret)
{
    static const struct {
        const char *name;
        uint64_t ms;
    } units[] = {
        {"ms", 1}, {"s", 1000}, {"min", 60000}, {"h", 3600000}, {"d", 86400000},
    };

    for (unsigned i = 0; i < sizeof units / sizeof *units; i++)
        if (strcmp(text, units[i].name) == 0) {
            *ret = units[i].ms;
            return 0;
        }
    return -1;
}

int
option_parse_duration(const struct option_row *row, const char *text,
                      void *field, struct err *err)
{
    uint64_t n, unit_ms;
    char *end;

    if (parse_digits(text, &n, &end) < 0 ||
        parse_time_unit(end, &unit_ms) < 0) {
        fail_value(row, text, err);
        return err_hint(err, "Give a whole number and a unit: \"ms\", \"s\", "
                             "\"min\", \"h\" or \"d\".");
    }
    if (n > DURATION_MAX_MS / unit_ms || n * unit_ms < DURATION_MIN_MS) {
        fail_value(row, text, err);
        return err_detail(err, "It is outside the range 1s to 30d.");
    }
    *(uint64_t *)field = n * unit_ms;
    return 0;
}

int
option_parse_count(const struct option_row *row, const char *text, void *field,
                   struct err *err)
{
    uint64_t n;
    char *end;

    if (parse_digits(text, &n, &end) < 0 || *end || n < 1 || n > COUNT_MAX) {
        fail_value(row, text, err);
        return err_detail(err, "It is a number from 1 to %d.", COUNT_MAX);
    }
    *(uint64_t *)field = n;
    return 0;
}

/* Per cent, with at most four digits behind the point: of a million. */
int
option_parse_share(const struct option_row *row, const char *text, void *field,
                   struct err *err)
{
    uint64_t whole, part = 0, scale = 10000;
    char *end;
    int r = parse_digits(text, &whole, &end);

    if (!r && *end == '.')
        for (end++; isdigit((unsigned char)*end) && scale > 1; end++) {
            scale /= 10;
            part += (uint64_t)(*end - '0') * scale;
        }
    if (r || strcmp(end, "%") != 0 || whole > 100 || whole * 10000 + part < 1 ||
        whole * 10000 + part > 1000000) {
        fail_value(row, text, err);
        return err_hint(err, "Give a share like \"1%%\" or \"0.01%%\".");
    }
    *(uint32_t *)field = (uint32_t)(whole * 10000 + part);
    return 0;
}

int
option_parse_date(const struct option_row *row, const char *text, void *field,
                  struct err *err)
{
    struct tm day = {0};
    const char *end = strptime(text, "%Y-%m-%d", &day);
    char again[16] = "";

    if (end && !*end)
        strftime(again, sizeof again, "%Y-%m-%d", &day);
    if (!end || *end || strcmp(again, text) != 0 || timegm(&day) < 0) {
        fail_value(row, text, err);
        return err_hint(err, "Give a day like \"2031-12-31\".");
    }
    *(const char **)field = text;
    return 0;
}

int
option_parse_part(const struct option_row *row, const char *text, void *field,
                  struct err *err)
{
    enum { MANY = 1000000 };
    uint64_t n, of;
    char *end;
    int r = parse_digits(text, &n, &end);

    if (r || *end != '/' || parse_digits(end + 1, &of, &end) || *end ||
        of < 1 || of > MANY || n < 1 || n > of) {
        fail_value(row, text, err);
        return err_hint(err, "Give a part like \"1/12\": the first of twelve.");
    }
    *(struct option_part *)field =
        (struct option_part){(unsigned)n, (unsigned)of};
    return 0;
}

/* The field is an enum without negative values, for which all compilers that
   we know use unsigned. */
static_assert(sizeof(enum option_format) == sizeof(unsigned), "enum size");

int
option_parse_choice(const struct option_row *row, const char *text, void *field,
                    struct err *err)
{
    size_t len = strlen(text);
    const char *word = row->argument;

    for (unsigned i = 0; *word; i++) {
        size_t n = strcspn(word, "|");

        if (n == len && memcmp(word, text, n) == 0) {
            *(unsigned *)field = i;
            return 0;
        }
        word += n + (word[n] == '|');
    }
    fail_value(row, text, err);
    return err_detail(err, "It is one of %s.", row->argument);
}

/* The first three are the layers of a table, and go by number, too. */
static const struct {
    const char *words[3];
    unsigned layers;
} layer_words[] = {
    {{"counts", "1"}, OPTION_LAYER_COUNTS},
    {{"aggregates", "2"}, OPTION_LAYER_AGGREGATES},
    {{"rows", "3"}, OPTION_LAYER_ROWS},
    {{"schema"}, OPTION_LAYER_SCHEMA},
    {{"sequences"}, OPTION_LAYER_SEQUENCES},
    {{"all"},
     OPTION_LAYER_COUNTS | OPTION_LAYER_AGGREGATES | OPTION_LAYER_ROWS |
         OPTION_LAYER_SCHEMA | OPTION_LAYER_SEQUENCES},
};

/* 0: there is no such layer. */
static unsigned
layer_named(const char *text, size_t len)
{
    for (size_t i = 0; i < sizeof layer_words / sizeof *layer_words; i++)
        for (const char *const *w = layer_words[i].words; *w; w++)
            if (strlen(*w) == len && memcmp(*w, text, len) == 0)
                return layer_words[i].layers;
    return 0;
}

int
option_parse_layers(const struct option_row *row, const char *text, void *field,
                    struct err *err)
{
    unsigned layers = 0;

    for (const char *word = text;;) {
        size_t n = strcspn(word, ",");
        unsigned layer = layer_named(word, n);

        if (!layer) {
            fail_value(row, text, err);
            return err_detail(err, "Layers are counts, aggregates, rows, "
                                   "schema and sequences, with commas "
                                   "between; or all.");
        }
        layers |= layer;
        if (!word[n])
            break;
        word += n + 1;
    }
    *(unsigned *)field = layers;
    return 0;
}

/* Name the parameter that holds a secret, if one does. */
static const char *
find_secret(const PQconninfoOption *o)
{
    /* libpq marks what must not be shown with "*". */
    for (; o->keyword; o++)
        if (o->dispchar[0] == '*' && o->val && *o->val)
            return o->keyword;
    return NULL;
}

/* libpq's own message is not shown: it can quote the string. */
int
option_parse_conninfo(const struct option_row *row, const char *text,
                      void *field, struct err *err)
{
    PQconninfoOption *parsed = PQconninfoParse(text, NULL);

    if (!parsed) {
        err_set(err, ERR_USAGE, "invalid connection string for option \"--%s\"",
                row->name);
        return err_hint(err, "Give \"host=... dbname=...\", "
                             "\"postgresql://host/dbname\" or "
                             "\"service=NAME\".");
    }
    PQconninfoFree(parsed);
    *(const char **)field = text;
    return 0;
}

const char *
option_secret(const struct option_row *row, const char *text)
{
    PQconninfoOption *parsed;
    const char *secret;

    if (row->parse != option_parse_conninfo)
        return NULL;
    parsed = PQconninfoParse(text, NULL);
    secret = parsed ? find_secret(parsed) : NULL;
    PQconninfoFree(parsed);
    return secret; /* libpq's constant */
}
