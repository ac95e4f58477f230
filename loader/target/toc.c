/* SPDX-License-Identifier: PostgreSQL */
#include "loader/target/toc.h"

#include <stdlib.h>
#include <string.h>

enum {
    CLASS_PG_CLASS = 1259,
    CLASS_PG_CONSTRAINT = 2606,
    CLASS_PG_PUBLICATION = 6104,
};

/* ---- the list ---- */

static int
begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

/* What follows the numbers begins with the type: names cannot reach it. */
static void
classify(struct toc_item *item, unsigned long class, const char *type)
{
    if (class == CLASS_PG_CLASS && begins(type, "TABLE "))
        item->kind = TOC_TABLE;
    else if (class == CLASS_PG_CLASS && begins(type, "INDEX "))
        item->kind = TOC_INDEX;
    else if (class == CLASS_PG_CONSTRAINT && begins(type, "CONSTRAINT "))
        item->kind = TOC_KEY;
    else if (begins(type, "PUBLICATION TABLE"))
        item->kind = TOC_MEMBER;
    else if (class == CLASS_PG_PUBLICATION)
        item->kind = TOC_PUBLICATION;

    if (begins(type, "ACL ") || begins(type, "DEFAULT ACL "))
        item->pass = TOC_PASS_ACL;
    else if (begins(type, "MATERIALIZED VIEW DATA "))
        item->pass = TOC_PASS_LATE;
    else if (begins(type, "EVENT TRIGGER ") ||
             begins(type, "COMMENT - EVENT TRIGGER ") ||
             begins(type, "SECURITY LABEL - EVENT TRIGGER "))
        item->pass = TOC_PASS_EVENT_TRIGGERS;
}

/* 0, or -1 when the line is no entry. */
static int
parse_item(struct toc_item *item, const char *line)
{
    unsigned long class;
    char *end;

    item->id = strtoll(line, &end, 10);
    if (end == line || !begins(end, "; "))
        return -1;
    class = strtoul(end + 2, &end, 10);
    if (*end != ' ')
        return -1;
    item->oid = (uint32_t)strtoul(end + 1, &end, 10);
    if (*end != ' ')
        return -1;
    item->class_oid = (uint32_t) class;
    classify(item, class, end + 1);
    return 0;
}

static int
by_id(const void *a, const void *b)
{
    const struct toc_item *x = a, *y = b;

    return x->id < y->id ? -1 : x->id > y->id;
}

int
toc_parse(struct toc *ret, const char *list, size_t len, struct err *err)
{
    const char *at = list, *end = list + len, *newline;
    struct toc t = {0};
    size_t n_room = 0;

    for (; at < end; at = newline + 1) {
        struct toc_item item = {0}, *grown;

        newline = memchr(at, '\n', (size_t)(end - at));
        if (!newline)
            newline = end;
        if (*at == ';' || newline == at)
            continue;
        if (parse_item(&item, at)) {
            toc_free(&t);
            err_set(err, ERR_CORRUPT,
                    "could not understand the list of pg_restore");
            return err_detail(err, "Line: %.*s", (int)(newline - at), at);
        }
        if (t.n_items == n_room) {
            n_room = n_room ? 2 * n_room : 256;
            grown = reallocarray(t.items, n_room, sizeof *grown);
            if (!grown) {
                toc_free(&t);
                return err_nomem(err);
            }
            t.items = grown;
        }
        item.line = (unsigned)t.n_items;
        t.items[t.n_items++] = item;
    }
    if (t.n_items > 0)
        qsort(t.items, t.n_items, sizeof *t.items, by_id);
    *ret = t;
    return 0;
}

int
toc_dumped_by(const char *list)
{
    static const char head[] = ";     Dumped by pg_dump version: ";
    const char *at = strstr(list, head);

    return at ? atoi(at + strlen(head)) : 0;
}

void
toc_free(struct toc *t)
{
    free(t->items);
    *t = (struct toc){0};
}

struct toc_item *
toc_find(const struct toc *t, int64_t id)
{
    const struct toc_item key = {.id = id};

    if (t->n_items == 0)
        return NULL;
    return bsearch(&key, t->items, t->n_items, sizeof *t->items, by_id);
}

/* ---- the SQL ---- */

#define HEAD "--\n-- TOC entry "
#define TAIL "--\n-- PostgreSQL database dump complete\n--\n"

/* The next place, from at on, where a line begins and the text is this. */
static const char *
find_line(const char *at, const char *end, const char *text)
{
    size_t len = strlen(text);

    for (; at < end; at++) {
        at = memmem(at, (size_t)(end - at), text, len);
        if (!at)
            return NULL;
        if (at[-1] == '\n')
            return at;
    }
    return NULL;
}

static struct toc_text
line_at(const char *at, const char *end)
{
    const char *newline = memchr(at, '\n', (size_t)(end - at));

    return (struct toc_text){at, (size_t)((newline ? newline : end) - at)};
}

static int
line_begins(struct toc_text line, const char *with)
{
    size_t len = strlen(with);

    return line.len >= len && memcmp(line.at, with, len) == 0;
}

