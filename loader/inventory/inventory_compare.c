/* SPDX-License-Identifier: PostgreSQL */
#include "loader/inventory/inventory_compare.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { LEFT, RIGHT, SIDES };

/* An object, or a part of one. */
struct object {
    char *kind, *name, *part;
};

struct walk {
    const struct inventory_comparison *c;
    struct side {
        struct inventory *inventory;
        struct inventory_line line;
        int is_over;
    } at[SIDES];
    struct object common; /* the last that both have */
    int same_major;
    int before_17; /* one of the two */
};

static void
object_clear(struct object *o)
{
    free(o->kind);
    free(o->name);
    free(o->part);
}

static int
object_set(struct object *o, const char *part,
           const struct inventory_line *line, struct err *err)
{
    object_clear(o);
    o->kind = strdup(line->kind);
    o->name = strdup(line->name);
    o->part = strdup(part);
    return o->kind && o->name && o->part ? 0 : err_nomem(err);
}

/* ---- words ---- */

static int
is_name_byte(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '$' || (c & 0x80);
}

/*
 * What of the text counts: not quotes, of white space none, and, unqualified,
 * no name before a dot (which may be the schema's or the table's).
 */
static char *
essence(const char *text, int unqualified)
{
    char *ret = malloc(strlen(text) + 1), *to = ret, *word = ret;

    if (!ret)
        return NULL;
    for (; *text; text++) {
        if (*text == '"' || isspace((unsigned char)*text)) {
            if (*text != '"')
                word = to;
        } else if (*text == '.' && unqualified && to > word &&
                   !isdigit((unsigned char)*word)) {
            to = word;
        } else {
            *to++ = *text;
            if (!is_name_byte(*text))
                word = to;
        }
    }
    *to = '\0';
    return ret;
}

/* 1: the same in the end; <0: no memory. */
static int
same_essence(const char *a, const char *b, int unqualified, struct err *err)
{
    cleanup_(freep) char *x = essence(a, unqualified);
    cleanup_(freep) char *y = essence(b, unqualified);

    return x && y ? strcmp(x, y) == 0 : err_nomem(err);
}

static int
begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

/* A list of privileges without MAINTAIN, in place. */
static char *
drop_maintain(char *list)
{
    char *rest = list, *to = list, *item;

    while ((item = rest)) {
        char *end = strstr(item, ", ");
        size_t n = end ? (size_t)(end - item) : strlen(item);

        rest = end ? end + 2 : NULL;
        if (begins(item, "MAINTAIN"))
            continue;
        if (to > list) {
            *to++ = ',';
            *to++ = ' ';
        }
        memmove(to, item, n);
        to += n;
    }
    *to = '\0';
    return list;
}

/* Does that line's text depend on how a query is written? */
static int
is_query(const struct inventory_line *line)
{
    return strcmp(line->property, "definition") == 0 &&
           (begins(line->part, "rule ") || strcmp(line->kind, "view") == 0 ||
            strcmp(line->kind, "materialized view") == 0 ||
            strcmp(line->kind, "function") == 0 ||
            strcmp(line->kind, "procedure") == 0);
}

static int
is_grant(const struct inventory_line *line)
{
    return begins(line->property, "granted to ") ||
           strcmp(line->property, "privileges") == 0;
}

/* ---- what is compared ---- */

static int
is_compared(const struct walk *w, const struct inventory_line *line)
{
    if (w->c->no_acl &&
        (is_grant(line) || strcmp(line->kind, "default privileges") == 0))
        return 0;
    if (w->c->no_owner && strcmp(line->property, "owner") == 0)
        return 0;
    if (w->same_major)
        return 1;
    return strcmp(line->property, "collates by") != 0 &&
           strcmp(line->property, "identity of the partition") != 0;
}

/* 1: they say the same; 0: they do not; <0: failed. */
static int
same_value(const struct walk *w, const struct inventory_line *l,
           const struct inventory_line *r, struct err *err)
{
    cleanup_(freep) char *left = NULL, *right = NULL;

    if (strcmp(l->value, r->value) == 0)
        return 1;
    if (w->same_major)
        return 0;
    if (!is_grant(l) || !w->before_17)
        return same_essence(l->value, r->value, is_query(l), err);
    left = strdup(l->value);
    right = strdup(r->value);
    if (!left || !right)
        return err_nomem(err);
    return strcmp(drop_maintain(left), drop_maintain(right)) == 0;
}

/* ---- the walk ---- */

static int
advance(struct side *s, struct err *err)
{
    int r = inventory_next(s->inventory, &s->line, err);

    s->is_over = r != 0;
    return r < 0 ? r : 0;
}

static void
tell(const struct walk *w, const struct inventory_line *line,
     const char *property, const char *left, const char *right)
{
    const struct inventory_difference d = {
        .kind = line->kind,
        .name = line->name,
        .part = line->part,
        .property = property,
        .left = left,
        .right = right,
    };

    w->c->tell(w->c->arg, &d);
}

