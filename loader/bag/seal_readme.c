/* SPDX-License-Identifier: PostgreSQL */
#include "loader/bag/seal_readme.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/printable.h"
#include "loader/bag/by_hand.h"
#include "loader/bag/staged.h"
#include "loader/catalog/large_objects.h"

enum {
    SEARCH_MAX = 1000, /* tables that are looked at to find an example */
    COLUMNS_MAX = 50,  /* of an example */
};

/* A table whose commands are spelled out. */
struct example {
    int decrypted; /* its files must be */
    struct catalog_table *table;
    char *files; /* a pattern below data/tables/ */
};

/* ---- the parts ---- */

static const char what[] =
    "This directory holds a PostgreSQL database: every row as it was in\n"
    "one snapshot, and its definition.  It is a run of pghaul, sealed as a\n"
    "BagIt bag (RFC 8493).  \"pghaul load\" restores it and \"pghaul verify\"\n"
    "proves the copy, but sha256sum, lz4%s and psql are enough.\n"
    "\n"
    "If it is still in a tar, unpack that first, into an empty directory; if\n"
    "in several (NAME.001.tar, NAME.002.tar ...), all of them into one:\n"
    "\n"
    "  tar -xf FILE\n"
    "\n"
    "Lines that begin with four spaces are commands for a shell, to be run\n"
    "in this directory, in this order.\n"
    "\n";

static const char check[] =
    "1. Is it whole?\n"
    "\n"
    "    sha256sum --quiet -c tagmanifest-sha256.txt\n"
    "    sha256sum --quiet -c manifest-sha256.txt\n"
    "\n"
    "Both say nothing when all is well.  That finds damage.  Whoever can\n"
    "change a file here can change these lists, too: against that keep the\n"
    "output of \"sha256sum tagmanifest-sha256.txt\" in another place.\n"
    "\n";

/* Of an encrypted run. */
static const char encryption[] =
    "Rows and definitions are encrypted, in the format of age\n"
    "(age-encryption.org/v1), to\n"
    "\n";

static const char identity[] =
    "\n"
    "A secret key of any one of these opens them.  Put it into a file that\n"
    "nobody else can read, and its path into AGE_KEY; this complains until\n"
    "you have:\n"
    "\n"
    "    : \"${AGE_KEY:?is not set}\"\n"
    "\n"
    "Names of tables and columns, numbers of rows and the like are not\n"
    "encrypted: see data/catalog.json.\n"
    "\n";

static const char layout[] =
    "2. What is here\n"
    "\n"
    "* bag-info.txt: whose copy this is, and when it was sealed.\n"
    "* data/catalog.json: the source, all tables with their columns and\n"
    "  files, sequences, and what was not copied; a table is one line.\n"
    "* data/schema.dump%s: the definitions, in pg_dump's custom format.\n";

static const char layout_sql[] =
    "* data/schema/*.sql%s: the same as SQL, in two parts: what goes before\n"
    "  the rows, and what goes after them.\n";

static const char layout_tables[] =
    "* data/tables/N-NAME/M.text.lz4%s or M.copy.lz4%s: a chunk of a table's\n"
    "  rows, in COPY's text or binary format.  N is the table's \"id\" in\n"
    "  catalog.json, NAME as much of its name as any file system takes.\n"
    "\n"
    "run.db, lock and what begins with them are pghaul's notes and no part\n"
    "of the bag.\n"
    "\n"
    "A chunk is one whole COPY stream in the LZ4 frame format.  The chunks\n"
    "of a table may be read in any order, each once.  The text format, as\n"
    "\n"
    "  %s\n"
    "\n"
    "shows it: a row a line, columns parted by tabs, NULL as \\N, and\n"
    "\\b \\f \\n \\r \\t \\v \\\\ for what would be taken for something else.  "
    "The\n"
    "columns are those of catalog.json, in its order.\n"
    "\n";

