/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * The files of each consumer, as text with gaps:
 *
 *     @slot@          as it is: only where no other character can be in it
 *     @host:sh@       a word of the shell
 *     @host:prop@     a value of a .properties file
 *     @host:json@     a string of JSON, quotes included
 *     @host:sql@      a literal of SQL, quotes included
 *     @host:show@     in a comment: nothing in it ends the line
 *     @@              @
 *
 * A line that begins with + is there when the run has a publication, one that
 * begins with ~ when it has none.
 */

struct consumer_file {
    const char *consumer;
    const char *name;
    const char *text; /* NULL: DMS's table mappings, made from the catalogue */
};

/* Ends with one whose consumer is NULL. */
extern const struct consumer_file consumer_files[];
