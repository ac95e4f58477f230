/* SPDX-License-Identifier: PostgreSQL */
#include "loader/cli/copying.h"

#include <stdlib.h>
#include <string.h>

#include "io/printable.h"
#include "loader/bag/seal.h"
#include "loader/bag/staged.h"
#include "loader/cli/confirm.h"

static const enum planner_format formats[] = {
    [OPTION_FORMAT_AUTO] = PLANNER_AUTO,
    [OPTION_FORMAT_BINARY] = PLANNER_BINARY,
    [OPTION_FORMAT_TEXT] = PLANNER_TEXT,
};

static const enum frame_codec codecs[] = {
    [OPTION_COMPRESS_LZ4] = FRAME_LZ4,
    [OPTION_COMPRESS_NONE] = FRAME_STORED,
};

static const enum sink_choice sinks[] = {
    [OPTION_IO_AUTO] = SINK_CHOICE_AUTO,
    [OPTION_IO_URING] = SINK_CHOICE_URING,
    [OPTION_IO_SYNC] = SINK_CHOICE_SYNC,
};

static const char *const plugins[] = {
    [OPTION_PLUGIN_PGOUTPUT] = "pgoutput",
    [OPTION_PLUGIN_TEST_DECODING] = "test_decoding",
    [OPTION_PLUGIN_WAL2JSON] = "wal2json",
    [OPTION_PLUGIN_DECODERBUFS] = "decoderbufs",
};

static const enum identity_policy policies[] = {
    [OPTION_REPLICA_IDENTITY_REFUSE] = IDENTITY_REFUSE,
    [OPTION_REPLICA_IDENTITY_FULL] = IDENTITY_FULL,
    [OPTION_REPLICA_IDENTITY_SKIP] = IDENTITY_SKIP,
};

const char *
copying_plugin(const struct options *o)
{
    return plugins[o->plugin];
}

static const enum room_choice rooms[] = {
    [OPTION_ON_TARGET_FULL_WAIT] = ROOM_WAIT,
    [OPTION_ON_TARGET_FULL_STOP] = ROOM_STOP,
};

static const enum guard_choice choices[] = {
    [OPTION_ON_LIMIT_SLOW] = GUARD_SLOW,
    [OPTION_ON_LIMIT_PAUSE] = GUARD_PAUSE,
    [OPTION_ON_LIMIT_STOP] = GUARD_STOP,
};

struct guard_limits
copying_guard_limits(const struct options *o)
{
    return (struct guard_limits){
        .max = {[VITAL_SNAPSHOT_AGE] = o->max_snapshot_age,
                [VITAL_WAL] = o->max_wal_retained,
                [VITAL_REPLICA_LAG] = o->max_replica_lag,
                [VITAL_SESSIONS] = o->max_active_sessions},
        .choice = choices[o->on_limit],
    };
}

struct planner_params
copying_planner_params(const struct options *o)
{
    return (struct planner_params){
        .chunk_size = o->chunk_size,
        .format = o->profile == OPTION_PROFILE_ARCHIVE &&
                          !(o->given & OPTION_SET(format))
                      ? PLANNER_TEXT
                      : formats[o->format],
        .publications = o->publications,
    };
}

struct export_params
copying_export_params(const struct workplace *w, struct selection *selection)
{
    const struct options *o = w->ctx->options;

    return (struct export_params){
        .conninfo = o->source,
        .plan = copying_planner_params(o),
        .selection = selection,
        .codec = codecs[o->compress],
        .recipients = w->recipients,
        .identities = w->identities,
        .sink = sinks[o->io],
        .jobs = o->jobs,
        .start_over = o->start_over,
        .new_epoch = o->new_epoch,
        .cdc = o->cdc,
        .capture = {.slot = o->slot,
                    .publication = o->publication,
                    .plugin = copying_plugin(o),
                    .identity = policies[o->replica_identity],
                    .conninfo = o->source,
                    .stop = w->ctx->stop},
        .slot_timeout_s = o->slot_timeout,
        .keeper_hours = o->keeper_hours,
        .roles = o->roles,
        .limits = copying_guard_limits(o),
        .max_rate = o->max_rate,
        .stop = w->ctx->stop,
        .progress = w->progress,
    };
}

