/* SPDX-License-Identifier: PostgreSQL */
#include "loader/proof/accept.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { NAMES = 3 }; /* schema, table, column */

struct rule {
    char *text;         /* as it was given */
    char *copy;         /* cut into the names */
    char *names[NAMES]; /* NULL: any */
    unsigned n_names;
    double rows, match, sum; /* <0: not said */
    int rows_are_share, missing, extra;
};

struct accept {
    struct rule *rules;
    unsigned n;
};

int
accept_new(struct accept **ret, struct err *err)
{
    *ret = calloc(1, sizeof **ret);
    return *ret ? 0 : err_nomem(err);
}

struct accept *
accept_free(struct accept *a)
{
    if (!a)
        return NULL;
    for (unsigned i = 0; i < a->n; i++) {
        free(a->rules[i].text);
        free(a->rules[i].copy);
    }
    free(a->rules);
    free(a);
    return NULL;
}

const char *
accept_rule(const struct accept *a, unsigned i)
{
    return a && i < a->n ? a->rules[i].text : NULL;
}

/* ---- parsing ---- */

static int
fail_rule(const char *rule, const char *why, struct err *err)
{
    err_set(err, ERR_USAGE, "invalid rule \"%s\": %s", rule, why);
    return err_hint(err, "Write \"shop.orders: rows=10, match=99.9%%\", "
                         "\"shop.orders.amount: sum=1e-9\" or "
                         "\"*: missing=yes\".");
}

static char *
trim(char *text)
{
    size_t n;

    text += strspn(text, " \t");
    n = strlen(text);
    while (n > 0 && strchr(" \t", text[n - 1]))
        text[--n] = '\0';
    return text;
}

/* A number not below 0; *ret_share: it had a per cent sign. */
static int
parse_number(const char *text, double *ret, int *ret_share)
{
    char *end;
    double n = strtod(text, &end);

    if (end == text || !isfinite(n) || n < 0)
        return -1;
    *ret_share = *end == '%';
    if (*ret_share) {
        n /= 100;
        end++;
    }
    *ret = n;
    return *end ? -1 : 0;
}

static int
parse_yes(const char *text, int *ret)
{
    *ret = strcmp(text, "yes") == 0;
    return *ret || strcmp(text, "no") == 0 ? 0 : -1;
}

static int
take_setting(struct rule *r, const char *name, const char *value)
{
    int share;

    if (strcmp(name, "missing") == 0)
        return parse_yes(value, &r->missing);
    if (strcmp(name, "extra") == 0)
        return parse_yes(value, &r->extra);
    if (strcmp(name, "rows") == 0)
        return parse_number(value, &r->rows, &r->rows_are_share);
    if (strcmp(name, "sum") == 0)
        return parse_number(value, &r->sum, &share);
    if (strcmp(name, "match") == 0)
        return parse_number(value, &r->match, &share) || r->match > 1 ? -1 : 0;
    return -1;
}

static int
take_settings(struct rule *r, char *settings, struct err *err)
{
    char *one;

    while ((one = strsep(&settings, ","))) {
        char *value = strchr(one, '=');

        if (!value)
            return fail_rule(r->text, "a setting is NAME=VALUE", err);
        *value++ = '\0';
        if (take_setting(r, trim(one), trim(value)))
            return fail_rule(r->text, "it has a setting that is none", err);
    }
    return 0;
}

/* Quotes as in SQL, where a name holds a dot. */
static char *
next_name(char **at)
{
    char *to = *at, *name = *at, *from = *at;

    if (*from != '"') {
        name = strsep(at, ".");
        return name;
    }
    for (from++; *from && !(from[0] == '"' && from[1] != '"'); from++) {
        from += from[0] == '"';
        *to++ = *from;
    }
    from += *from == '"';
    *at = *from == '.' ? from + 1 : NULL;
    *to = '\0';
    return name;
}