/* Is that side at a line of it? */
static int
is_of(const struct object *o, const struct side *s, int whole)
{
    return !s->is_over && o->kind && strcmp(o->kind, s->line.kind) == 0 &&
           strcmp(o->name, s->line.name) == 0 &&
           (whole || (o->part && strcmp(o->part, s->line.part) == 0));
}

/* What one side alone has: an object, or a part of a common one. */
struct alone {
    struct object object;
    int is_compared;
    int is_invalid; /* an index */
};

/* Read past it, and see what it is. */
static int
read_past(const struct walk *w, struct side *s, struct alone *a, int whole,
          struct err *err)
{
    int r = object_set(&a->object, s->line.part, &s->line, err);

    while (!r && is_of(&a->object, s, whole)) {
        a->is_compared |= is_compared(w, &s->line);
        a->is_invalid |= begins(s->line.part, "index ") &&
                         strcmp(s->line.property, "index valid") == 0;
        r = advance(s, err);
    }
    return r;
}

static int
pass_alone(struct walk *w, int side, int whole, struct err *err)
{
    struct alone a = {0};
    int r = read_past(w, &w->at[side], &a, whole, err);

    if (!r && a.is_compared &&
        !(side == RIGHT && whole && w->c->left_is_part) &&
        !(side == LEFT && !whole && a.is_invalid))
        tell(w,
             &(struct inventory_line){.kind = a.object.kind,
                                      .name = a.object.name,
                                      .part = whole ? "" : a.object.part},
             NULL, side == LEFT ? "" : NULL, side == RIGHT ? "" : NULL);
    object_clear(&a.object);
    return r;
}

/* A property that one side alone has. */
static int
pass_property(struct walk *w, int side, struct err *err)
{
    const struct inventory_line *line = &w->at[side].line;
    int counts = is_compared(w, line);

    if (counts && is_grant(line) && w->before_17) {
        cleanup_(freep) char *list = strdup(line->value);

        if (!list)
            return err_nomem(err);
        counts = *drop_maintain(list) != '\0';
    }
    if (counts)
        tell(w, line, line->property, side == LEFT ? line->value : NULL,
             side == RIGHT ? line->value : NULL);
    return advance(&w->at[side], err);
}

static int
pass_both(struct walk *w, struct err *err)
{
    const struct inventory_line *l = &w->at[LEFT].line;
    const struct inventory_line *r = &w->at[RIGHT].line;
    int same = is_compared(w, l) ? same_value(w, l, r, err) : 1;

    if (same < 0)
        return same;
    if (!same)
        tell(w, l, l->property, l->value, r->value);
    same = advance(&w->at[LEFT], err);
    return same ? same : advance(&w->at[RIGHT], err);
}

/* ---- what both have ---- */

/* Both are at lines of one object, maybe of one part: so they have it, also
   when one of them is past it. */
static int
note_common(struct walk *w, struct err *err)
{
    const struct inventory_line *l = &w->at[LEFT].line;
    const struct inventory_line *r = &w->at[RIGHT].line;
    int same_part;

    if (w->at[LEFT].is_over || w->at[RIGHT].is_over ||
        strcmp(l->kind, r->kind) != 0 || strcmp(l->name, r->name) != 0)
        return 0;
    same_part = strcmp(l->part, r->part) == 0;
    if (is_of(&w->common, &w->at[LEFT], !same_part))
        return 0;
    /* Of an object that both have, both have the part "". */
    return object_set(&w->common, same_part ? l->part : "", l, err);
}

/* The first of the two lines decides. */
static int
step(struct walk *w, struct err *err)
{
    int order, side, failed = note_common(w, err);

    if (failed)
        return failed;
    order = w->at[LEFT].is_over ? 1
            : w->at[RIGHT].is_over
                ? -1
                : inventory_order(&w->at[LEFT].line, &w->at[RIGHT].line);
    if (order == 0)
        return pass_both(w, err);
    side = order < 0 ? LEFT : RIGHT;
    if (!is_of(&w->common, &w->at[side], 1))
        return pass_alone(w, side, 1, err);
    return is_of(&w->common, &w->at[side], 0) ? pass_property(w, side, err)
                                              : pass_alone(w, side, 0, err);
}

int
inventory_compare(const struct inventory_comparison *c, struct err *err)
{
    int left = inventory_version(c->left), right = inventory_version(c->right);
    struct walk w = {
        .c = c,
        .at = {{.inventory = c->left}, {.inventory = c->right}},
        .same_major = left / 10000 == right / 10000,
        .before_17 = left < 170000 || right < 170000,
    };
    int r;

    r = advance(&w.at[LEFT], err);
    if (!r)
        r = advance(&w.at[RIGHT], err);
    while (!r && !(w.at[LEFT].is_over && w.at[RIGHT].is_over))
        r = step(&w, err);
    object_clear(&w.common);
    return r;
}
