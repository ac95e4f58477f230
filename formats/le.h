/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/* Numbers in files: little-endian on every machine, at any address. */

#include <endian.h>
#include <stdint.h>
#include <string.h>

static inline void
le32_put(unsigned char *to, uint32_t n)
{
    n = htole32(n);
    memcpy(to, &n, sizeof n);
}

static inline void
le64_put(unsigned char *to, uint64_t n)
{
    n = htole64(n);
    memcpy(to, &n, sizeof n);
}

static inline uint32_t
le32_get(const unsigned char *from)
{
    uint32_t n;

    memcpy(&n, from, sizeof n);
    return le32toh(n);
}

static inline uint64_t
le64_get(const unsigned char *from)
{
    uint64_t n;

    memcpy(&n, from, sizeof n);
    return le64toh(n);
}
