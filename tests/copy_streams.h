/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/* COPY streams: as PostgreSQL writes them, and as nobody should. */

#include "formats/copy_rows.h"

/* A stream as a string literal, which may hold zeros. */
#define STREAM(s) (const unsigned char *)(s), sizeof(s) - 1

/* Signature, flags, and the length of an empty extension. */
#define SIGNATURE "PGCOPY\n\377\r\n\0"
#define HEAD SIGNATURE "\0\0\0\0\0\0\0\0"
#define TRAILER "\377\377"

struct stream {
    const char *name;
    enum copy_format format;
    unsigned n_columns;
    const unsigned char *data;
    size_t len;
    const char *message, *detail; /* expected; NULL: it is well-formed */
};

/* What PostgreSQL 15 sends for COPY ... TO STDOUT. */
static const struct stream golden[] = {
    /* (id int, note text, raw bytea): (1, E'tab\there', '\x00ff'),
       (2, E'two\nlines', null), (3, '\.', ''), (4, null, '\x5c2e0a') */
    {"text", COPY_TEXT, 3,
     STREAM("1\ttab\\there\t\\\\x00ff\n"
            "2\ttwo\\nlines\t\\N\n"
            "3\t\\\\.\t\\\\x\n"
            "4\t\\N\t\\\\x5c2e0a\n")},
    {"binary", COPY_BINARY, 3,
     STREAM(HEAD "\0\3\0\0\0\4\0\0\0\1\0\0\0\10tab\there\0\0\0\2\0\377"
                 "\0\3\0\0\0\4\0\0\0\2\0\0\0\11two\nlines\377\377\377\377"
                 "\0\3\0\0\0\4\0\0\0\3\0\0\0\2\\.\0\0\0\0"
                 "\0\3\0\0\0\4\0\0\0\4\377\377\377\377\0\0\0\3\\.\n" TRAILER)},
    /* (a text): (''), ('\.'), (null) */
    {"text, one column", COPY_TEXT, 1, STREAM("\n\\\\.\n\\N\n")},
    {"binary, one column", COPY_BINARY, 1,
     STREAM(HEAD "\0\1\0\0\0\0\0\1\0\0\0\2\\.\0\1\377\377\377\377" TRAILER)},
    /* (): three rows */
    {"text, no columns", COPY_TEXT, 0, STREAM("\n\n\n")},
    {"binary, no columns", COPY_BINARY, 0, STREAM(HEAD "\0\0\0\0\0\0" TRAILER)},
    /* no rows */
    {"text, empty", COPY_TEXT, 1, STREAM("")},
    {"binary, empty", COPY_BINARY, 1, STREAM(HEAD TRAILER)},
    /* Not of a server, but allowed by the format. */
    {"binary, extended head", COPY_BINARY, 1,
     STREAM(SIGNATURE "\0\0\377\377\0\0\0\3\377\0\1"
                      "\0\1\0\0\0\1x" TRAILER)},
};

