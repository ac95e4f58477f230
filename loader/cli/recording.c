/* SPDX-License-Identifier: PostgreSQL */
#include "loader/cli/recording.h"

#include <stdio.h>

#include "formats/hex.h"
#include "io/printable.h"
#include "loader/cli/config.h"
#include "loader/cli/options_json.h"
#include "loader/cli/proving_layers.h"
#include "loader/cli/reporting.h"
#include "loader/progress/portrait.h"

static json_t *
text_json(const char *text)
{
    char shown[PRINTABLE_SIZE(1024)];

    return json_string(printable(shown, sizeof shown, text ? text : ""));
}

static void
add_server(json_t *o, const struct proof_side *side)
{
    const struct session *s = proof_side_session(side);
    const PGconn *c = session_conn((struct session *)s);
    const char *version = PQparameterStatus(c, "server_version");
    char what[512];

    snprintf(what, sizeof what, "database \"%s\" of the %s, in one snapshot",
             PQdb(c), proof_side_name(side));
    json_object_set_new(o, "what", text_json(what));
    json_object_set_new(o, "host", text_json(PQhost(c)));
    json_object_set_new(o, "port", text_json(PQport(c)));
    json_object_set_new(o, "database", text_json(PQdb(c)));
    json_object_set_new(o, "user", text_json(PQuser(c)));
    json_object_set_new(o, "server_version", text_json(version));
}

static json_t *
side_json(const struct proof_side *side)
{
    json_t *o = json_object();
    char what[128];

    json_object_set_new(o, "name", text_json(proof_side_name(side)));
    if (proof_side_is_server(side)) {
        add_server(o, side);
        return o;
    }
    snprintf(what, sizeof what, "what run %s has staged",
             proof_side_facts(side)->run_id);
    json_object_set_new(o, "what", text_json(what));
    return o;
}

/* What was set beforehand, and the file that it stands in. */
static void
add_rules(json_t *o, const struct options *options)
{
    const struct config *file = options->file;
    char hex[65];
    json_t *rules = json_array();

    for (unsigned i = 0; i < options->accept.n; i++)
        json_array_append_new(rules, text_json(options->accept.texts[i]));
    json_object_set_new(o, "accept", rules);
    if (!file)
        return;
    hex_encode(hex, file->sha256, 32);
    json_object_set_new(o, "config", text_json(file->path));
    json_object_set_new(o, "config_sha256", json_string(hex));
}

static json_t *
head(const struct facts *f, const struct proof_pair *pair,
     const struct options *options)
{
    json_t *o = json_object();

    json_object_set_new(o, "run", text_json(f->run_id));
    json_object_set_new(o, "left", side_json(pair->at[PROOF_LEFT]));
    json_object_set_new(o, "right", side_json(pair->at[PROOF_RIGHT]));
    add_rules(o, options);
    return o;
}

static int
log_servers(const struct workplace *w, const struct proof_pair *pair,
            struct err *err)
{
    int r = 0;

    for (int i = 0; i < PROOF_ENDS && !r; i++)
        if (proof_side_is_server(pair->at[i]))
            r = portrait_log(w->events, proof_side_name(pair->at[i]),
                             proof_side_session(pair->at[i]), err);
    return r;
}

/* ---- a directory of its own ---- */

static int
open_own(struct recording *r, struct err *err)
{
    const struct workplace *w = r->workplace;
    struct workplace *own = &r->own;
    int e;

    *own = (struct workplace){.ctx = w->ctx, .progress = w->progress};
    e = run_dir_open(&own->dir, w->ctx->options->report, RUN_DIR_CREATE, err);
    if (!e)
        e = catalog_open(&own->catalog, own->dir, 1, err);
    if (!e)
        e = events_open(&own->events, run_dir_fd(own->dir), err);
    if (e)
        return e;
    progress_log(own->progress, own->events);
    events_begin(own->events, "verify", PGHAUL_VERSION,
                 options_json(w->ctx->options));
    return 0;
}

static void
close_own(struct recording *r)
{
    if (r->own.events)
        progress_log(r->own.progress, r->workplace->events);
    events_free(r->own.events);
    catalog_free(r->own.catalog);
    run_dir_free(r->own.dir);
    r->own = (struct workplace){0};
}

static struct workplace *
place_of(struct recording *r)
{
    return r->own.dir ? &r->own : r->workplace;
}

/* ---- begin ---- */

static int
is_wanted(const struct workplace *w)
{
    const struct options *o = w->ctx->options;

    return o->report || (w->dir && run_dir_mode(w->dir) != RUN_DIR_LOOK &&
                         o->target && proving_layers_has_rows(o));
}

int
recording_begin(struct recording *r, struct workplace *w, const struct facts *f,
                const struct proof_pair *pair, struct err *err)
{
    const struct options *o = w->ctx->options;
    int e;

    r->workplace = w;
    e = o->report ? open_own(r, err) : 0;
    if (!e)
        e = log_servers(place_of(r), pair, err);
    if (e || !is_wanted(w))
        return e;
    return proof_record_open(&r->record, place_of(r)->dir,
                             head(r->own.dir ? &r->none : f, pair, o), err);
}

void
recording_clear(struct recording *r)
{
    r->record = proof_record_free(r->record);
    close_own(r);
}

/* ---- what is told ---- */

static void
hear_table(void *arg, const struct proof_table *table)
{
    const struct recording *r = arg;

    proof_record_table(r->record, table);
    proof_tell_table(&r->to, table);
}

static void
hear_row(void *arg, const struct proof_row *row)
{
    const struct recording *r = arg;

    proof_record_row(r->record, row);
    proof_tell_row(&r->to, row);
}

static void
hear_finding(void *arg, const struct proof_finding *finding)
{
    const struct recording *r = arg;

    proof_record_finding(r->record, finding);
    proof_tell_finding(&r->to, finding);
}

struct proof_listener
recording_listener(struct recording *r, const struct proof_listener *to)
{
    if (!r->record)
        return *to;
    r->to = *to;
    return (struct proof_listener){
        .table = hear_table,
        .row = hear_row,
        .finding = hear_finding,
        .arg = r,
    };
}

/* ---- the end ---- */

static int
keep(struct recording *r, const struct facts *f, const struct err *why,
     struct err *err)
{
    const struct options *o = r->workplace->ctx->options;
    const struct workplace *w = place_of(r);
    char path[PRINTABLE_SIZE(1024)];
    int e;

    if (r->own.events)
        events_end(r->own.events, why);
    e = proof_record_end(r->record, why, err);
    if (!e)
        e = reporting_write(w, r->own.dir ? &r->none : f, err);
    if (!e && !o->json && !o->quiet)
        printf("report in \"%s/report.html\"\n",
               printable(path, sizeof path, run_dir_path(w->dir)));
    return e;
}

int
recording_end(struct recording *r, const struct facts *f, int verdict,
              struct err *err)
{
    struct err not_kept;

    if (!r->record || (verdict && err->class != ERR_DIFFERS) ||
        keep(r, f, verdict ? err : NULL, &not_kept) == 0)
        return verdict;
    /* What was found counts more. */
    if (verdict)
        progress_note(r->workplace->progress, "%s", not_kept.message);
    else
        *err = not_kept;
    return -1;
}