static const char settings[] =
    "3. A database to read it into\n"
    "\n"
    "Text means what the settings say with which it was written:\n"
    "\n";

static const char pgoptions[] =
    "    export PGOPTIONS='-c DateStyle=ISO,YMD -c IntervalStyle=postgres"
    " -c TimeZone=UTC -c bytea_output=hex -c lc_monetary=C"
    " -c xmloption=content -c standard_conforming_strings=on'\n"
    "\n"
    "psql finds the server by PGHOST, PGPORT and PGUSER.  The database is a\n"
    "new one; if the server says that the encoding does not fit its locale,\n"
    "add LOCALE 'C'.\n"
    "\n";

static const char roles[] =
    "Roles that the definitions name should be there before; where one is\n"
    "not, psql says so and goes on, and the object belongs to you.\n"
    "\n";

/* One for each way to read a document: from its file, or decrypted. */
enum { PLAIN, DECRYPTED };

static const char *const before_sql[] = {
    "    psql -X -q -f data/schema/pre-data.sql\n\n",
    "    age -d -i \"$AGE_KEY\" data/schema/pre-data.sql.age | psql -X -q\n\n",
};

static const char *const before_dump[] = {
    "    pg_restore --section=pre-data -f - data/schema.dump | psql -X -q\n\n",
    "    age -d -i \"$AGE_KEY\" data/schema.dump.age |"
    " pg_restore --section=pre-data -f - | psql -X -q\n\n",
};

static const char tables[] =
    "4. A table\n"
    "\n"
    "Its line of catalog.json names its columns, its format and its files.\n"
    "%s comes first, since psql cannot know that %s ended early.\n";

static const char large_objects[] =
    "Large objects lie in data/large-objects/: N.copy.lz4%s has their\n"
    "contents in pieces, N-metadata.copy.lz4%s SQL that says to whom they\n"
    "belong.  In psql, for each file of the first kind and then for each of\n"
    "the second:\n"
    "\n"
    "  CREATE TEMP TABLE lo (loid oid, \"offset\" int8, data bytea);\n"
    "  \\copy lo FROM PROGRAM '%s' (FORMAT binary)\n"
    "  SELECT lo_create(loid) FROM lo WHERE \"offset\" = 0;\n"
    "  SELECT count(lo_put(loid, \"offset\", data)) FROM lo;\n"
    "\n"
    "  CREATE TEMP TABLE meta (loid oid, what text, statement text);\n"
    "  \\copy meta FROM PROGRAM '%s' (FORMAT binary)\n"
    "  SELECT statement FROM meta \\gexec\n"
    "\n"
    "One of them: the same with WHERE loid = its number.\n"
    "\n";

static const char after[] =
    "5. Keys, indexes, triggers, contents of materialized views\n"
    "\n"
    "When all tables are loaded:\n"
    "\n";

static const char *const after_sql[] = {
    "    psql -X -q -f data/schema/post-data.sql\n\n",
    "    age -d -i \"$AGE_KEY\" data/schema/post-data.sql.age | psql -X -q\n\n",
};

static const char *const after_dump[] = {
    "    pg_restore --section=post-data -f - data/schema.dump | psql -X -q\n\n",
    "    age -d -i \"$AGE_KEY\" data/schema.dump.age |"
    " pg_restore --section=post-data -f - | psql -X -q\n\n",
};

static const char sequences[] =
    "Sequences get their values by hand, from \"sequences\" in catalog.json:\n"
    "\n"
    "  SELECT setval('\"schema\".\"name\"', last_value, is_called);\n"
    "\n"
    "6. Is the copy right?\n"
    "\n"
    "The \"rows\" of a table's chunks in catalog.json add up to its count(*).\n"
    "Their \"digest\" is more: the sum, modulo 2^128, of the XXH3-128 of "
    "every\n"
    "row's bytes in the COPY stream.\n";

/* ---- names ---- */

