/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/* Private to uploads: their parts in memory, and what an earlier try has
   sent. */

#include <openssl/evp.h>

#include "io/object/object_state.h"
#include "io/object/object_upload.h"

enum { SLOTS_MAX = 17 };

enum object_upload_state {
    OPEN,      /* entered by new */
    BROKEN,    /* entered when anything fails */
    COMMITTED, /* entered by commit, at its end */
};

/* A part in memory: being filled, or sent. */
struct slot {
    unsigned char *data;
    size_t len;
    unsigned n; /* its number */
    unsigned n_resent;
    char sha256[65];   /* in hex */
    char checksum[64]; /* in base64 */
    struct object_call *call;
};

struct object_upload {
    enum object_upload_state state;
    struct object_client *client; /* borrowed */
    char *key, *state_path;
    int replace;
    uint64_t part_len;

    struct slot slots[SLOTS_MAX];
    unsigned n_slots;
    struct slot *filling; /* NULL: none is free */
    EVP_MD_CTX *sha256;   /* of what is filled */
    size_t undriven;

    struct object_state known;   /* of = what, id: once it is in parts */
    struct object_parts earlier; /* what the store has of another try */
    int state_fd;
    unsigned n_parts, n_there, n_kept;
    uint64_t len;
};

/* What it is the upload of: another lock, another place is another one. */
int object_upload_describe(char **ret, const struct object_upload *u);

/* OBJECT_E_EXISTS: there is an object, and it is none of ours. */
int object_upload_look(struct object_upload *u, struct err *err);

/* Go on with an earlier upload in parts, or begin one. */
int object_upload_begin_parts(struct object_upload *u, struct err *err);

/* The store has the part. */
int object_upload_note_part(struct object_upload *u, const struct slot *slot,
                            const char *etag, struct err *err);

/* Has it, from an earlier try? */
int object_upload_was_sent(const struct object_upload *u,
                           const struct slot *slot);
