/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Merkle tree hash (RFC 6962, section 2.1) with SHA-256, of leaves that come
 * one by one: one number that stands for all of them and their order.
 *
 *     leaf  SHA-256(0x00, bytes)      node  SHA-256(0x01, left, right)
 *
 * The left part of n leaves is the largest power of two below n.
 */

#include <stddef.h>
#include <stdint.h>

struct merkle { /* begins as zero */
    uint64_t n;
    unsigned char whole[64][32]; /* of the bits set in n, the largest first */
};

void merkle_add(struct merkle *m, const void *leaf, size_t len);

/* Of none: the SHA-256 of nothing. */
void merkle_root(const struct merkle *m, unsigned char ret[32]);