static int
take_names(struct rule *r, char *names, struct err *err)
{
    while (names && r->n_names < NAMES) {
        char *name = next_name(&names);

        if (!*name)
            return fail_rule(r->text, "a name is empty", err);
        r->names[r->n_names++] = name;
    }
    if (names)
        return fail_rule(r->text, "it has too many names", err);
    if (strcmp(r->names[r->n_names - 1], "*") == 0)
        r->names[--r->n_names] = NULL;
    else if (r->n_names == 1)
        return fail_rule(r->text, "a table's name has its schema", err);
    return 0;
}

/* The colon that is not within quotes. */
static char *
find_colon(char *text)
{
    int quoted = 0;

    for (; *text; text++) {
        quoted ^= *text == '"';
        if (*text == ':' && !quoted)
            return text;
    }
    return NULL;
}

static int
parse(struct rule *r, struct err *err)
{
    char *colon = find_colon(r->copy);
    int failed;

    if (!colon)
        return fail_rule(r->text, "there is no colon", err);
    *colon++ = '\0';
    failed = take_names(r, trim(r->copy), err);
    return failed ? failed : take_settings(r, colon, err);
}

int
accept_add(struct accept *a, const char *text, struct err *err)
{
    struct rule *rules = reallocarray(a->rules, a->n + 1, sizeof *rules), *r;

    if (!rules)
        return err_nomem(err);
    a->rules = rules;
    r = &rules[a->n];
    *r = (struct rule){.text = strdup(text),
                       .copy = strdup(text),
                       .rows = -1,
                       .match = -1,
                       .sum = -1};
    a->n++;
    if (!r->text || !r->copy)
        return err_nomem(err);
    return parse(r, err);
}

/* ---- asking ---- */

static int
fits(const struct rule *r, const char *const names[NAMES])
{
    for (unsigned i = 0; i < r->n_names; i++)
        if (!names[i] || strcmp(r->names[i], names[i]) != 0)
            return 0;
    return 1;
}

static const struct rule *
find(const struct accept *a, const char *const names[NAMES])
{
    const struct rule *best = NULL;

    for (unsigned i = 0; a && i < a->n; i++)
        if (fits(&a->rules[i], names) &&
            (!best || a->rules[i].n_names >= best->n_names))
            best = &a->rules[i];
    return best;
}

static int
counts_fit(const struct rule *r, const struct proof_table *t)
{
    double left = (double)t->at[PROOF_LEFT].n_rows;
    double right = (double)t->at[PROOF_RIGHT].n_rows;
    double most = r->rows < 0         ? 0
                  : r->rows_are_share ? r->rows * left
                                      : r->rows;

    return fabs(left - right) <= most;
}

/* Without a rate every row must be the same, but for those by which the
   numbers may differ. */
static int
rows_fit(const struct rule *r, const struct proof_table *t)
{
    double left = (double)t->at[PROOF_LEFT].n_rows;
    double right = (double)t->at[PROOF_RIGHT].n_rows;
    double n_others = (double)(t->rows.n_missing + t->rows.n_extra);

    if (!t->rows.is_known)
        return 0;
    if (r->match < 0)
        return t->rows.n_differing == 0 && n_others <= fabs(left - right);
    return n_others + (double)t->rows.n_differing <=
           (1 - r->match) * (left > right ? left : right);
}

const char *
accept_table(const struct accept *a, const struct proof_table *t)
{
    const struct rule *r =
        find(a, (const char *const[NAMES]){t->schema, t->name, NULL});

    if (!r)
        return NULL;
    if (t->verdict == PROOF_MISSING)
        return r->missing || (r->extra && !t->is_there[PROOF_LEFT]) ? r->text
                                                                    : NULL;
    return counts_fit(r, t) && rows_fit(r, t) ? r->text : NULL;
}

const char *
accept_sum(const struct accept *a, const char *schema, const char *table,
           const char *column, double left, double right)
{
    const struct rule *r =
        find(a, (const char *const[NAMES]){schema, table, column});

    double most = fabs(left - right);

    if (!r || r->sum < 0)
        return NULL;
    left = fabs(left), right = fabs(right);
    return most <= r->sum * (left > right ? left : right) ? r->text : NULL;
}
