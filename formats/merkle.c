/* SPDX-License-Identifier: PostgreSQL */
#include "formats/merkle.h"

#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>

static void
join(unsigned char to[32], const unsigned char left[32],
     const unsigned char right[32])
{
    unsigned char node[65] = {1};

    memcpy(node + 1, left, 32);
    memcpy(node + 33, right, 32);
    SHA256(node, sizeof node, to);
}

void
merkle_add(struct merkle *m, const void *leaf, size_t len)
{
    unsigned depth = (unsigned)__builtin_popcountll(m->n);
    unsigned char bytes[1024] = {0};

    if (len >= sizeof bytes)
        abort(); /* lines of a manifest are shorter */
    memcpy(bytes + 1, leaf, len);
    SHA256(bytes, len + 1, m->whole[depth]);
    /* Two of a size become one. */
    for (uint64_t n = m->n; n & 1; n >>= 1, depth--)
        join(m->whole[depth - 1], m->whole[depth - 1], m->whole[depth]);
    m->n++;
}

void
merkle_root(const struct merkle *m, unsigned char ret[32])
{
    unsigned depth = (unsigned)__builtin_popcountll(m->n);

    if (depth == 0) {
        SHA256((const unsigned char *)"", 0, ret);
        return;
    }
    memcpy(ret, m->whole[--depth], 32);
    while (depth > 0)
        join(ret, m->whole[--depth], ret);
}