/*
 * Names stand here as bytes of the database's encoding, and this file is
 * UTF-8: unless the two agree, a name must be ASCII.
 */
static int
can_be_written(const char *name, int utf8)
{
    for (; *name; name++)
        if (*name & 0x80 && !utf8)
            return 0;
    return 1;
}

/* ---- examples ---- */

static int
is_fit(const struct catalog_table *t, enum copy_format format, int utf8)
{
    int fit = t->kind == CATALOG_TABLE && t->format == format &&
              t->n_columns > 0 && t->n_columns <= COLUMNS_MAX &&
              can_be_written(t->schema, utf8) && can_be_written(t->name, utf8);

    for (unsigned i = 0; i < t->n_columns && fit; i++)
        fit = can_be_written(t->columns[i].name, utf8);
    return fit;
}

/* A pattern that the files of the chunk's table match, and no others. */
static int
name_files(struct catalog *c, struct example *x, struct err *err)
{
    cleanup_(catalog_chunk_freep) struct catalog_chunk *k = NULL;
    const char *dir_end;
    int r;

    r = catalog_next_chunk(c, x->table->id, 0, &k, err);
    if (r)
        return r;
    dir_end = strrchr(k->file, '/');
    if (asprintf(&x->files, "data/%.*s/*.%s.lz4%s",
                 (int)(dir_end ? dir_end - k->file : 0), k->file,
                 x->table->format == COPY_BINARY ? "copy" : "text",
                 x->decrypted ? STAGED_ENCRYPTED : "") < 0) {
        x->files = NULL;
        return err_nomem(err);
    }
    return 0;
}

/* x->table stays NULL when there is none. */
static int
find_example(struct example *x, struct catalog *c, enum copy_format format,
             int utf8, struct err *err)
{
    uint64_t id = 0;
    int r = 0;

    for (unsigned i = 0; i < SEARCH_MAX && !r; i++) {
        cleanup_(catalog_table_freep) struct catalog_table *t = NULL;

        r = catalog_next_table(c, id, &t, err);
        if (r || !is_fit(t, format, utf8)) {
            id = r ? 0 : t->id;
            continue;
        }
        x->table = take(t);
        r = name_files(c, x, err);
        break;
    }
    return r == CATALOG_E_NONE ? 0 : r;
}

static int
print_example(FILE *f, const struct example *x, struct err *err)
{
    const struct catalog_table *t = x->table;
    cleanup_(freep) char *sql = by_hand_copy(t);

    if (!sql)
        return err_nomem(err);
    fprintf(f,
            "\nTable %" PRIu64
            " has its rows in the %s format:\n\n    for f in %s; do"
            " %s | psql -X -q -v ON_ERROR_STOP=1 -c ",
            t->id, copy_format_name(t->format), x->files,
            x->decrypted ? "age -d -i \"$AGE_KEY\" \"$f\" >/dev/null &&"
                           " age -d -i \"$AGE_KEY\" \"$f\" | lz4 -dcq"
                         : "lz4 -tq \"$f\" && lz4 -dcq \"$f\"");
    by_hand_quoted(f, sql);
    fputs(" || break; done\n", f);
    return 0;
}

static int
print_examples(FILE *f, struct catalog *c, const struct facts *facts,
               struct err *err)
{
    static const enum copy_format formats[] = {COPY_TEXT, COPY_BINARY};
    int utf8 = strcmp(facts->encoding, "UTF8") == 0, r = 0;

    for (unsigned i = 0; i < 2 && !r; i++) {
        struct example x = {.decrypted = facts->recipients != NULL};

        r = find_example(&x, c, formats[i], utf8, err);
        if (!r && x.table)
            r = print_example(f, &x, err);
        catalog_table_free(x.table);
        free(x.files);
    }
    fputc('\n', f);
    return r;
}