static const struct stream malformed[] = {
    {"text, a field too few", COPY_TEXT, 3, STREAM("1\t2\t3\n1\t2\n"),
     "row 2 has 2 fields, expected 3", "At offset 6 of the COPY stream."},
    {"text, a field too many", COPY_TEXT, 1, STREAM("a\nb\t\nc\n"),
     "row 2 has 2 fields, expected 1", "At offset 2 of the COPY stream."},
    {"text, one field", COPY_TEXT, 2, STREAM("1\n"),
     "row 1 has 1 field, expected 2", "At offset 0 of the COPY stream."},
    {"text, a value without columns", COPY_TEXT, 0, STREAM("\n\nx\n"),
     "row 3 has 1 field, expected 0", "At offset 2 of the COPY stream."},
    {"text, end marker", COPY_TEXT, 1, STREAM("a\n\\.\n"),
     "row 2 ends in \"\\.\"", "At offset 2 of the COPY stream."},
    {"text, end marker without columns", COPY_TEXT, 0, STREAM("\n\\.\n"),
     "row 2 ends in \"\\.\"", "At offset 1 of the COPY stream."},
    {"text, end marker behind values", COPY_TEXT, 2,
     STREAM("a\tb\\\\\\.\nc\td\n"), "row 1 ends in \"\\.\"",
     "At offset 0 of the COPY stream."},
    {"text, escaped newline", COPY_TEXT, 1, STREAM("a\nb\\\\\\\nc\n"),
     "row 2 ends in \"\\\"", "At offset 2 of the COPY stream."},
    {"text, cut in a row", COPY_TEXT, 1, STREAM("a\nb"),
     "COPY stream ends inside row 2", "At offset 3 of the COPY stream."},
    {"text, cut in an end marker", COPY_TEXT, 1, STREAM("a\n\\."),
     "COPY stream ends inside row 2", "At offset 4 of the COPY stream."},

    {"binary, nothing", COPY_BINARY, 1, STREAM(""),
     "COPY stream ends inside its header", "At offset 0 of the COPY stream."},
    {"binary, cut in the extension", COPY_BINARY, 1,
     STREAM(SIGNATURE "\0\0\0\0\0\0\0\3xx"),
     "COPY stream ends inside its header", "At offset 21 of the COPY stream."},
    {"binary, not binary", COPY_BINARY, 1, STREAM("some text with tabs\n"),
     "not a binary COPY stream", "At offset 0 of the COPY stream."},
    {"binary, newlines changed on the way", COPY_BINARY, 1,
     STREAM("PGCOPY\n\377\n\n\0\0\0\0\0\0\0\0\0" TRAILER),
     "not a binary COPY stream", "At offset 0 of the COPY stream."},
    {"binary, object IDs", COPY_BINARY, 1,
     STREAM(SIGNATURE "\0\1\0\0\0\0\0\0" TRAILER),
     "binary COPY stream has object IDs, flags 0x00010000",
     "At offset 11 of the COPY stream."},
    {"binary, unknown flag", COPY_BINARY, 1,
     STREAM(SIGNATURE "\200\0\0\1\0\0\0\0" TRAILER),
     "binary COPY stream has unknown flags 0x80000001",
     "At offset 11 of the COPY stream."},
    {"binary, negative extension", COPY_BINARY, 1,
     STREAM(SIGNATURE "\0\0\0\0\377\377\377\374" TRAILER),
     "header extension has a length of -4 bytes",
     "At offset 15 of the COPY stream."},
    {"binary, a field too few", COPY_BINARY, 2,
     STREAM(HEAD "\0\2\0\0\0\0\0\0\0\0\0\1\0\0\0\0" TRAILER),
     "row 2 has 1 field, expected 2", "At offset 29 of the COPY stream."},
    {"binary, fields without columns", COPY_BINARY, 0,
     STREAM(HEAD "\0\0\1\0" TRAILER), "row 2 has 256 fields, expected 0",
     "At offset 21 of the COPY stream."},
    {"binary, negative field count", COPY_BINARY, 1, STREAM(HEAD "\377\376"),
     "row 1 has -2 fields, expected 1", "At offset 19 of the COPY stream."},
    {"binary, negative field length", COPY_BINARY, 2,
     STREAM(HEAD "\0\2\0\0\0\1x\377\377\377\376" TRAILER),
     "field 2 of row 1 has a length of -2 bytes",
     "At offset 26 of the COPY stream."},
    {"binary, cut in a field count", COPY_BINARY, 1, STREAM(HEAD "\0"),
     "COPY stream ends inside row 1", "At offset 20 of the COPY stream."},
    {"binary, cut in a field length", COPY_BINARY, 1, STREAM(HEAD "\0\1\0\0"),
     "COPY stream ends inside row 1", "At offset 23 of the COPY stream."},
    {"binary, cut in a field", COPY_BINARY, 1,
     STREAM(HEAD "\0\1\0\0\0\1a\0\1\177\377\377\377b"),
     "COPY stream ends inside row 2", "At offset 33 of the COPY stream."},
    {"binary, no trailer", COPY_BINARY, 1, STREAM(HEAD "\0\1\0\0\0\1a"),
     "COPY stream ends after row 1 without a trailer",
     "At offset 26 of the COPY stream."},
    {"binary, half a trailer", COPY_BINARY, 1, STREAM(HEAD "\377"),
     "COPY stream ends after row 0 without a trailer",
     "At offset 20 of the COPY stream."},
    {"binary, more after the trailer", COPY_BINARY, 1,
     STREAM(HEAD "\0\1\0\0\0\1a" TRAILER TRAILER),
     "COPY stream goes on after row 1 and its trailer",
     "At offset 28 of the COPY stream."},
};

enum { N_GOLDEN = sizeof golden / sizeof *golden };
enum { N_MALFORMED = sizeof malformed / sizeof *malformed };
