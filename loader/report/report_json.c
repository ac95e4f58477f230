/* SPDX-License-Identifier: PostgreSQL */
#include "loader/report/report_private.h"

#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

#include "formats/manifest.h"
#include "io/printable.h"
#include "loader/catalog/catalog_db.h"
#include "loader/report/lines.h"

enum { VERSION = 1, TEXT_MAX = 4096 };

/* ---- pieces ---- */

static json_t *
text_json(const char *text)
{
    char cut[TEXT_MAX], shown[PRINTABLE_SIZE(TEXT_MAX)];

    if (!text)
        return json_null();
    snprintf(cut, sizeof cut, "%s", text);
    return json_string(printable(shown, sizeof shown, cut));
}

static void
set_text(json_t *o, const char *member, const char *text)
{
    json_object_set_new(o, member, text_json(text));
}

static void
set_number(json_t *o, const char *member, uint64_t n)
{
    json_object_set_new(o, member, manifest_u64_json(n));
}

/* "2026-11-28T00:19:02.123Z" */
static void
set_time(json_t *o, const char *member, uint64_t at_ms)
{
    time_t s = (time_t)(at_ms / 1000);
    char text[64], seconds[32];
    struct tm tm;

    if (!at_ms || !gmtime_r(&s, &tm)) {
        json_object_set_new(o, member, json_null());
        return;
    }
    strftime(seconds, sizeof seconds, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(text, sizeof text, "%s.%03dZ", seconds, (int)(at_ms % 1000));
    json_object_set_new(o, member, json_string(text));
}

/* A member of what was read, without what says what it is. */
static json_t *
without_record(const json_t *o)
{
    json_t *copy = json_copy((json_t *)o);

    json_object_del(copy, "record");
    json_object_del(copy, "format");
    json_object_del(copy, "event");
    return copy;
}

/* ---- members ---- */

static json_t *
verdict_json(const struct report *r)
{
    json_t *o = json_object();

    set_text(o, "verdict", report_verdict_name(r->verdict));
    set_text(o, "because", r->because);
    set_time(o, "proved", report_proved_at(r));
    return o;
}

static json_t *
run_json(const struct report *r)
{
    static const char *const states[] = {"new", "exporting", "staged"};
    const struct facts *f = r->params.facts;
    char lsn[REPORT_LSN];
    json_t *o = json_object();

    set_text(o, "id", f->run_id);
    set_text(o, "directory", run_dir_path(r->params.dir));
    set_text(o, "state", states[f->state]);
    set_text(o, "seal_sha256", *r->seal ? r->seal : NULL);
    set_text(o, "source", f->source);
    set_text(o, "database", f->database);
    set_text(o, "system_id", f->system_id);
    set_text(o, "encoding", f->encoding);
    set_number(o, "server_version", (uint64_t)f->version);
    set_text(o, "snapshot", f->snapshot);
    set_text(o, "lsn", f->lsn ? report_lsn(lsn, f->lsn) : NULL);
    set_text(o, "selection", f->selection);
    return o;
}

static json_t *
copy_json(const struct report *r)
{
    const struct catalog_counts *n = &r->counts;
    json_t *o = json_object();

    set_number(o, "tables", n->n_tables);
    set_number(o, "tables_failed", n->n_tables_failed);
    set_number(o, "chunks", n->n_chunks);
    set_number(o, "chunks_staged", n->n_chunks_staged);
    set_number(o, "chunks_loaded", n->n_chunks_loaded);
    set_number(o, "entries", n->n_entries);
    set_number(o, "entries_done", n->n_entries_done);
    set_number(o, "entries_failed", n->n_entries_failed);
    set_number(o, "skipped", n->n_skipped);
    set_number(o, "skipped_harmful", n->n_skipped_harmful);
    set_number(o, "rows", n->n_rows);
    set_number(o, "raw_bytes", n->raw_bytes);
    set_number(o, "file_bytes", n->file_bytes);
    return o;
}

/* The head and the end of the record as one object, and what it counts. */
static json_t *
proof_json(const struct report *r)
{
    const struct proved *p = &r->proved;
    json_t *o, *end;

    if (!p->is_there)
        return json_null();
    o = without_record(p->head);
    end = without_record(p->end);
    json_object_del(o, "at");
    json_object_del(end, "at");
    json_object_update(o, end);
    json_decref(end);
    set_time(o, "begun", proved_begun_at(p));
    set_time(o, "ended", proved_ended_at(p));
    json_object_set_new(o, "is_current", json_boolean(!r->is_stale));
    set_number(o, "rows", p->n_rows);
    set_number(o, "tables_equal", p->n_tables[PROVED_EQUAL]);
    set_number(o, "tables_accepted", p->n_tables[PROVED_ACCEPTED]);
    set_number(o, "tables_differ", p->n_tables[PROVED_DIFFERS]);
    set_number(o, "tables_missing", p->n_tables[PROVED_MISSING]);
    set_number(o, "tables_failed", p->n_tables[PROVED_FAILED]);
    return o;
}

static json_t *
servers_json(const struct report *r)
{
    json_t *o = json_object();

    json_object_set_new(o, "source",
                        r->history.source ? without_record(r->history.source)
                                          : json_null());
    json_object_set_new(o, "target",
                        r->history.target ? without_record(r->history.target)
                                          : json_null());
    return o;
}

/* ---- arrays ---- */

static int
put_table(void *arg, const struct report_table *t, struct err *err)
{
    static const char *const words[REPORT_N_TROUBLES] = {
        [REPORT_TABLE_DIFFERS] = "differs",
        [REPORT_TABLE_MISSING] = "missing",
        [REPORT_TABLE_UNCOMPARED] = "uncompared",
        [REPORT_TABLE_FAILED] = "failed",
        [REPORT_TABLE_UNFINISHED] = "unfinished",
        [REPORT_TABLE_ACCEPTED] = "accepted",
        [REPORT_TABLE_FINE] = "copied",
    };
    json_t *o = json_object();

    set_text(o, "schema", t->schema);
    set_text(o, "name", t->name);
    set_text(o, "verdict",
             t->trouble == REPORT_TABLE_FINE && t->proved ? "equal"
                                                          : words[t->trouble]);
    if (t->why)
        set_text(o, "why", t->why);
    set_number(o, "tables", t->n_tables);
    set_number(o, "chunks", t->n_chunks);
    set_number(o, "chunks_staged", t->n_chunks - t->n_unstaged);
    set_number(o, "chunks_loaded", t->n_chunks - t->n_unloaded);
    set_number(o, "rows", t->n_rows);
    set_number(o, "raw_bytes", t->n_raw);
    set_number(o, "file_bytes", t->n_stored);
    set_text(o, "digest", *t->digest ? t->digest : NULL);
    json_object_set_new(o, "worker_ms",
                        json_pack("{s:o,s:o,s:o,s:o}", "export",
                                  manifest_u64_json(t->export_ms), "load",
                                  manifest_u64_json(t->load_ms), "build",
                                  manifest_u64_json(t->build_ms), "verify",
                                  manifest_u64_json(t->verify_ms)));
    json_object_set_new(o, "proof",
                        t->proved ? without_record(t->proved) : json_null());
    return manifest_writer_element(arg, o, err);
}

static int
put_line(void *arg, const json_t *o, struct err *err)
{
    return manifest_writer_element(arg, without_record(o), err);
}

static int
put_lines(struct report *r, struct manifest_writer *w, const char *name,
          const char *sql, struct err *err)
{
    int e = manifest_writer_array(w, name, err);

    if (!e)
        e = report_each_line(r, sql, put_line, w, err);
    return e ? e : manifest_writer_array_end(w, err);
}

static int
put_sequences(struct report *r, struct manifest_writer *w, struct err *err)
{
    uint64_t cursor = 0;
    int e = manifest_writer_array(w, "sequences", err);

    while (!e) {
        cleanup_(catalog_sequence_freep) struct catalog_sequence *q = NULL;
        json_t *o;

        e = catalog_next_sequence(r->params.catalog, &cursor, &q, err);
        if (e)
            break;
        o = json_object();
        set_text(o, "schema", q->schema);
        set_text(o, "name", q->name);
        json_object_set_new(o, "last_value", manifest_i64_json(q->last_value));
        json_object_set_new(o, "is_called", json_boolean(q->is_called));
        e = manifest_writer_element(w, o, err);
    }
    return e == CATALOG_E_NONE ? manifest_writer_array_end(w, err) : e;
}

static int
put_skips(struct report *r, struct manifest_writer *w, struct err *err)
{
    uint64_t cursor = 0;
    int e = manifest_writer_array(w, "skipped", err);

    while (!e) {
        cleanup_(catalog_skip_freep) struct catalog_skip *s = NULL;
        json_t *o;

        e = catalog_next_skip(r->params.catalog, &cursor, &s, err);
        if (e)
            break;
        o = json_object();
        set_text(o, "kind", s->kind);
        set_text(o, "schema", s->schema);
        set_text(o, "name", s->name);
        set_text(o, "reason", s->reason);
        json_object_set_new(o, "harmless", json_boolean(s->harmless));
        e = manifest_writer_element(w, o, err);
    }
    return e == CATALOG_E_NONE ? manifest_writer_array_end(w, err) : e;
}

static int
put_failures(struct report *r, struct manifest_writer *w, struct err *err)
{
    uint64_t cursor = 0;
    int e = manifest_writer_array(w, "failures", err);

    while (!e) {
        cleanup_(freep) char *what = NULL;
        cleanup_(freep) char *why = NULL;
        json_t *o;

        e = catalog_next_failure(r->params.catalog, &cursor, &what, &why, err);
        if (e)
            break;
        o = json_object();
        set_text(o, "what", what);
        set_text(o, "why", why);
        e = manifest_writer_element(w, o, err);
    }
    return e == CATALOG_E_NONE ? manifest_writer_array_end(w, err) : e;
}

/* ---- commands ---- */

static json_t *
lane_json(const struct history_lane *l)
{
    json_t *o = json_object();

    set_text(o, "lane", l->name);
    set_number(o, "workers", l->n_workers);
    set_number(o, "done", l->n_done);
    set_number(o, "again", l->n_again);
    set_number(o, "failed", l->n_failed);
    set_number(o, "rows", l->n_rows);
    set_number(o, "bytes", l->n_bytes);
    set_number(o, "stored", l->n_stored);
    set_number(o, "ms", l->ended_at - l->begun_at);
    return o;
}

static json_t *
phase_json(const struct history_phase *p)
{
    json_t *o = json_object();

    set_text(o, "name", p->name);
    set_time(o, "begun", p->at);
    json_object_set_new(o, "ms",
                        p->ms == HISTORY_OPEN ? json_null()
                                              : manifest_u64_json(p->ms));
    json_object_set_new(o, "failed", json_boolean(p->failed));
    return o;
}

static json_t *
command_json(const struct history_command *k)
{
    json_t *o = json_object(), *lanes = json_array(), *phases = json_array();

    set_text(o, "command", k->name);
    set_text(o, "version", k->version);
    set_time(o, "begun", k->at);
    set_number(o, "ms", history_ms(k));
    json_object_set_new(o, "status",
                        k->has_ended ? json_integer(k->status) : json_null());
    if (k->has_ended && k->status)
        set_text(o, "why", k->why);
    json_object_set(o, "options", k->options);
    for (unsigned i = 0; i < k->n_lanes; i++)
        json_array_append_new(lanes, lane_json(&k->lanes[i]));
    for (unsigned i = 0; i < k->n_phases; i++)
        json_array_append_new(phases, phase_json(&k->phases[i]));
    json_object_set_new(o, "lanes", lanes);
    json_object_set_new(o, "phases", phases);
    return o;
}

static int
put_commands(struct report *r, struct manifest_writer *w, struct err *err)
{
    int e = manifest_writer_array(w, "commands", err);

    for (unsigned i = 0; !e && i < r->history.n; i++)
        e = manifest_writer_element(w, command_json(&r->history.commands[i]),
                                    err);
    return e ? e : manifest_writer_array_end(w, err);
}

static int
put_retries(struct report *r, struct manifest_writer *w, struct err *err)
{
    cleanup_(catalog_db_endp) sqlite3_stmt *q = NULL;
    struct catalog *c = r->params.catalog;
    int e = manifest_writer_array(w, "retries", err);

    if (!e)
        e = catalog_db_query(c, err, &q,
                             SQL("SELECT at, lane, outcome, why, label, n"
                                 " FROM report_trouble ORDER BY at"));
    while (!e) {
        json_t *o = json_object();

        set_time(o, "first", catalog_db_u64(q, 0));
        set_text(o, "lane", (const char *)sqlite3_column_text(q, 1));
        set_text(o, "outcome", (const char *)sqlite3_column_text(q, 2));
        set_text(o, "why", (const char *)sqlite3_column_text(q, 3));
        set_text(o, "label", (const char *)sqlite3_column_text(q, 4));
        set_number(o, "n", catalog_db_u64(q, 5));
        e = manifest_writer_element(w, o, err);
        if (!e)
            e = catalog_db_next(c, err, q);
    }
    return e == CATALOG_E_NONE ? manifest_writer_array_end(w, err) : e;
}

/* ---- all ---- */

static int
put_facts(struct report *r, struct manifest_writer *w, struct err *err)
{
    json_t *made = json_object();
    int e;

    set_time(made, "at", r->made_at);
    set_text(made, "version", r->params.version);
    e = manifest_writer_member(w, "format", json_string("pghaul report"), err);
    if (!e)
        e = manifest_writer_member(w, "version", json_integer(VERSION), err);
    if (!e)
        e = manifest_writer_member(w, "made", json_incref(made), err);
    if (!e)
        e = manifest_writer_member(w, "result", verdict_json(r), err);
    if (!e)
        e = manifest_writer_member(w, "run", run_json(r), err);
    if (!e)
        e = manifest_writer_member(w, "copy", copy_json(r), err);
    if (!e)
        e = manifest_writer_member(w, "proof", proof_json(r), err);
    if (!e)
        e = manifest_writer_member(w, "servers", servers_json(r), err);
    json_decref(made);
    return e;
}

static int
put_tables(struct report *r, struct manifest_writer *w, struct err *err)
{
    int e = manifest_writer_array(w, "tables", err);

    if (!e)
        e = report_each_table(r, REPORT_TABLES, UINT64_MAX, put_table, w, err);
    return e ? e : manifest_writer_array_end(w, err);
}

int
report_json(struct report *r, const struct bytes_out *out, struct err *err)
{
    cleanup_(manifest_writer_freep) struct manifest_writer *w = NULL;
    int e = manifest_writer_begin(&w, out, err);

    if (!e)
        e = put_facts(r, w, err);
    if (!e)
        e = put_tables(r, w, err);
    if (!e)
        e = put_lines(r, w, "rows", "SELECT line FROM report_rows ORDER BY id",
                      err);
    if (!e)
        e = put_lines(r, w, "findings",
                      "SELECT line FROM report_findings ORDER BY rank, id",
                      err);
    if (!e)
        e = put_sequences(r, w, err);
    if (!e)
        e = put_skips(r, w, err);
    if (!e)
        e = put_failures(r, w, err);
    if (!e)
        e = put_retries(r, w, err);
    if (!e)
        e = put_commands(r, w, err);
    return e ? e : manifest_writer_end(w, err);
}
