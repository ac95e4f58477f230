/* SPDX-License-Identifier: PostgreSQL */
#include <inttypes.h>
#include <jansson.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "formats/hex.h"
#include "formats/manifest.h"
#include "io/store/store.h"
#include "loader/archive/archive_source.h"
#include "loader/archive/attestation.h"
#include "loader/cli/archiving.h"
#include "loader/cli/copying.h"
#include "loader/cli/keying.h"
#include "loader/cli/loading.h"
#include "loader/cli/objects.h"
#include "loader/cli/verifying.h"
#include "loader/pg/conninfo.h"
#include "loader/pg/session.h"
#include "loader/progress/quantity.h"
#include "loader/run/witness.h"

enum { HEX = 65, NAME_SIZE = 64 };

struct drill {
    struct archiving archiving; /* the first: see drill() */
    char name[NAME_SIZE];       /* of the throw-away database */
    char *conninfo;             /* its */
    int made;
    char begun[WITNESS_TIME];
    char bag[HEX], run[NAME_SIZE];
    int server_version;
    struct catalog_counts counts;
    char *report; /* the file */
};

/* ---- the throw-away database ---- */

static int
make_conninfo(struct drill *d, const char *target, struct err *err)
{
    cleanup_(conninfo_options_freep) PQconninfoOption *given = NULL;
    size_t len;
    FILE *f;
    int r = conninfo_options(&given, target, err);

    if (r)
        return r;
    f = open_memstream(&d->conninfo, &len);
    if (!f)
        return err_nomem(err);
    for (PQconninfoOption *o = given; o->keyword; o++)
        if (o->val && strcmp(o->keyword, "dbname") != 0)
            conninfo_put(f, o->keyword, o->val);
    conninfo_put(f, "dbname", d->name);
    return fclose(f) == 0 ? 0 : err_nomem(err);
}

static int
open_session(struct session **ret, const struct workplace *w,
             const char *target, struct err *err)
{
    const struct session_params p = {
        .conninfo = target,
        .side = SESSION_TARGET,
        .purpose = "drill",
        .stop = w->ctx->stop,
    };

    return session_open(ret, &p, err);
}

/* As the server's default locale has it, or, where that does not take the
   encoding, in the one that takes all. */
static int
create_database(struct drill *d, struct workplace *w, const char *target,
                struct err *err)
{
    cleanup_(session_freep) struct session *s = NULL;
    const char *encoding = d->archiving.facts.encoding;
    int r = open_session(&s, w, target, err);

    if (r)
        return r;
    d->server_version = session_server_version(s);
    r = session_execf(s, err,
                      "CREATE DATABASE %s TEMPLATE template0 ENCODING '%s'",
                      d->name, encoding);
    if (r && strcmp(err->sqlstate, "22023") == 0)
        r = session_execf(s, err,
                          "CREATE DATABASE %s TEMPLATE template0"
                          " ENCODING '%s' LOCALE 'C'",
                          d->name, encoding);
    d->made = r == 0;
    return r;
}

static int
drop_database(struct drill *d, struct workplace *w, const char *target,
              struct err *err)
{
    cleanup_(session_freep) struct session *s = NULL;
    int r;

    if (!d->made)
        return 0;
    r = open_session(&s, w, target, err);
    return r ? r
             : session_execf(s, err, "DROP DATABASE %s WITH (FORCE)", d->name);
}

/* ---- the report ---- */

static json_t *
report_json(const struct drill *d, const struct err *why)
{
    char ended[WITNESS_TIME];
    json_t *o = json_pack(
        "{s:s,s:s,s:s,s:s,s:s,s:s,s:i,s:o,s:o,s:o,s:b}", "did", "drilled",
        "archive", d->archiving.where, "bag", d->bag, "run", d->run, "begun",
        d->begun, "ended", witness_time(ended), "server_version",
        d->server_version, "tables", manifest_u64_json(d->counts.n_tables),
        "chunks", manifest_u64_json(d->counts.n_chunks), "rows",
        manifest_u64_json(d->counts.n_rows), "right", why == NULL);

    if (why)
        json_object_set_new(o, "because", json_string(why->message));
    return o;
}

/* "FILE.drill-2031-05-04T030201Z.json" */
static int
name_report(struct drill *d, struct err *err)
{
    char day[WITNESS_TIME], *to = day;

    for (const char *at = d->begun; *at && *at != '.'; at++)
        if (*at != ':')
            *to++ = *at;
    *to = '\0';
    if (asprintf(&d->report, "%s.drill-%sZ.json", d->archiving.where, day) >= 0)
        return 0;
    d->report = NULL;
    return err_nomem(err);
}

static int
write_file(const char *name, const char *text, struct err *err)
{
    const struct store_out_params p = {.where = name};
    cleanup_(store_out_freep) struct store_out *out = NULL;
    int r = store_out_open(&out, &p, err);

    if (!r)
        r = store_out_append(out, text, strlen(text), err);
    if (!r)
        r = store_out_commit(out, err);
    return r == STORE_E_EXISTS
               ? err_set(err, ERR_REFUSED, "\"%s\" exists already", name)
               : r;
}

