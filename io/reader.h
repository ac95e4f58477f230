/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Reader: a finished file, opened once and read at any offset.
 *
 * It refuses what is not a regular file of one name (O_NOFOLLOW, one link),
 * and reports a file that ends early as corrupt, not as an end.
 */

#include <stdint.h>

#include "io/bytes.h"
#include "io/cleanup.h"
#include "io/err.h"

struct reader;

/*
 * name may hold slashes; no component may be a symbolic link, "." or "..".
 * What is refused is ERR_REFUSED; a missing file is ERR_SYSTEM with ENOENT.
 */
int reader_open(struct reader **ret, int dir_fd, const char *name,
                struct err *err);
struct reader *reader_free(struct reader *r);
DEFINE_CLEANUP(struct reader *, reader_free)

/* The file as a source of bytes; lives as long as the reader. */
const struct bytes_in *reader_in(const struct reader *r);

/*
 * Read it all and digest it, in bounded memory; from the disk, where the
 * kernel agrees to forget the pages it holds, as those may be better.
 */
int reader_sha256(struct reader *r, unsigned char ret[32], struct err *err);

/* All of it, with a zero byte behind, to be freed; ret_len may be NULL.
   ERR_CORRUPT: it is longer than that. */
int reader_text(struct reader *r, size_t max, char **ret, size_t *ret_len,
                struct err *err);
