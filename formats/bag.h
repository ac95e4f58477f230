/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * The text files of a BagIt bag (RFC 8493): lines, as they are written and
 * read.  Which files there are, and when they are written, is seal.h's.
 *
 * A manifest is also what "sha256sum -c" takes: the digest, two spaces, the
 * path.  The two part where a path holds CR, LF or "%", which BagIt encodes as
 * "%0D", "%0A" and "%25" and sha256sum in another way; ours never do.
 */

#include <stddef.h>

#include "io/bytes.h"
#include "io/err.h"

/* bagit.txt, all of it. */
extern const char bag_declaration[];

/* What text of that length says: 0 when it is a version that we write. */
enum {
    BAG_E_VERSION = 1, /* a bag of another version, or other encoding */
    BAG_E_MALFORMED,   /* no declaration at all */
};
int bag_check_declaration(const char *text, size_t len);

/*
 * A line of bag-info.txt.  A line break in the value is written as what BagIt
 * has for it, a line that goes on on the next, indented; no other folding is
 * done, since a reader could not tell it from a break.  label has no colon
 * and no line break; both are UTF-8.
 */
int bag_write_info(const struct bytes_out *out, const char *label,
                   const char *value, struct err *err);

/* A line of a manifest: the digest of the file at path, from the bag's root. */
int bag_write_entry(const struct bytes_out *out, const unsigned char sha256[32],
                    const char *path, struct err *err);

/*
 * Read a line of a manifest, without its end, in place: *ret_path lies in line.
 * -1 unless it is a digest of SHA-256 and a path that stays inside the bag.
 */
int bag_read_entry(char *line, unsigned char ret_sha256[32], char **ret_path);
