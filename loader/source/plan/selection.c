/* SPDX-License-Identifier: PostgreSQL */
#include "loader/source/plan/selection.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loader/source/plan/selection_private.h"

static const char *const options[] = {
    [SELECTION_SCHEMA] = "--schema",
    [SELECTION_EXCLUDE_SCHEMA] = "--exclude-schema",
    [SELECTION_TABLE] = "--table",
    [SELECTION_EXCLUDE_TABLE] = "--exclude-table",
    [SELECTION_WHERE] = "--where",
};

const char *
selection_option_of(const struct rule *rule)
{
    return options[rule->kind];
}

int
selection_new(struct selection **ret, struct err *err)
{
    *ret = calloc(1, sizeof **ret);
    return *ret ? 0 : err_nomem(err);
}

static void
free_rules(struct rule *rules, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        free(rules[i].text);
        pattern_clear(&rules[i].pattern);
    }
    free(rules);
}

struct selection *
selection_free(struct selection *s)
{
    if (!s)
        return NULL;
    free_rules(s->rules, s->n_rules);
    free_rules(s->wheres, s->n_wheres);
    free(s->sql);
    free(s->where_sql);
    free(s);
    return NULL;
}

int
selection_is_about_schemas(enum selection_kind kind)
{
    return kind == SELECTION_SCHEMA || kind == SELECTION_EXCLUDE_SCHEMA;
}

/* A rule more, which counts when it is complete. */
static int
begin_rule(struct rule **rules, unsigned n, enum selection_kind kind,
           struct rule **ret, struct err *err)
{
    struct rule *more = reallocarray(*rules, n + 1, sizeof *more);

    if (!more)
        return err_nomem(err);
    *rules = more;
    more[n] = (struct rule){.kind = kind};
    *ret = &more[n];
    return 0;
}

static int
parse_pattern(struct rule *rule, const char *pattern, struct err *err)
{
    if (pattern_parse(&rule->pattern, pattern,
                      selection_is_about_schemas(rule->kind), err) == 0)
        return 0;
    return err_hint(err, "It was given with %s.", options[rule->kind]);
}

/* The colon behind a pattern: none in quotes, nor in "[[:digit:]]". */
static const char *
find_colon(const char *text)
{
    int quoted = 0, depth = 0;

    for (; *text; text++) {
        if (*text == '"')
            quoted = !quoted;
        else if (!quoted && *text == '[')
            depth++;
        else if (!quoted && *text == ']' && depth > 0)
            depth--;
        else if (!quoted && depth == 0 && *text == ':')
            return text;
    }
    return NULL;
}

static int
refuse_where(const char *text, struct err *err)
{
    err_set(err, ERR_USAGE, "\"%s\" is not a table and a condition", text);
    return err_hint(err, "Write --where 'TABLE: CONDITION', as in --where "
                         "'shop.orders: year >= 2024'.");
}

static int
parse_where(struct rule *rule, struct err *err)
{
    const char *colon = find_colon(rule->text);
    cleanup_(freep) char *pattern = NULL;
    const char *end = colon;

    if (!colon || !colon[1 + strspn(colon + 1, " \t\r\n")])
        return refuse_where(rule->text, err);
    while (end > rule->text && strchr(" \t", end[-1]))
        end--;
    pattern = strndup(rule->text, (size_t)(end - rule->text));
    if (!pattern)
        return err_nomem(err);
    rule->condition = colon + 1 + strspn(colon + 1, " \t\r\n");
    return parse_pattern(rule, pattern, err);
}

static int
add_where(struct selection *s, const char *text, struct err *err)
{
    struct rule *new = NULL;

    if (begin_rule(&s->wheres, s->n_wheres, SELECTION_WHERE, &new, err))
        return -1;
    s->n_wheres++;
    new->text = strdup(text);
    return new->text ? parse_where(new, err) : err_nomem(err);
}

