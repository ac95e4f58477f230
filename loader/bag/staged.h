/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * What was staged, trusted only after it was checked: a chunk's length and
 * SHA-256 against the catalogue, then its own head against what it should be.
 *
 * A name that ends in ".age" is that of an encrypted file.  Its length and
 * SHA-256 are those of what lies there; what is read of it are its plain bytes,
 * which are never on a disk.  Where no identity opens it that is ERR_REFUSED.
 */

#define STAGED_ENCRYPTED ".age"

#include "formats/age/age.h"
#include "formats/chunk.h"
#include "io/bytes.h"
#include "io/cleanup.h"
#include "io/reader.h"
#include "loader/catalog/catalog.h"
#include "loader/run/run_dir.h"

/* Both read all of data/<name>; ERR_CORRUPT when it is missing, or is not the
   one that was digested. */
int staged_digest(const struct run_dir *dir, const char *name,
                  unsigned char ret_sha256[32], struct err *err);
int staged_check(const struct run_dir *dir, const char *name,
                 const unsigned char sha256[32], struct err *err);

/* Is there an identity (NULL: none was given) that opens data/<name>?  ERR_REFUSED
   says which were tried; 0, too, where it is not encrypted. */
int staged_check_key(const struct run_dir *dir, const char *name,
                     const struct age_identities *identities, struct err *err);

/*
 * ---- where the bytes of chunks come from ----
 *
 * Files of the run directory; or, where ops is set, from elsewhere: an
 * archive.  Whether the bytes are the right ones is checked here for both.
 */

struct staged_source_ops {
    /* By any thread.  *ret is the chunk's bytes, to be read anywhere, until
       close is given what is held of it. */
    int (*open)(void *arg, const struct catalog_chunk *k,
                const struct bytes_in **ret, void **ret_held, struct err *err);
    void (*close)(void *arg, void *held);
    /*
     * Where chunks can be had in one order only; NULL where in any.  By the
     * main thread: next is the number of the first that was neither handed out
     * nor passed over; 0: there is none.  What was handed out can be opened,
     * again and again, until it is done with.
     */
    uint64_t (*next)(void *arg);
    int (*hand_out)(void *arg, struct err *err);
    void (*pass_over)(void *arg);
    void (*done)(void *arg, uint64_t chunk);
};

struct staged_source { /* borrowed, as what it points to */
    const struct run_dir *dir;
    const struct staged_source_ops *ops; /* NULL: files of dir */
    void *arg;
    const struct age_identities *identities; /* NULL: none */
};

/* What was all read once and is what was staged. */
struct staged;

/* ERR_CORRUPT names the file. */
int staged_open(struct staged **ret, const struct staged_source *from,
                const struct catalog_chunk *k, struct err *err);
struct staged *staged_free(struct staged *s);
DEFINE_CLEANUP(struct staged *, staged_free)

/* Its plain bytes. */
const struct bytes_in *staged_in(const struct staged *s);

/* One of the documents that describe the run, data/<name>. */
struct staged_document {
    const struct run_dir *dir;
    const char *name;
    const unsigned char *sha256;
    const struct age_identities *identities; /* NULL: none */
};
int staged_open_document(struct staged **ret, const struct staged_document *d,
                         struct err *err);
/* The same as a descriptor that a child can open by its number, as
   /proc/self/fd/N: of what is encrypted it is one of memory. */
int staged_document_fd(int *ret_fd, const struct staged_document *d,
                       struct err *err);

/* Begins reading its frames; ERR_CORRUPT when it is another chunk's file, or
   its totals are not the catalogue's. */
int staged_begin(struct chunk_reader *r, const struct staged *s,
                 const struct catalog_chunk *k, const unsigned char run[16],
                 struct err *err);
/* Bytes that somebody else has checked, and keeps; name says whether they are
   encrypted. */
int staged_open_checked(struct staged **ret, const struct bytes_in *in,
                        const char *name,
                        const struct age_identities *identities,
                        struct err *err);
