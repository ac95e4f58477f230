/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * HTML as it is put together: what we say ourselves goes in by printf, what
 * comes from outside by html_text() and nothing else.
 */

#include <stdint.h>
#include <stdio.h>

/* Escaped, so that it is text wherever it stands, also in an attribute in
   quotes; what would not be seen (controls, changes of direction, line feeds)
   is made visible.  Cut after some thousand bytes. */
void html_text(FILE *to, const char *text);
/* The same for attributes: without marks around what was made visible. */
void html_attribute(FILE *to, const char *text);
/* A name: isolated, so that letters that run from right to left move nothing
   around it. */
void html_name(FILE *to, const char *schema, const char *name);

/* "1 234 567", parted by narrow spaces that do not break. */
void html_number(FILE *to, uint64_t n);
/* "16.7 MB"; "1 min 20 s". */
void html_bytes(FILE *to, uint64_t n);
void html_duration(FILE *to, uint64_t ms);
/* "2026-11-28 00:19:02" UTC, of milliseconds since 1970, with <time>. */
void html_time(FILE *to, uint64_t at_ms);
