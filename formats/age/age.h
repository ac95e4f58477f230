/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * age: encryption of files to public keys, in the format of
 * age-encryption.org/v1, so that "age -d" reads what is written here and what
 * "age" wrote is read here.
 *
 *     +----------------------------------+
 *     | header   text                    | the file's key, wrapped for each
 *     |                                  | recipient, and a MAC over all this
 *     | nonce    16 bytes                |
 *     | pieces   of 64 KiB, each and a   | ChaCha20-Poly1305; the nonce of a
 *     |          tag of 16 bytes         | piece is its number, and whether
 *     |          the last may be shorter | it is the last
 *     +----------------------------------+
 *
 * So any piece can be read alone, none can be moved, and a file that was cut
 * between two pieces does not end in a last one.  Recipients are X25519 keys,
 * several of them, or one passphrase (scrypt), which is then alone.  Other
 * kinds of stanzas are passed over when a file is read, as the format wants.
 *
 * All is memory to memory, and takes a fixed amount of it whatever the length
 * (scrypt: as much as the file asks for, up to AGE_SCRYPT_MAX).  Keys are wiped
 * when they are freed and are in no message.
 */

#include <stddef.h>
#include <stdint.h>

#include "io/bytes.h"
#include "io/cleanup.h"
#include "io/err.h"

enum {
    AGE_PIECE = 64 << 10, /* of plain bytes */
    AGE_TAG = 16,
    AGE_RECIPIENTS_MAX = 64, /* that a file is written for */
    AGE_IDENTITIES_MAX = 64, /* that are tried */
    AGE_STANZAS_MAX = 256,   /* of a file that is read */
    AGE_HEADER_MAX = 128 << 10,
    AGE_SCRYPT_MAX = 22,     /* log2 of the work; age's own limit: 4 GiB */
    AGE_SCRYPT_DEFAULT = 18, /* age's own: 256 MiB, about a second */
    AGE_RECIPIENT_LEN = 62,  /* of "age1..." */
};

/* What every file begins with. */
#define AGE_MAGIC "age-encryption.org/v1\n"

/* ---- whom a file is for ---- */

struct age_recipients;

int age_recipients_new(struct age_recipients **ret, struct err *err);
struct age_recipients *age_recipients_free(struct age_recipients *r);
DEFINE_CLEANUP(struct age_recipients *, age_recipients_free)

/* "age1...", which is public; twice is once.  ERR_USAGE when it is none. */
int age_recipients_add(struct age_recipients *r, const char *text,
                       struct err *err);

/* What a recipients file holds: a key a line, empty lines, and comments after
   "#".  name is for messages. */
int age_recipients_add_file(struct age_recipients *r, const char *text,
                            size_t len, const char *name, struct err *err);

/* work: log2, 1 to AGE_SCRYPT_MAX.  Alone: ERR_USAGE where there are others. */
int age_recipients_passphrase(struct age_recipients *r, const char *passphrase,
                              size_t len, unsigned work, struct err *err);

unsigned age_recipients_count(const struct age_recipients *r);

/*
 * Who they are, the same whatever the order: the keys, sorted, a space between
 * two; "scrypt" for a passphrase.  Those that age_identities_generate() added
 * are left out.  The caller frees; NULL: no memory.
 */
char *age_recipients_text(const struct age_recipients *r);

/* ---- who reads ---- */

struct age_identities;

int age_identities_new(struct age_identities **ret, struct err *err);
struct age_identities *age_identities_free(struct age_identities *i);
DEFINE_CLEANUP(struct age_identities *, age_identities_free)

/* What an identity file holds: "AGE-SECRET-KEY-1..." a line, empty lines and
   comments.  name says in messages where it came from; no line is shown. */
int age_identities_add_file(struct age_identities *i, const char *text,
                            size_t len, const char *name, struct err *err);
int age_identities_passphrase(struct age_identities *i, const char *passphrase,
                              size_t len, const char *name, struct err *err);

/* A new key that nobody else knows: what is written for r can be read with i,
   for as long as i lives. */
int age_identities_generate(struct age_identities *i, struct age_recipients *r,
                            struct err *err);

unsigned age_identities_count(const struct age_identities *i);

/* Does one of them open what is written for r?  What this process alone knows
   does not count. */
int age_identities_match(const struct age_identities *i,
                         const struct age_recipients *r);

/* ---- writing: one encoder a worker, used for one file after the other ----
 *
 *     begin --> out, out, ... --> end
 *
 * After a failure, and to give a file up, begin another.
 */

struct age_encoder;

int age_encoder_new(struct age_encoder **ret, struct err *err);
struct age_encoder *age_encoder_free(struct age_encoder *e);
DEFINE_CLEANUP(struct age_encoder *, age_encoder_free)

/* A fresh key, and the header into out, which is borrowed until end. */
int age_encoder_begin(struct age_encoder *e, const struct age_recipients *r,
                      const struct bytes_out *out, struct err *err);

/* Where the plain bytes go; lives as long as the encoder. */
const struct bytes_out *age_encoder_out(struct age_encoder *e);

/* The last piece. */
int age_encoder_end(struct age_encoder *e, struct err *err);

/*
 * ---- reading from a pipe ----
 *
 *     begin --> feed --> next, next, ... E_MORE --> feed ... --> finish
 *           --> next, next, ... E_END
 *
 * Every byte that next gives was authenticated.  But only E_END says that the
 * file was not cut.
 *
 * Failures, here and of a view: ERR_CORRUPT where it is not an age file, is
 * damaged, or cut; ERR_REFUSED where no identity opens it (the detail says
 * which were tried) or it asks for too much.
 */

struct age_decoder;

/* Outcomes of age_decoder_next(). */
enum {
    AGE_DECODER_E_MORE = 1, /* what was fed is used up */
    AGE_DECODER_E_END,
};

int age_decoder_new(struct age_decoder **ret, struct err *err);
struct age_decoder *age_decoder_free(struct age_decoder *d);
DEFINE_CLEANUP(struct age_decoder *, age_decoder_free)

/* i is borrowed until the next begin, name is copied. */
int age_decoder_begin(struct age_decoder *d, const struct age_identities *i,
                      const char *name, struct err *err);
/* The memory must stay until next says E_MORE. */
void age_decoder_feed(struct age_decoder *d, const void *data, size_t len);
/* Nothing more will be fed. */
void age_decoder_finish(struct age_decoder *d);
/* The next plain bytes, valid until the next call. */
int age_decoder_next(struct age_decoder *d, const unsigned char **ret,
                     size_t *ret_len, struct err *err);

/*
 * ---- reading anywhere ----
 *
 * The plain bytes of an encrypted bytes_in as a bytes_in: only the pieces that
 * hold what is asked for are read.  begin looks at the header and at the last
 * piece, so that the length is known to be true.  One thread owns a view.
 */

struct age_view;

int age_view_new(struct age_view **ret, struct err *err);
struct age_view *age_view_free(struct age_view *v);
DEFINE_CLEANUP(struct age_view *, age_view_free)

/* in is borrowed until the next begin. */
int age_view_begin(struct age_view *v, const struct bytes_in *in,
                   const struct age_identities *i, struct err *err);

/* Lives as long as the view; valid after a begin that did not fail. */
const struct bytes_in *age_view_in(const struct age_view *v);
