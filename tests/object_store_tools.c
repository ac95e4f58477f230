/* SPDX-License-Identifier: PostgreSQL */

/* What tests of all object stores use. */

#include <criterion/criterion.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/object_store.h"

struct object_config *
object_store_config(const char *endpoint)
{
    struct object_config *c;
    struct err err;

    cr_assert_eq(object_config_new(&c, &err), 0, "%s", err.message);
    free(c->endpoint);
    c->endpoint = strdup(endpoint);
    c->pause_ms = 10;
    c->n_tries = 6;
    c->stall_s = 1;
    return c;
}

unsigned char *
object_store_bytes(size_t len)
{
    unsigned char *bytes = malloc(len + 8);
    uint64_t x = 88172645463325252;

    for (size_t i = 0; i < len; i += 8) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        memcpy(bytes + i, &x, 8);
    }
    return bytes;
}

const char *
object_store_run(const char *fmt, ...)
{
    static char output[1 << 16];
    char command[8192];
    va_list ap;
    FILE *f;

    va_start(ap, fmt);
    vsnprintf(command, sizeof command, fmt, ap);
    va_end(ap);
    f = popen(command, "r");
    cr_assert(f);
    output[fread(output, 1, sizeof output - 1, f)] = '\0';
    pclose(f);
    return output;
}
