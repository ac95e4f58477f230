/* SPDX-License-Identifier: PostgreSQL */
#include "loader/target/schema.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "loader/bag/staged.h"
#include "loader/pg/tool.h"
#include "loader/target/toc.h"

enum {
    LIST_MAX = 256 << 20,     /* bytes of pg_restore -l that we accept */
    EVENT_TRIGGERS = 1 << 29, /* the first's order: behind all others */
};

struct schema {
    struct schema_params params;
    char *tool;    /* path of pg_restore */
    char dump[64]; /* the archive, as a path for the child */
    int dump_fd;
    struct toc toc[SCHEMA_N_SECTIONS];
    int dumped_by;     /* major version of pg_dump */
    unsigned n_passed; /* publications that nobody has asked for */
};

static const char *const section_options[] = {
    [SCHEMA_PRE_DATA] = "--section=pre-data",
    [SCHEMA_DATA] = "--section=data",
    [SCHEMA_POST_DATA] = "--section=post-data",
};

/* ---- pg_restore's outputs ---- */

enum { N_ARGS = 9 };

/* What to print, and of which entries: a section or a list. */
static unsigned
arguments(const struct schema *s, const char *what, const char *which,
          const char *args[N_ARGS])
{
    unsigned n = 0;

    args[n++] = what;
    args[n++] = which;
    if (s->params.no_owner)
        args[n++] = "--no-owner";
    if (s->params.no_acl)
        args[n++] = "--no-acl";
    args[n++] = s->dump;
    args[n] = NULL;
    return n;
}

static int
list_section(struct schema *s, enum schema_section section, struct err *err)
{
    const char *args[N_ARGS];
    const struct tool_params p = {
        .path = s->tool, .args = args, .stdout_fd = -1, .stop = s->params.stop};
    size_t len;
    char *list;
    int r;

    arguments(s, "--list", section_options[section], args);
    r = tool_capture(&p, LIST_MAX, &list, &len, err);
    if (r)
        return r;
    s->dumped_by = toc_dumped_by(list);
    r = toc_parse(&s->toc[section], list, len, err);
    free(list);
    return r;
}

/* The default that the dump takes for granted is no longer that of the
   target. */
static int
check_public(const struct schema *s, struct err *err)
{
    if (s->dumped_by == 0 || s->dumped_by >= TOOL_KNOWS_PUBLIC ||
        s->params.target_major < TOOL_KNOWS_PUBLIC)
        return 0;
    err_set(err, ERR_REFUSED,
            "the schema was dumped by pg_dump %d, too old for a target of "
            "PostgreSQL %d",
            s->dumped_by, s->params.target_major);
    err_detail(err, "It leaves out who may create objects in the schema "
                    "\"public\": before PostgreSQL 15 everybody, since then "
                    "its owner alone.");
    return err_hint(err,
                    "Install the client programs of PostgreSQL %d or newer "
                    "where the export runs, and export again.",
                    TOOL_KNOWS_PUBLIC);
}

static int
mark_left_out(struct schema *s, struct toc *toc, struct err *err)
{
    int r = 0;

    for (size_t i = 0; i < toc->n_items && !r; i++) {
        struct toc_item *item = &toc->items[i];

        if (item->oid)
            r = catalog_leaves_out(s->params.catalog, item->class_oid,
                                   item->oid, &item->left_out, err);
        if (item->kind == TOC_PUBLICATION && !s->params.publications &&
            !item->left_out) {
            item->left_out = 1;
            s->n_passed++;
        }
    }
    return r;
}

unsigned
schema_passed_publications(const struct schema *s)
{
    return s->n_passed;
}