/* "Name: p p_pkey; Type: CONSTRAINT; Schema: public; Owner: o": for people,
   who are not harmed when a name contains such words itself. */
static struct toc_text
member(struct toc_text line, const char *from, const char *to)
{
    const char *end = line.at + line.len, *a, *b;

    a = memmem(line.at, line.len, from, strlen(from));
    if (!a)
        return (struct toc_text){"", 0};
    a += strlen(from);
    b = memmem(a, (size_t)(end - a), to, strlen(to));
    return (struct toc_text){a, (size_t)((b ? b : end) - a)};
}

/* Nothing stands behind the text's end that would stop strtoll().  What is
   larger than any dump id is none of the list's. */
static int64_t
number_at(const char *at, const char *end)
{
    int64_t n = 0;

    for (; at < end && *at >= '0' && *at <= '9' && n <= INT32_MAX; at++)
        n = n * 10 + (*at - '0');
    return n;
}

/* The comment over an entry; answers where its SQL begins. */
static const char *
read_comment(const char *at, const char *end, struct toc_entry *e)
{
    struct toc_text line;

    e->id = number_at(at + strlen(HEAD), end);
    for (at += strlen("--\n"); at < end; at = line.at + line.len + 1) {
        line = line_at(at, end);
        if (line_begins(line, "-- Dependencies: ")) {
            e->dependencies.at = line.at + strlen("-- Dependencies: ");
            e->dependencies.len = line.len - strlen("-- Dependencies: ");
        } else if (line_begins(line, "-- Name: ") ||
                   line_begins(line, "-- Statistics for Name: ")) {
            e->name = member(line, "Name: ", "; Type: ");
            e->type = member(line, "; Type: ", "; Schema: ");
            e->schema = member(line, "; Schema: ", "; Owner: ");
        } else if (!line_begins(line, "-- ")) {
            return line.at + line.len; /* "--", the comment's last line */
        }
    }
    return end;
}

/* The last line of [at, end) that is not empty. */
static struct toc_text
last_line(const char *at, const char *end)
{
    const char *begin;

    while (end > at && end[-1] == '\n')
        end--;
    begin = end > at ? memrchr(at, '\n', (size_t)(end - at)) : NULL;
    begin = begin ? begin + 1 : at;
    return (struct toc_text){begin, (size_t)(end - begin)};
}

static int
is_word(const char *at, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (!(at[i] >= 'a' && at[i] <= 'z') && at[i] != '_' &&
            (i == 0 || at[i] < '0' || at[i] > '9'))
            return 0;
    return len > 0;
}

/* "name", where a quote within is doubled. */
static int
is_quoted(const char *at, size_t len)
{
    if (len < 3 || at[0] != '"' || at[len - 1] != '"')
        return 0;
    for (size_t i = 1; i < len - 1; i++)
        if (at[i] == '"' && (++i == len - 1 || at[i] != '"'))
            return 0;
    return 1;
}

/*
 * "SET what = name;" as pg_restore writes it, to the letter.  The last line of
 * a text of the source (of a comment, a function) may begin like that too, but
 * then what ends the text, a quote or a dollar, stands before the semicolon.
 */
static int
is_setting(struct toc_text line, const char *begin)
{
    size_t skip = strlen(begin);
    const char *value = line.at + skip;
    size_t len;

    if (!line_begins(line, begin) || line.at[line.len - 1] != ';')
        return 0;
    len = line.len - skip - 1;
    return (len == 2 && memcmp(value, "''", 2) == 0) || is_word(value, len) ||
           is_quoted(value, len);
}

/*
 * pg_restore says once what holds from here on, before the comment of the
 * entry that needs it: take such lines off the end of what lies before.
 */
static const char *
take_settings(struct toc_scan *s, const char *at, const char *end)
{
    struct toc_text line;

    for (;; end = line.at) {
        line = last_line(at, end);
        if (is_setting(line, "SET default_tablespace = "))
            s->tablespace = line;
        else if (is_setting(line, "SET default_table_access_method = "))
            s->access_method = line;
        else
            return end;
    }
}

void
toc_scan_begin(struct toc_scan *s, const char *sql, size_t len)
{
    const char *end = sql + len, *tail = NULL;

    *s = (struct toc_scan){.at = end, .end = end};
    if (len == 0)
        return;
    /* Only the last one is pg_restore's own. */
    for (const char *at = sql + 1; (at = find_line(at, end, TAIL)); at++)
        tail = at;
    if (tail)
        s->end = tail;
    s->at = find_line(sql + 1, s->end, HEAD);
    if (!s->at)
        s->at = s->end;
    take_settings(s, sql, s->at);
}

int
toc_scan_next(struct toc_scan *s, struct toc_entry *ret)
{
    struct toc_entry e = {
        .tablespace = s->tablespace,
        .access_method = s->access_method,
    };
    const char *next;

    if (s->at >= s->end)
        return 0;
    e.sql.at = read_comment(s->at, s->end, &e);
    next = find_line(e.sql.at, s->end, HEAD);
    if (!next)
        next = s->end;
    e.sql.len = (size_t)(take_settings(s, e.sql.at, next) - e.sql.at);
    s->at = next;
    *ret = e;
    return 1;
}
