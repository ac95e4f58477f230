/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * A detached signature by Ed25519 (RFC 8032) of tagmanifest-sha256.txt, which
 * answers for all of an archive: FILE.sig beside it, 64 bytes.
 *
 *     openssl pkeyutl -verify -pubin -inkey KEY.pub -rawin
 *         -in tagmanifest-sha256.txt -sigfile FILE.sig
 */

#include <stddef.h>

#include "io/err.h"

/* key is the name of a PEM file with a private key, which only its owner can
   read (ERR_REFUSED); one that has a passphrase is refused, too. */
int signing_sign(const char *where, const char *key, const char *text,
                 size_t len, struct err *err);

/* key: with a public one.  ERR_CORRUPT: it is not the signature of this text by
   that key; or there is none. */
int signing_verify(const char *where, const char *key, const char *text,
                   size_t len, struct err *err);