/* The report, and beside it what "sha256sum -c" takes. */
static int
write_report(struct drill *d, json_t *report, char ret_sha256[HEX],
             struct err *err)
{
    cleanup_(freep) char *text = json_dumps(report, JSON_INDENT(2));
    cleanup_(freep) char *line = NULL, *name = NULL;
    const char *base = strrchr(d->report, '/');
    unsigned char sha256[32];
    int r;

    if (!text)
        return err_nomem(err);
    SHA256((const unsigned char *)text, strlen(text), sha256);
    hex_encode(ret_sha256, sha256, sizeof sha256);
    if (asprintf(&name, "%s.sha256", d->report) < 0 ||
        asprintf(&line, "%s  %s\n", ret_sha256, base ? base + 1 : d->report) <
            0)
        return err_nomem(err);
    r = write_file(d->report, text, err);
    return r ? r : write_file(name, line, err);
}

static int
report(struct drill *d, const struct err *why, struct err *err)
{
    json_t *o = report_json(d, why);
    char sha256[HEX];
    int r = name_report(d, err);

    if (!r)
        r = write_report(d, o, sha256, err);
    if (r) {
        json_decref(o);
        return r;
    }
    json_object_set_new(o, "report_sha256", json_string(sha256));
    return attestation_add(d->archiving.where, o, err);
}

/* ---- the drill ---- */

static int
restore(struct drill *d, struct workplace *w, struct err *err)
{
    cleanup_(archive_source_freep) struct archive_source *s = NULL;
    enum account_end end;
    int r = copying_open_keys(w, &d->archiving.facts, err);

    if (!r)
        r = archive_source_new(&s, d->archiving.archive, w->identities, err);
    if (!r)
        r = loading_all(w, &d->archiving.facts, archive_source_staged(s), &end,
                        err);
    d->archiving.options.quiet = 1; /* its report is gone with the directory */
    if (!r)
        r = verifying(w, err);
    return r ? r : workplace_check_skips(w, err);
}

static int
drill(struct archiving *a, struct workplace *w, struct err *err)
{
    struct drill *d = (struct drill *)a;
    const char *target = a->options.target;
    struct err ignored;
    int r;

    hex_encode(d->bag, archive_in_bag(a->archive), 32);
    snprintf(d->run, sizeof d->run, "%s", a->facts.run_id);
    snprintf(d->name, sizeof d->name, "pghaul_drill_%.8s_%d", a->facts.run_id,
             (int)getpid());
    r = catalog_count(w->catalog, &d->counts, err);
    if (!r)
        r = make_conninfo(d, target, err);
    if (!r)
        r = create_database(d, w, target, err);
    a->options.target = d->conninfo;
    if (!r)
        r = restore(d, w, err);
    a->options.target = target;
    if (!r)
        return drop_database(d, w, target, err);
    drop_database(d, w, target, &ignored);
    return r;
}

/* That nobody could be asked, or that it was interrupted, says nothing about
   the archive. */
static int
is_verdict(const struct err *why)
{
    return why->class == ERR_CORRUPT || why->class == ERR_DIFFERS;
}

static int
run(const struct command_context *ctx, struct err *err)
{
    struct drill d = {.archiving = {.work = drill}};
    char rows[QUANTITY_SIZE];
    struct err ignored;
    int r;

    if (store_is_stream(ctx->options->operands[0]))
        return err_set(err, ERR_USAGE, "a drill needs an archive with a name");
    witness_time(d.begun);
    r = archiving_do(&d.archiving, ctx, err);
    if (r == 0)
        r = report(&d, NULL, err);
    else if (is_verdict(err))
        report(&d, err, &ignored);
    if (!r && !ctx->options->quiet)
        printf("restored, and every row found equal: %s in %" PRIu64
               " tables\nreport in \"%s\"\n",
               quantity_rows(rows, d.counts.n_rows), d.counts.n_tables,
               d.report);
    free(d.conninfo);
    free(d.report);
    return r;
}

const struct command command_archive_drill = {
    .name = "archive drill",
    .summary = "prove that an archive can be restored, by doing it",
    .description =
        "Makes a database of its own on the server of --target, restores the "
        "archive into it, compares every row with the digests that the export "
        "recorded, and drops the database again: the restore test as one "
        "command, for cron.\n\n"
        "The result is a dated file beside the archive, FILE.drill-TIME.json, "
        "with its checksum in another; and a line of "
        "FILE.attestations.jsonl.  The exit status is 0 only when every row "
        "was found equal.",
    .operands = "FILE",
    .min_operands = 1,
    .max_operands = 1,
    .requires = OPTION_SET(target),
    .takes = OBJECTS_OPTIONS | KEYING_IDENTITY_OPTIONS | OPTION_SET(jobs) |
             OPTION_SET(ledger_schema) | OPTION_SET(no_owner) |
             OPTION_SET(no_acl) | OPTION_SET(progress) | OPTION_SET(quiet),
    .run = run,
};