int
schema_open(struct schema **ret, const struct schema_params *p, struct err *err)
{
    const struct staged_document dump = {
        .dir = p->dir,
        .name = p->file,
        .sha256 = p->sha256,
        .identities = p->identities,
    };
    cleanup_(schema_freep) struct schema *s = NULL;
    int r;

    s = calloc(1, sizeof *s);
    if (!s)
        return err_nomem(err);
    s->params = *p;
    r = staged_document_fd(&s->dump_fd, &dump, err);
    if (r)
        return r;
    snprintf(s->dump, sizeof s->dump, "/proc/self/fd/%d", s->dump_fd);

    r = tool_find_for_schema(&s->tool, "pg_restore", p->major, err);
    for (unsigned i = 0; i < SCHEMA_N_SECTIONS && !r; i++)
        if (i != p->without)
            r = list_section(s, i, err);
    for (unsigned i = 0; i < SCHEMA_N_SECTIONS && !r; i++)
        r = mark_left_out(s, &s->toc[i], err);
    if (!r)
        r = check_public(s, err);
    if (!r)
        *ret = take(s);
    return r;
}

struct schema *
schema_free(struct schema *s)
{
    if (!s)
        return NULL;
    if (s->dump_fd > 0)
        close(s->dump_fd);
    for (unsigned i = 0; i < SCHEMA_N_SECTIONS; i++)
        toc_free(&s->toc[i]);
    free(s->tool);
    free(s);
    return NULL;
}

/* A text of pg_restore in an unnamed file, mapped: it may be large. */
struct script {
    const char *text;
    size_t len;
};

static void
unmap(struct script *script)
{
    if (script->len > 0)
        munmap((void *)script->text, script->len);
}

static int
map_script(struct script *ret, int fd, struct err *err)
{
    struct stat st;
    void *text;

    *ret = (struct script){.text = ""};
    if (fstat(fd, &st) < 0)
        return err_sys(err, errno, "could not stat the schema's SQL");
    if (st.st_size == 0)
        return 0;
    text = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (text == MAP_FAILED)
        return err_sys(err, errno, "could not map the schema's SQL");
    *ret = (struct script){.text = text, .len = (size_t)st.st_size};
    return 0;
}

static int
unnamed_file(const struct schema *s, struct err *err)
{
    int fd = -1;

    if (!s->params.in_memory)
        fd = openat(run_dir_fd(s->params.dir), ".",
                    O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0 &&
        (s->params.in_memory || errno == EOPNOTSUPP || errno == EISDIR))
        fd = memfd_create("pghaul-schema", MFD_CLOEXEC);
    if (fd < 0)
        err_sys(err, errno, "could not make a temporary file in \"%s\"",
                run_dir_path(s->params.dir));
    return fd;
}

static int
write_script(struct schema *s, const char *which, struct script *ret,
             struct err *err)
{
    const char *args[N_ARGS];
    struct tool_params p = {
        .path = s->tool, .args = args, .stop = s->params.stop};
    unsigned n;
    int r;

    n = arguments(s, "--verbose", which, args);
    args[n++] = "--file=-";
    args[n] = NULL;

    p.stdout_fd = unnamed_file(s, err);
    if (p.stdout_fd < 0)
        return -1;
    r = tool_run(&p, err);
    if (!r)
        r = map_script(ret, p.stdout_fd, err);
    close(p.stdout_fd);
    return r;
}

/* ---- entries ---- */

static char *
copy_text(struct toc_text t)
{
    return strndup(t.at, t.len);
}

/* "SET x = y;" becomes "SET LOCAL x = y;": it ends with the transaction. */
static void
print_setting(FILE *f, struct toc_text set)
{
    if (set.len > 0)
        fprintf(f, "SET LOCAL %.*s\n", (int)(set.len - strlen("SET ")),
                set.at + strlen("SET "));
}

static char *
entry_sql(const struct toc_entry *e)
{
    char *sql = NULL;
    size_t len;
    FILE *f = open_memstream(&sql, &len);

    if (!f)
        return NULL;
    print_setting(f, e->tablespace);
    print_setting(f, e->access_method);
    fwrite(e->sql.at, 1, e->sql.len, f);
    if (fclose(f) == 0)
        return sql;
    free(sql);
    return NULL;
}

/* The table whose index or key this is, by what the entry depends on. */
static uint32_t
table_of(const struct schema *s, const struct toc_item *item,
         const struct toc_entry *e)
{
    const char *at = e->dependencies.at;
    const char *end = at + e->dependencies.len;
    const struct toc_item *on;

    if (item->kind != TOC_INDEX && item->kind != TOC_KEY)
        return 0;
    while (at < end) {
        char *next;
        int64_t id = strtoll(at, &next, 10);

        if (next == at)
            break;
        on = toc_find(&s->toc[SCHEMA_PRE_DATA], id);
        if (on && on->kind == TOC_TABLE)
            return on->oid;
        at = next;
    }
    return 0;
}

