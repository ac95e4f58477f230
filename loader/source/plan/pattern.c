/* SPDX-License-Identifier: PostgreSQL */
#include "loader/source/plan/pattern.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A part while it is being read, both ways. */
struct reading {
    const char *at;
    char *regex, *exact;
    size_t regex_len, exact_len;
    int is_exact, is_any;
};

/* Room for the worst case: every byte with a backslash, and "^(" and ")$". */
static int
begin(struct reading *r, const char *at, struct err *err)
{
    size_t room = 2 * strlen(at) + sizeof "^()$";

    *r = (struct reading){.at = at, .is_exact = 1, .is_any = 1};
    r->regex = malloc(room);
    r->exact = malloc(room);
    if (!r->regex || !r->exact)
        return err_nomem(err);
    r->regex_len = (size_t)sprintf(r->regex, "^(");
    return 0;
}

static void
put(struct reading *r, const char *regex, char exact)
{
    r->regex_len += (size_t)sprintf(r->regex + r->regex_len, "%s", regex);
    r->exact[r->exact_len++] = exact;
}

/* A byte that stands for itself. */
static void
put_literal(struct reading *r, char c)
{
    char escaped[] = {'\\', c, '\0'};

    put(r, strchr("|*+?()[]{}.^$\\", c) ? escaped : escaped + 1, c);
    r->is_any = 0;
}

/* One outside of quotes. */
static void
put_plain(struct reading *r, char c)
{
    char same[] = {c, '\0'};

    if (c >= 'A' && c <= 'Z') {
        put_literal(r, (char)(c - 'A' + 'a'));
    } else if (c == '$' || (c == '[' && r->at[1] == ']')) {
        put_literal(r, c);
    } else if (c == '*') {
        put(r, ".*", c);
        r->is_exact = 0;
    } else {
        put(r, c == '?' ? "." : same, c);
        r->is_any = 0;
        /* The closing one of [] is itself in a regular expression, too. */
        if (strchr("|+?()[{^\\", c))
            r->is_exact = 0;
    }
}

/* Up to the end, or to a dot outside of quotes; <0: a quote is left open. */
static int
read_part(struct reading *r)
{
    int in_quotes = 0;

    for (; *r->at; r->at++) {
        if (*r->at == '"' && in_quotes && r->at[1] == '"')
            put_literal(r, *r->at++);
        else if (*r->at == '"')
            in_quotes = !in_quotes;
        else if (in_quotes)
            put_literal(r, *r->at);
        else if (*r->at == '.')
            return 0;
        else
            put_plain(r, *r->at);
    }
    return in_quotes ? -1 : 0;
}

static void
end(struct reading *r, struct pattern_part *part)
{
    int is_nothing = r->exact_len == 0;

    strcpy(r->regex + r->regex_len, ")$");
    r->exact[r->exact_len] = '\0';
    *part = (struct pattern_part){.is_exact = r->is_exact};
    /* As psql has it, a part without a character is any: ".orders". */
    if (!r->is_any && !is_nothing) {
        part->text = r->is_exact ? r->exact : r->regex;
        free(r->is_exact ? r->regex : r->exact);
    } else {
        free(r->exact);
        free(r->regex);
    }
}

static int
fail(const char *text, struct err *err, const char *why)
{
    err_set(err, ERR_USAGE, "invalid pattern \"%s\"", text);
    return err_detail(err, "%s", why);
}

/* The next part; r.at is at the dot behind it, or at the end. */
static int
parse_part(struct pattern_part *ret, const char **at, const char *text,
           struct err *err)
{
    struct reading r;
    int left_open;

    if (begin(&r, *at, err)) {
        free(r.regex);
        free(r.exact);
        return -1;
    }
    left_open = read_part(&r) < 0;
    *at = r.at;
    end(&r, ret);
    return left_open ? fail(text, err, "A quote is left open.") : 0;
}

static int
parse(struct pattern *p, const char *text, int of_schema, struct err *err)
{
    const char *at = text;

    if (!*text)
        return fail(text, err, "It is empty.");
    if (parse_part(&p->name, &at, text, err))
        return -1;
    if (!*at)
        return 0;
    if (of_schema)
        return fail(text, err,
                    "The name of a schema has no dot; in quotes it "
                    "may have one.");
    p->schema = p->name;
    p->name = (struct pattern_part){0};
    p->has_schema = 1;
    at++;
    if (parse_part(&p->name, &at, text, err))
        return -1;
    return *at ? fail(text, err, "It has more than one dot outside of quotes.")
               : 0;
}

int
pattern_parse(struct pattern *ret, const char *text, int of_schema,
              struct err *err)
{
    struct pattern p = {0};
    int r = parse(&p, text, of_schema, err);

    if (r)
        pattern_clear(&p);
    else
        *ret = p;
    return r;
}

void
pattern_clear(struct pattern *p)
{
    free(p->schema.text);
    free(p->name.text);
    *p = (struct pattern){0};
}
