/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Text from outside, made fit to be shown: names of tables, messages of
 * servers, paths.  What could drive a terminal, or is not UTF-8, becomes
 * "\xNN", byte by byte; a line that would follow is indented, so that it
 * cannot pass for a line of ours.
 */

#include <stddef.h>

/* Bytes that n bytes of text may become, with the end. */
#define PRINTABLE_SIZE(n) (5 * (n) + 1)

/* Fill to, of size > 0; what does not fit is cut off.  Returns to. */
char *printable(char *to, size_t size, const char *text);