/* It is, or it is said of something that is. */
static int
is_left_out(const struct schema *s, const struct toc_item *item,
            const struct toc_entry *e)
{
    const char *at = e->dependencies.at;
    const char *end = at + e->dependencies.len;

    /* Comments, rights and labels have no OID of their own; what a publication
       publishes has one, but none but the publication cares. */
    if (item->left_out || (item->oid && item->kind != TOC_MEMBER))
        return item->left_out;
    while (at < end) {
        const struct toc_item *on[2];
        char *next;
        int64_t id = strtoll(at, &next, 10);

        if (next == at)
            break;
        on[0] = toc_find(&s->toc[SCHEMA_PRE_DATA], id);
        on[1] = toc_find(&s->toc[SCHEMA_POST_DATA], id);
        if ((on[0] && on[0]->left_out) || (on[1] && on[1]->left_out))
            return 1;
        at = next;
    }
    return 0;
}

struct visitor {
    int (*visit)(void *arg, struct catalog_entry *entry, uint32_t oid,
                 struct err *err);
    void *arg;
    unsigned n; /* entries so far */
};

static int
hand_over(struct schema *s, enum schema_section section,
          const struct toc_entry *e, struct visitor *v, struct err *err)
{
    const struct toc_item *item = toc_find(&s->toc[section], e->id);
    struct catalog_entry entry = {.id = e->id, .order = v->n++};

    if (item->pass == TOC_PASS_EVENT_TRIGGERS)
        entry.order += EVENT_TRIGGERS;
    int r;

    if (is_left_out(s, item, e))
        return 0;
    entry.type = copy_text(e->type);
    entry.schema = copy_text(e->schema);
    entry.name = copy_text(e->name);
    entry.sql = entry_sql(e);
    if (entry.type && entry.schema && entry.name && entry.sql)
        r = v->visit(v->arg, &entry, table_of(s, item, e), err);
    else
        r = err_nomem(err);
    free(entry.type);
    free(entry.schema);
    free(entry.name);
    free(entry.sql);
    return r;
}

/* Does the cut give each entry of the list once, and nothing else? */
static int
cut_is_right(struct schema *s, enum schema_section section,
             const struct script *script)
{
    struct toc *toc = &s->toc[section];
    struct toc_scan scan;
    struct toc_entry e;
    size_t n = 0;

    for (size_t i = 0; i < toc->n_items; i++)
        toc->items[i].n_seen = 0;
    toc_scan_begin(&scan, script->text, script->len);
    for (; toc_scan_next(&scan, &e); n++) {
        struct toc_item *item = toc_find(toc, e.id);

        if (!item || item->n_seen++ > 0)
            return 0;
    }
    return n == toc->n_items;
}

/* ---- in parts, when a text imitates pg_restore's comments ---- */

/* Entries in the order in which they are to be executed. */
struct part {
    const struct toc_item *items;
    size_t n;
};

/* A list file for pg_restore -L. */
static int
list_of(struct part part, char *option, size_t size, struct err *err)
{
    int fd = memfd_create("pghaul-list", 0);

    if (fd < 0)
        return err_sys(err, errno, "could not make a list for pg_restore");
    for (size_t i = 0; i < part.n; i++) {
        if (dprintf(fd, "%" PRId64 "; 0 0\n", part.items[i].id) < 0) {
            close(fd);
            return err_sys(err, errno, "could not make a list for pg_restore");
        }
    }
    snprintf(option, size, "--use-list=/proc/self/fd/%d", fd);
    return fd;
}

/* The list alone: a comment or an ACL, which belongs to the section of what
   stands before it, is moved behind all that is not listed. */
static int
write_part(struct schema *s, struct part part, struct script *ret,
           struct err *err)
{
    char option[64];
    int fd, r;

