/* SPDX-License-Identifier: PostgreSQL */
#include "formats/age/age_piece.h"

#include <inttypes.h>
#include <stdio.h>

static const char cut[] = "It was cut.";

/* Is it right, but not in its place? */
static int
explain(struct age_aead *a, const struct age_sealed *s, unsigned char *to,
        struct err *err)
{
    struct age_piece other = {s->piece.number, !s->piece.last};
    char why[80];

    if (age_aead_open(a, &other, to, s->from, s->len) == 0)
        return age_damaged(
            s->name, s->piece.last ? cut : "Something follows its end.", err);
    snprintf(why, sizeof why, "Its piece %" PRIu64 " is damaged%s.",
             s->piece.number, s->piece.last ? ", or was cut" : "");
    return age_damaged(s->name, why, err);
}

int
age_piece_open(struct age_aead *a, const struct age_sealed *s,
               unsigned char *to, struct err *err)
{
    if (s->len < AGE_TAG)
        return age_damaged(s->name, cut, err);
    /* An empty file has one empty piece, and no other file has any. */
    if (s->len == AGE_TAG && s->piece.number > 0)
        return age_damaged(s->name, cut, err);
    if (age_aead_open(a, &s->piece, to, s->from, s->len) == 0)
        return 0;
    return explain(a, s, to, err);
}