int
selection_add(struct selection *s, enum selection_kind kind,
              const char *pattern, struct err *err)
{
    struct rule *new = NULL;

    if (kind == SELECTION_WHERE)
        return add_where(s, pattern, err);
    if (begin_rule(&s->rules, s->n_rules, kind, &new, err) ||
        parse_pattern(new, pattern, err))
        return -1;
    s->n_rules++;
    s->n_of[kind]++;
    new->text = strdup(pattern);
    return new->text ? 0 : err_nomem(err);
}

int
selection_is_all(const struct selection *s)
{
    return !s || s->n_rules == 0;
}

const char *
selection_option(const struct selection *s, unsigned i)
{
    return s && i < s->n_rules ? options[s->rules[i].kind] : NULL;
}

const char *
selection_pattern(const struct selection *s, unsigned i)
{
    return s && i < s->n_rules ? s->rules[i].text : NULL;
}

/* ---- as one text ---- */

static int
by_kind_and_text(const void *a, const void *b)
{
    const struct rule *const *x = a, *const *y = b;

    if ((*x)->kind != (*y)->kind)
        return (*x)->kind < (*y)->kind ? -1 : 1;
    return strcmp((*x)->text, (*y)->text);
}

/* A line each; a line feed within would look like two. */
static void
print_rule(FILE *f, const struct rule *rule)
{
    fprintf(f, "%s=", options[rule->kind]);
    for (const char *c = rule->text; *c; c++)
        if (*c == '\n')
            fputs("\\n", f);
        else if (*c == '\\')
            fputs("\\\\", f);
        else
            fputc(*c, f);
    fputc('\n', f);
}

static unsigned
list_rules(const struct rule **to, const struct rule *rules, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        to[i] = &rules[i];
    return n;
}

char *
selection_text(const struct selection *s)
{
    cleanup_(freep) const struct rule **sorted = NULL;
    unsigned n = 0;
    char *text = NULL;
    size_t len;
    FILE *f;

    sorted = calloc(s ? s->n_rules + s->n_wheres + 1 : 1, sizeof *sorted);
    f = sorted ? open_memstream(&text, &len) : NULL;
    if (!f)
        return NULL;
    if (s) {
        n = list_rules(sorted, s->rules, s->n_rules);
        n += list_rules(sorted + n, s->wheres, s->n_wheres);
    }
    qsort(sorted, n, sizeof *sorted, by_kind_and_text);
    for (unsigned i = 0; i < n; i++)
        if (i == 0 || by_kind_and_text(&sorted[i - 1], &sorted[i]) != 0)
            print_rule(f, sorted[i]);
    if (fclose(f) == 0)
        return text;
    free(text);
    return NULL;
}

/* In place: what print_rule() has written. */
static void
unescape_line(char *text)
{
    char *to = text;

    for (const char *c = text; *c; c++) {
        if (*c == '\\' && c[1])
            *to++ = *++c == 'n' ? '\n' : *c;
        else
            *to++ = *c;
    }
    *to = '\0';
}

static int
add_line(struct selection *s, char *line, struct err *err)
{
    char *pattern = strchr(line, '=');

    if (pattern)
        *pattern++ = '\0';
    for (unsigned i = 0; pattern && i < sizeof options / sizeof *options; i++) {
        if (strcmp(line, options[i]) != 0)
            continue;
        unescape_line(pattern);
        return selection_add(s, (enum selection_kind)i, pattern, err);
    }
    return err_set(err, ERR_CORRUPT, "the run's selection cannot be read");
}

int
selection_of_text(struct selection **ret, const char *text, struct err *err)
{
    cleanup_(selection_freep) struct selection *s = NULL;
    cleanup_(freep) char *copy = strdup(text ? text : "");
    int r = copy ? selection_new(&s, err) : err_nomem(err);

    for (char *rest = copy, *line; !r && (line = strsep(&rest, "\n"));)
        if (*line)
            r = add_line(s, line, err);
    if (!r)
        *ret = take(s);
    return r;
}
