/* SPDX-License-Identifier: PostgreSQL */
#include <string.h>

#include "formats/age/age_header.h"
#include "formats/age/base64.h"

enum { BODY_LINE = 64 };

struct parse {
    const char *at, *end;
    const char *flaw;
};

static int
wrong(struct parse *p, const char *flaw)
{
    p->flaw = flaw;
    return -1;
}

static int
next_line(struct parse *p, struct age_word *ret)
{
    const char *lf = memchr(p->at, '\n', (size_t)(p->end - p->at));

    if (!lf)
        return AGE_HEADER_E_MORE;
    *ret = (struct age_word){p->at, (size_t)(lf - p->at)};
    p->at = lf + 1;
    return 0;
}

static int
begins(const struct age_word *line, const char *with)
{
    size_t n = strlen(with);

    return line->len >= n && memcmp(line->text, with, n) == 0;
}

/* Words of visible characters, one space between two. */
static int
split_words(struct parse *p, struct age_word line, struct age_stanza *s)
{
    const char *space;
    struct age_word word;

    for (size_t i = 0; i < line.len; i++)
        if (line.text[i] < ' ' || line.text[i] > '~')
            return wrong(p, "A stanza of its header has strange characters.");
    do {
        space = memchr(line.text, ' ', line.len);
        word = (struct age_word){line.text, space ? (size_t)(space - line.text)
                                                  : line.len};
        if (word.len == 0)
            return wrong(p, "A stanza of its header has an empty word.");
        if (s->n_words < AGE_WORDS_MAX)
            s->words[s->n_words] = word;
        s->n_words++;
        line.text += word.len + 1;
        line.len -= word.len + (space != NULL);
    } while (space);
    return 0;
}

/* Its last line is shorter than the others, and may be empty. */
static int
parse_body(struct parse *p, struct age_stanza *s)
{
    struct age_word line;
    int r;

    do {
        r = next_line(p, &line);
        if (r)
            return r;
        if (line.len > BODY_LINE || !base64_is(line.text, line.len))
            return wrong(p, "A stanza of its header is not base64.");
        if (s->n_lines++ == 0)
            s->body = line;
    } while (line.len == BODY_LINE);
    return 0;
}

static int
parse_stanza(struct parse *p, struct age_word line, struct age_header *h)
{
    struct age_stanza *s = &h->stanzas[h->n_stanzas];
    int r;

    if (h->n_stanzas == AGE_STANZAS_MAX)
        return wrong(p, "Its header has too many stanzas.");
    if (!begins(&line, "-> "))
        return wrong(p, "Its header has a line that belongs to nothing.");
    *s = (struct age_stanza){0};
    line.text += 3;
    line.len -= 3;
    r = split_words(p, line, s);
    if (!r)
        r = parse_body(p, s);
    if (!r)
        h->n_stanzas++;
    return r;
}

static int
parse_end(struct parse *p, const struct age_word *line, struct age_header *h)
{
    if (h->n_stanzas == 0)
        return wrong(p, "Its header is for nobody.");
    if (base64_decode(h->mac, sizeof h->mac, line->text + 4, line->len - 4))
        return wrong(p, "Its header does not end as one does.");
    h->n_signed = (size_t)(line->text + 3 - h->text);
    h->len = (size_t)(p->at - h->text);
    return 0;
}

/* As much of the first line as there is. */
static int
check_magic(struct parse *p)
{
    static const char magic[] = AGE_MAGIC;
    static const char armor[] = "-----BEGIN AGE ENCRYPTED FILE-----";
    size_t len = (size_t)(p->end - p->at);

    if (len >= sizeof armor - 1 && memcmp(p->at, armor, sizeof armor - 1) == 0)
        return wrong(p, "It is armored: \"age -d\" reads it.");
    if (memcmp(p->at, magic, len < sizeof magic - 1 ? len : sizeof magic - 1) !=
            0 &&
        memcmp(p->at, armor, len < sizeof armor - 1 ? len : sizeof armor - 1) !=
            0)
        return wrong(p, "It does not begin as a file of age does.");
    if (len < sizeof magic - 1 || *p->at == '-')
        return AGE_HEADER_E_MORE;
    p->at += sizeof magic - 1;
    return 0;
}

static int
parse(struct parse *p, struct age_header *h)
{
    struct age_word line;
    int r = check_magic(p);

    while (!r) {
        r = next_line(p, &line);
        if (!r && begins(&line, "--- "))
            return parse_end(p, &line, h);
        if (!r)
            r = parse_stanza(p, line, h);
    }
    return r;
}

int
age_header_parse(struct age_header *ret, const char *text, size_t len,
                 const char **flaw)
{
    size_t looked_at = len < AGE_HEADER_MAX ? len : AGE_HEADER_MAX;
    struct parse p = {.at = text, .end = text + looked_at};
    int r;

    ret->text = text;
    ret->n_stanzas = 0;
    r = parse(&p, ret);
    if (r == AGE_HEADER_E_MORE && looked_at == AGE_HEADER_MAX)
        r = wrong(&p, "Its header is too long.");
    *flaw = p.flaw;
    return r;
}
