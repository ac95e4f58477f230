/* SPDX-License-Identifier: PostgreSQL */
#include "loader/progress/progress_text.h"

#include <stdio.h>
#include <string.h>

#include "io/printable.h"
#include "loader/progress/quantity.h"

/* "63 %"; empty when the whole is not known.  An estimate can be too low: what
   is beyond it is still no more than all. */
static void
percent(char to[QUANTITY_SIZE], uint64_t part, uint64_t whole)
{
    *to = '\0';
    if (whole > 0)
        snprintf(to, QUANTITY_SIZE, "%u %%",
                 part < whole ? (unsigned)((double)part * 100 / (double)whole)
                              : 100);
}

/* "1.24 of 1.97 GB", or "1.24 GB" when the whole is not known. */
static void
amount(char to[QUANTITY_SIZE], uint64_t part, uint64_t whole)
{
    if (whole > 0)
        quantity_part(to, part, whole);
    else
        quantity_bytes(to, part);
}

/* A sum's parts as text, in the order of the columns; "" is not known. */
enum { N_PARTS = 5 };

static void
take_apart(char parts[N_PARTS][QUANTITY_SIZE], const struct progress_sum *s)
{
    percent(parts[0], s->done, s->total);
    amount(parts[1], s->total ? s->done : s->n_bytes, s->total);
    quantity_rate(parts[2], s->bytes_per_s);
    quantity_rows(parts[3], s->n_rows);
    parts[4][0] = '\0';
    if (s->left_ms != PROGRESS_NO_END)
        strcat(quantity_duration(parts[4], s->left_ms), " left");
}

void
progress_text_sum(char to[PROGRESS_TEXT_SIZE], const struct progress_sum *s)
{
    char parts[N_PARTS][QUANTITY_SIZE];

    take_apart(parts, s);
    snprintf(to, PROGRESS_TEXT_SIZE, "%-8s  %5s  %16s  %10s  %11s  %s", s->name,
             parts[0], parts[1], parts[2], parts[3], parts[4]);
}

void
progress_text_plain(char to[PROGRESS_TEXT_SIZE], const struct progress_sum *s)
{
    char parts[N_PARTS][QUANTITY_SIZE];
    const char *comma = ": ";
    int len;

    take_apart(parts, s);
    len = snprintf(to, PROGRESS_TEXT_SIZE, "%s", s->name);
    for (unsigned i = 0; i < N_PARTS && len < PROGRESS_TEXT_SIZE; i++) {
        if (!parts[i][0])
            continue;
        len += snprintf(to + len, (size_t)(PROGRESS_TEXT_SIZE - len), "%s%s",
                        comma, parts[i]);
        comma = ", ";
    }
}

/* Fit to be shown in one line. */
static void
show_label(char *to, size_t size, const char *label)
{
    printable(to, size, label);
    for (; *to; to++) {
        if (*to == '\n' || *to == '\t')
            *to = ' ';
    }
}

void
progress_text_task(char to[PROGRESS_TEXT_SIZE], const struct progress_task *t)
{
    char share[QUANTITY_SIZE], size[QUANTITY_SIZE];
    int len;

    if (!t->label) {
        snprintf(to, PROGRESS_TEXT_SIZE, "%8u", t->number);
        return;
    }
    percent(share, t->n_bytes, t->expected);
    amount(size, t->n_bytes, t->expected);
    len = snprintf(to, PROGRESS_TEXT_SIZE, "%8u  %5s  %16s  ", t->number, share,
                   size);
    show_label(to + len, (size_t)(PROGRESS_TEXT_SIZE - len), t->label);
}

void
progress_text_caption(char to[PROGRESS_TEXT_SIZE], const char *text)
{
    int len = snprintf(to, PROGRESS_TEXT_SIZE, "%-8s  ", "");

    show_label(to + len, (size_t)(PROGRESS_TEXT_SIZE - len), text);
}
