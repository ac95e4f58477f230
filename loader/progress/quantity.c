/* SPDX-License-Identifier: PostgreSQL */
#include "loader/progress/quantity.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>

enum { DIGITS_SIZE = sizeof "18446744073709551615" };

struct unit {
    const char *name;
    uint64_t size; /* at most 2^50, see digits() */
};

/* Smallest first. */
static const struct unit byte_units[] = {
    {"bytes", 1},     {"kB", 1u << 10},     {"MB", 1u << 20},
    {"GB", 1u << 30}, {"TB", (1ull) << 40}, {"PB", (1ull) << 50},
};

static const struct unit row_units[] = {
    {"rows", 1},
    {"k rows", 1000},
    {"M rows", 1000000},
    {"G rows", 1000000000},
    {"T rows", 1000000000000},
};

#define N_UNITS(units) (sizeof(units) / sizeof *(units))

/* The largest unit of which n has one. */
static const struct unit *
choose(const struct unit *units, size_t n_units, uint64_t n)
{
    const struct unit *u = &units[n_units - 1];

    while (u > units && n < u->size)
        u--;
    return u;
}

/* n in units u, with three digits where that takes a fraction. */
static int
digits(char to[DIGITS_SIZE], uint64_t n, const struct unit *u)
{
    uint64_t whole = n / u->size, rest = n % u->size;

    if (u->size == 1 || whole >= 100)
        return snprintf(to, DIGITS_SIZE, "%" PRIu64, whole);
    if (whole >= 10)
        return snprintf(to, DIGITS_SIZE, "%" PRIu64 ".%" PRIu64, whole,
                        rest * 10 / u->size);
    return snprintf(to, DIGITS_SIZE, "%" PRIu64 ".%02" PRIu64, whole,
                    rest * 100 / u->size);
}

static char *
with_unit(char *to, uint64_t n, const struct unit *u, const char *suffix)
{
    int len = digits(to, n, u);

    snprintf(to + len, QUANTITY_SIZE - (size_t)len, " %s%s", u->name, suffix);
    return to;
}

char *
quantity_bytes(char to[QUANTITY_SIZE], uint64_t n)
{
    return with_unit(to, n, choose(byte_units, N_UNITS(byte_units), n), "");
}

char *
quantity_part(char to[QUANTITY_SIZE], uint64_t part, uint64_t whole)
{
    const struct unit *u = choose(byte_units, N_UNITS(byte_units), whole);
    char a[DIGITS_SIZE], b[DIGITS_SIZE];

    digits(a, part, u);
    digits(b, whole, u);
    snprintf(to, QUANTITY_SIZE, "%s of %s %s", a, b, u->name);
    return to;
}

char *
quantity_rate(char to[QUANTITY_SIZE], uint64_t bytes_per_s)
{
    return with_unit(to, bytes_per_s,
                     choose(byte_units, N_UNITS(byte_units), bytes_per_s),
                     "/s");
}

char *
quantity_rows(char to[QUANTITY_SIZE], uint64_t n)
{
    if (n == 1) {
        snprintf(to, QUANTITY_SIZE, "1 row");
        return to;
    }
    return with_unit(to, n, choose(row_units, N_UNITS(row_units), n), "");
}

char *
quantity_duration(char to[QUANTITY_SIZE], uint64_t ms)
{
    uint64_t s = ms / 1000;

    snprintf(to, QUANTITY_SIZE, "%02" PRIu64 ":%02u:%02u", s / 3600,
             (unsigned)(s / 60 % 60), (unsigned)(s % 60));
    return to;
}