struct load_params
copying_load_params(const struct workplace *w, const struct facts *f)
{
    const struct options *o = w->ctx->options;

    return (struct load_params){
        .conninfo = o->target,
        .ledger_schema = o->ledger_schema,
        .facts = f,
        .identities = w->identities,
        .jobs = o->jobs,
        .index_jobs = o->index_jobs,
        .no_owner = o->no_owner,
        .no_acl = o->no_acl,
        .no_analyze = o->no_analyze,
        .on_full = rooms[o->on_target_full],
        .sequence_margin = o->sequence_margin,
        .roles = o->roles,
        .publications = o->publications,
        .into_existing = o->into_existing,
        .existing = {.rows = o->truncate ? EXISTING_TRUNCATED
                             : o->append ? EXISTING_KEPT
                                         : EXISTING_REFUSED,
                     .rebuild_indexes = o->rebuild_indexes,
                     .no_key_check = o->no_key_check,
                     .no_refresh = o->no_refresh,
                     .before_sql = o->before_sql,
                     .after_sql = o->after_sql},
        .stop = w->ctx->stop,
        .progress = w->progress,
    };
}

static int
note(struct workplace *w, const char *fact, const char *wish, struct err *err)
{
    cleanup_(freep) char *noted = NULL;
    int r;

    if (!wish)
        return 0;
    if (!seal_is_there(w->dir))
        return catalog_set(w->catalog, fact, wish, err);
    r = catalog_get(w->catalog, fact, &noted, err);
    if (r < 0 || (r == 0 && strcmp(noted, wish) == 0))
        return r;
    err_set(err, ERR_REFUSED, "\"%s\" is sealed already", run_dir_path(w->dir));
    return err_hint(err, "--retain-until and --legal-hold are part of what is "
                         "sealed: give them before the export is complete.");
}

int
copying_note_retention(struct workplace *w, struct err *err)
{
    const struct options *o = w->ctx->options;
    char reason[PRINTABLE_SIZE(1024)];
    int r = note(w, SEAL_RETAIN_UNTIL, o->retain_until, err);

    if (r || !o->legal_hold)
        return r;
    return note(w, SEAL_LEGAL_HOLD,
                printable(reason, sizeof reason, o->legal_hold), err);
}

/* Of a chunk, too: those of an older epoch another process has staged. */
static int
check_chunk_key(const struct workplace *w, struct err *err)
{
    struct catalog_file f = {0};
    int r = catalog_next_file(w->catalog, &f, err);

    if (!r)
        r = staged_check_key(w->dir, f.name, w->identities, err);
    catalog_file_clear(&f);
    return r == CATALOG_E_NONE ? 0 : r;
}

int
copying_open_keys(struct workplace *w, const struct facts *f, struct err *err)
{
    int r = 0;

    if (!f->recipients)
        return 0;
    if (!w->identities)
        r = keying_identities(&w->identities, w->ctx, err);
    if (!r)
        r = staged_check_key(w->dir, facts_schema_file(f), w->identities, err);
    /* Of an archive the chunks are elsewhere. */
    return r || f->discards || w->called ? r : check_chunk_key(w, err);
}

int
copying_confirm_load(const struct workplace *w, struct err *err)
{
    const struct options *o = w->ctx->options;

    if (!o->truncate || o->yes)
        return 0;
    return confirm("All rows of the run's tables in the target will be "
                   "removed.  Go on?",
                   err);
}

int
copying_keep_vigil(struct vigil **ret, const struct workplace *w,
                   struct err *err)
{
    const struct vigil_params p = {
        .conninfo = w->ctx->options->source,
        .catalog = w->catalog,
        .progress = w->progress,
        .stop = w->ctx->stop,
    };

    return vigil_begin(ret, &p, err);
}

void
copying_watch(struct lane *lane, struct vigil *vigil)
{
    lane->allow = vigil ? vigil_allow : NULL;
    lane->allow_arg = vigil;
}