    fd = list_of(part, option, sizeof option, err);
    if (fd < 0)
        return fd;
    r = write_script(s, option, ret, err);
    close(fd);
    return r;
}

static int
visit_alone(struct schema *s, enum schema_section section, int64_t id,
            const struct script *script, struct visitor *v, struct err *err)
{
    struct toc_scan scan;
    struct toc_entry e;

    toc_scan_begin(&scan, script->text, script->len);
    if (!toc_scan_next(&scan, &e) || e.id != id)
        return err_set(err, ERR_CORRUPT,
                       "pg_restore did not print entry %" PRId64, id);
    /* All up to the end is this entry's, whatever it looks like. */
    e.sql.len = (size_t)(scan.end - e.sql.at);
    return hand_over(s, section, &e, v, err);
}

/* Does the cut give just these, in this order? */
static int
part_is_right(const struct script *script, struct part part)
{
    struct toc_scan scan;
    struct toc_entry e;
    size_t n = 0;

    toc_scan_begin(&scan, script->text, script->len);
    while (toc_scan_next(&scan, &e))
        if (n == part.n || part.items[n++].id != e.id)
            return 0;
    return n == part.n;
}

static int
visit_cut(struct schema *s, enum schema_section section,
          const struct script *script, struct visitor *v, struct err *err)
{
    struct toc_scan scan;
    struct toc_entry e;
    int r = 0;

    toc_scan_begin(&scan, script->text, script->len);
    while (!r && toc_scan_next(&scan, &e))
        r = hand_over(s, section, &e, v, err);
    return r;
}

static int visit_part(struct schema *s, enum schema_section section,
                      struct part part, struct visitor *v, struct err *err);

/* So few calls are made where few texts imitate, and one an entry at worst. */
static int
visit_halves(struct schema *s, enum schema_section section, struct part part,
             struct visitor *v, struct err *err)
{
    size_t half = part.n / 2;
    int r;

    r = visit_part(s, section, (struct part){part.items, half}, v, err);
    return r ? r
             : visit_part(s, section,
                          (struct part){part.items + half, part.n - half}, v,
                          err);
}

static int
visit_part(struct schema *s, enum schema_section section, struct part part,
           struct visitor *v, struct err *err)
{
    struct script script;
    int r, is_wrong = 0;

    if (part.n == 0)
        return 0;
    r = write_part(s, part, &script, err);
    if (r)
        return r;
    if (part.n == 1)
        r = visit_alone(s, section, part.items[0].id, &script, v, err);
    else if (part_is_right(&script, part))
        r = visit_cut(s, section, &script, v, err);
    else
        is_wrong = 1;
    unmap(&script);
    return is_wrong ? visit_halves(s, section, part, v, err) : r;
}

static int
by_pass_and_line(const void *a, const void *b)
{
    const struct toc_item *x = a, *y = b;

    if (x->pass != y->pass)
        return x->pass < y->pass ? -1 : 1;
    return x->line < y->line ? -1 : x->line > y->line;
}

static int
each_by_parts(struct schema *s, enum schema_section section, struct visitor *v,
              struct err *err)
{
    const struct toc *toc = &s->toc[section];
    struct toc_item *ordered;
    int r;

    ordered = calloc(toc->n_items + 1, sizeof *ordered);
    if (!ordered)
        return err_nomem(err);
    memcpy(ordered, toc->items, toc->n_items * sizeof *ordered);
    qsort(ordered, toc->n_items, sizeof *ordered, by_pass_and_line);
    r = visit_halves(s, section, (struct part){ordered, toc->n_items}, v, err);
    free(ordered);
    return r;
}

int
schema_each(struct schema *s, enum schema_section section,
            int (*visit)(void *arg, struct catalog_entry *entry, uint32_t oid,
                         struct err *err),
            void *arg, struct err *err)
{
    struct visitor v = {.visit = visit, .arg = arg};
    struct script script;
    int r;

    r = write_script(s, section_options[section], &script, err);
    if (r)
        return r;
    r = cut_is_right(s, section, &script)
            ? visit_cut(s, section, &script, &v, err)
            : each_by_parts(s, section, &v, err);
    unmap(&script);
    return r;
}