static int
print_large_objects(FILE *f, struct catalog *c, const char *age,
                    struct err *err)
{
    cleanup_(catalog_table_freep) struct catalog_table *t = NULL;
    uint64_t id;
    int r;

    r = catalog_table_by_oid(c, LARGE_OBJECTS_OID, &id, err);
    if (!r)
        r = catalog_find_table(c, id, &t, err);
    if (!r && t->kind == CATALOG_LARGE_OBJECTS)
        fprintf(f, large_objects, age, age,
                *age ? "age -d -i \"$AGE_KEY\" N.copy.lz4.age | lz4 -dc"
                     : "lz4 -dc N.copy.lz4",
                *age ? "age -d -i \"$AGE_KEY\" N-metadata.copy.lz4.age"
                       " | lz4 -dc"
                     : "lz4 -dc N-metadata.copy.lz4");
    return r == CATALOG_E_NONE ? 0 : r;
}

/* ---- the whole ---- */

static void
print_head(FILE *f, const struct facts *facts)
{
    char database[PRINTABLE_SIZE(256)];

    fprintf(f, what, facts->recipients ? ", age" : "");
    fprintf(f,
            "  database   %s\n"
            "  encoding   %s\n"
            "  server     PostgreSQL %d\n"
            "  run        %s\n\n",
            printable(database, sizeof database, facts->database),
            facts->encoding, facts->version / 10000, facts->run_id);
}

static void
print_settings(FILE *f, const char *encoding)
{
    fputs(settings, f);
    fprintf(f, "    export PGCLIENTENCODING=%s\n", encoding);
    fputs(pgoptions, f);
    fprintf(f,
            "    psql -X -q -d postgres -c \"CREATE DATABASE restored"
            " ENCODING '%s' TEMPLATE template0\"\n"
            "    export PGDATABASE=restored\n\n",
            encoding);
}

static void
print_recipients(FILE *f, const char *recipients)
{
    fputs(encryption, f);
    for (size_t n; *recipients; recipients += n + (recipients[n] == ' ')) {
        n = strcspn(recipients, " ");
        fprintf(f, "  %.*s\n", (int)n, recipients);
    }
    fputs(identity, f);
}

static int
print_readme(FILE *f, const struct seal_run *run, struct err *err)
{
    const struct facts *facts = run->facts;
    int way = facts->recipients ? DECRYPTED : PLAIN;
    const char *age = facts->recipients ? STAGED_ENCRYPTED : "";
    int has_sql = facts->documents[FACTS_PRE_DATA].present &&
                  facts->documents[FACTS_POST_DATA].present;
    int r;

    print_head(f, facts);
    fputs(check, f);
    if (facts->recipients)
        print_recipients(f, facts->recipients);
    fprintf(f, layout, age);
    if (has_sql)
        fprintf(f, layout_sql, age);
    fprintf(f, layout_tables, age, age,
            *age ? "age -d -i \"$AGE_KEY\" FILE | lz4 -dc" : "lz4 -dc FILE");
    print_settings(f, facts->encoding);
    fputs(roles, f);
    fputs(has_sql ? before_sql[way] : before_dump[way], f);
    fprintf(f, tables, *age ? "\"age\" alone" : "\"lz4 -t\"",
            *age ? "it" : "lz4");
    r = print_examples(f, run->catalog, facts, err);
    if (!r)
        r = print_large_objects(f, run->catalog, age, err);
    fputs(after, f);
    fputs(has_sql ? after_sql[way] : after_dump[way], f);
    fputs(sequences, f);
    return r;
}

int
seal_readme_write(const struct seal_run *run, const struct bytes_out *out,
                  struct err *err)
{
    cleanup_(freep) char *text = NULL;
    size_t len;
    FILE *f = open_memstream(&text, &len);
    int r;

    if (!f)
        return err_nomem(err);
    r = print_readme(f, run, err);
    if (fclose(f) && !r)
        r = err_nomem(err);
    return r ? r : bytes_out_append(out, text, len, err);
}
