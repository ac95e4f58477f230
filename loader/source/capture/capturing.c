/* SPDX-License-Identifier: PostgreSQL */
#include "loader/source/capture/capturing.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loader/pg/place.h"
#include "loader/source/capture/publication.h"
#include "loader/source/keeper/slot.h"

enum { STANDBY_SLOTS = 160000 }; /* the first that has logical ones */

/* ---- can it be done? ---- */

struct situation {
    char wal_level[16];
    int may_publish; /* CREATE in the database */
    long free_slots;
    int standby;
    uint64_t lsn;
};

static int
ask_situation(struct session *s, struct situation *ret, struct err *err)
{
    cleanup_(session_clearp) PGresult *res = NULL;
    int r = session_query(
        s,
        "SELECT pg_catalog.current_setting('wal_level'),"
        " pg_catalog.has_database_privilege(pg_catalog.current_database(),"
        "  'CREATE'),"
        " pg_catalog.current_setting('max_replication_slots')::int"
        "  - (SELECT pg_catalog.count(*) FROM"
        "     pg_catalog.pg_replication_slots),"
        " pg_catalog.pg_is_in_recovery(),"
        " CASE WHEN pg_catalog.pg_is_in_recovery()"
        "  THEN pg_catalog.pg_last_wal_replay_lsn()"
        "  ELSE pg_catalog.pg_current_wal_lsn() END",
        &res, err);

    if (r)
        return r;
    snprintf(ret->wal_level, sizeof ret->wal_level, "%s",
             PQgetvalue(res, 0, 0));
    ret->may_publish = PQgetvalue(res, 0, 1)[0] == 't';
    ret->free_slots = strtol(PQgetvalue(res, 0, 2), NULL, 10);
    ret->standby = PQgetvalue(res, 0, 3)[0] == 't';
    capture_parse_lsn(PQgetvalue(res, 0, 4), &ret->lsn);
    return 0;
}

static int
check_server(struct session *s, const struct situation *now, struct err *err)
{
    if (now->standby && session_server_version(s) < STANDBY_SLOTS) {
        err_set(err, ERR_REFUSED,
                "a standby of PostgreSQL %d cannot have a "
                "logical replication slot",
                session_server_version(s) / 10000);
        return err_hint(err, "Export from the primary, or from a standby of "
                             "PostgreSQL 16 or later.");
    }
    if (strcmp(now->wal_level, "logical") != 0) {
        err_set(err, ERR_REFUSED, "wal_level is \"%s\" at the source",
                now->wal_level);
        return err_hint(err, "Set wal_level = logical and restart the server.");
    }
    if (now->free_slots > 0)
        return 0;
    err_set(err, ERR_REFUSED, "no replication slot is free at the source");
    return err_hint(err, "Raise max_replication_slots, or drop a slot that "
                         "nobody needs: see pg_replication_slots.");
}

static int
check_publication(struct session *s, const struct situation *now,
                  struct capture *m, struct err *err)
{
    int ours, r;

    if (!m->publication)
        return 0;
    r = publication_look(s, m->publication, m->run_id, &ours, err);
    if (r < 0)
        return r;
    if (now->standby) {
        m->found = 1;
        if (r == 0)
            return 0;
        err_set(err, ERR_REFUSED, "there is no publication \"%s\"",
                m->publication);
        err_detail(err, "It cannot be made on a standby.");
        return err_hint(err, "Make it on the primary, for exactly the tables "
                             "of this export, and name it by --publication.");
    }
    if (r == 0) {
        err_set(err, ERR_REFUSED, "publication \"%s\" exists already",
                m->publication);
        return err_hint(err, "Choose another name with --publication, or drop "
                             "it.");
    }
    if (now->may_publish)
        return 0;
    err_set(err, ERR_REFUSED, "this role may not make a publication");
    return err_hint(err, "GRANT CREATE ON DATABASE to it, or use another "
                         "role.");
}

/* Through the connection that will make it: whether the role may, whether
   pg_hba.conf lets it, whether a sender is free, is found out by trying. */
static int
check_slot(struct session *s, const struct capturing_params *p,
           const struct capture *m, struct err *err)
{
    char name[CAPTURING_NAME];
    const struct slot_params slot = {
        .conninfo = p->conninfo,
        .name = name,
        .plugin = m->plugin,
        .stop = p->stop,
    };
    struct slot_look look;
    int r = slot_look(s, m->slot, &look, err);

    if (r < 0)
        return r;
    if (r == 0) {
        err_set(err, ERR_REFUSED, "replication slot \"%s\" exists already",
                m->slot);
        return err_hint(err, "Choose another name with --slot, or drop it with "
                             "SELECT pg_drop_replication_slot(...).");
    }
    snprintf(name, sizeof name, "pghaul_try_%.8s", m->run_id);
    return slot_try(s, &slot, err);
}

/* ---- begin ---- */

static int
copy(char **ret, const char *text, struct err *err)
{
    *ret = strdup(text);
    return *ret ? 0 : err_nomem(err);
}

static int
choose_names(const struct capturing_params *p, const struct facts *f,
             struct capture *m, struct err *err)
{
    char standard[CAPTURING_NAME];
    const char *publication = p->publication;
    int r;

    m->epoch = f->epoch;
    if (f->epoch > 1)
        snprintf(standard, sizeof standard, "pghaul_%.8s_%u", f->run_id,
                 f->epoch);
    else
        snprintf(standard, sizeof standard, "pghaul_%.8s", f->run_id);
    if (!publication && strcmp(p->plugin, "pgoutput") == 0)
        publication = standard;
    r = copy(&m->slot, p->slot ? p->slot : standard, err);
    if (!r)
        r = copy(&m->plugin, p->plugin, err);
    if (!r)
        r = copy(&m->run_id, f->run_id, err);
    if (!r)
        r = copy(&m->system_id, f->system_id, err);
    if (!r)
        r = copy(&m->database, f->database, err);
    if (!r && publication)
        r = copy(&m->publication, publication, err);
    return r;
}

static int
check(struct session *s, const struct capturing_params *p, struct capture *m,
      struct err *err)
{
    struct situation now;
    int r = ask_situation(s, &now, err);

    if (!r)
        r = check_server(s, &now, err);
    if (!r)
        r = check_publication(s, &now, m, err);
    if (!r)
        r = check_slot(s, p, m, err);
    if (!r && now.standby && p->identity == IDENTITY_FULL) {
        err_set(err, ERR_REFUSED,
                "replica identities cannot be changed on a "
                "standby");
        return err_hint(err, "Change them on the primary, or give "
                             "--replica-identity skip.");
    }
    m->floor = now.lsn;
    return r;
}

static int
require_found(struct session *s, const struct capture *m, struct catalog *c,
              struct err *err)
{
    int r = publication_check(s, m, c, err);

    if (r != PUBLICATION_E_DIFFERS)
        return r;
    err_set(err, ERR_REFUSED,
            "publication \"%s\" does not hold exactly the tables of this "
            "export",
            m->publication);
    return err_hint(err, "On the primary, make it FOR TABLE with all of them, "
                         "and no others, columns or rows left out.");
}

static int
make(struct session *s, const struct capturing_params *p,
     const struct capture *m, struct catalog *c, struct err *err)
{
    const struct identity_params identity = {
        .epoch = m->epoch,
        .policy = p->identity,
        .owned = m->publication && !m->found,
        .filters =
            m->publication && !m->found && strcmp(m->plugin, "pgoutput") == 0,
    };
    int r;

    r = identity_sort(s, &identity, c, err);
    if (!r)
        r = identity_change(s, m->epoch, c, err);
    if (r || !m->publication)
        return r;
    return m->found ? require_found(s, m, c, err)
                    : publication_make(s, m, c, err);
}

/* What a hand-off will compare with. */
static int
witness(struct session *s, const struct capture *m, struct catalog *c,
        struct err *err)
{
    cleanup_(freep) char *print = NULL;
    struct place place;
    int r = place_ask(&place, s, err);

    if (!r && m->publication)
        r = publication_print(s, m->publication, &print, err);
    return r ? r : capture_witness(c, m->epoch, place.timeline, print, err);
}

/* Nobody but us may have altered it; since we do, nothing is recorded of it
   until that is done. */
static int
begin_to_alter(struct session *s, const struct capture *m, struct catalog *c,
               struct err *err)
{
    cleanup_(freep) char *print = NULL;
    int r = publication_print(s, m->publication, &print, err);

    if (r || !m->publication_print)
        return r;
    if (print && strcmp(print, m->publication_print) == 0)
        return capture_witness(c, m->epoch, m->timeline, NULL, err);
    err_set(err, ERR_REFUSED,
            "publication \"%s\" is not what it was at the slot's position",
            m->publication);
    return err_hint(err, "Changes of its tables have been lost: give "
                         "--start-over.");
}

static int
alter(struct session *s, const struct capture *m, struct catalog *c,
      struct err *err)
{
    int r = begin_to_alter(s, m, c, err);

    if (!r)
        r = publication_lose_moved(s, m, c, err);
    return r ? r : witness(s, m, c, err);
}

static int
lose_moved(struct session *s, const struct capture *m, struct catalog *c,
           struct err *err)
{
    uint32_t moved;
    int r = capture_next_moved(c, m->epoch, 0, &moved, err);

    if (r)
        return r == CATALOG_E_NONE ? 0 : r;
    if (m->found) {
        err_set(err, ERR_REFUSED,
                "publication \"%s\" holds tables of two epochs",
                m->publication);
        err_detail(err, "It was there before the run, which does not change "
                        "it.");
        return err_hint(err, "Take the tables that are not staged out of it, "
                             "or give --start-over.");
    }
    r = m->publication ? alter(s, m, c, err) : 0;
    return r ? r : capture_forget_moved(c, m->epoch, err);
}

/*
 * What is captured anew leaves the older publications.  A subscription to one
 * of these takes changes only of tables that it found there when it was made,
 * so what their slots hold of it already is passed over.
 */
static int
take_over(struct session *s, unsigned epoch, struct catalog *c, struct err *err)
{
    struct capture m = {0};
    int r = 0;

    for (unsigned e = 0; !r && e < epoch; e = m.epoch) {
        capture_clear(&m);
        r = capture_next(c, e, &m, err);
        if (r || m.epoch >= epoch)
            break;
        r = lose_moved(s, &m, c, err);
    }
    capture_clear(&m);
    return r == CATALOG_E_NONE ? 0 : r;
}

int
capturing_begin(struct session *s, const struct capturing_params *p,
                const struct facts *f, struct catalog *c, struct err *err)
{
    struct capture m = {0};
    int r;

    r = choose_names(p, f, &m, err);
    if (!r)
        r = check(s, p, &m, err);
    if (!r)
        r = capture_intend(&m, c, err);
    if (!r)
        r = make(s, p, &m, c, err);
    if (!r)
        r = take_over(s, m.epoch, c, err);
    capture_clear(&m);
    return r;
}

/* ---- confirm ---- */

int
capturing_confirm(struct session *s, struct catalog *c, uint64_t lsn,
                  struct err *err)
{
    struct capture m = {0};
    uint64_t n_strays;
    int r;

    r = capture_read(&m, c, err);
    if (!r)
        r = capture_count_strays(c, m.epoch, &n_strays, err);
    if (!r && n_strays > 0)
        r = CAPTURING_E_MOVED;
    if (!r && m.publication)
        r = publication_check(s, &m, c, err);
    if (!r)
        r = witness(s, &m, c, err);
    if (!r)
        r = capture_add_skips(c, err);
    if (!r)
        r = capture_made(c, m.epoch, lsn, err);
    capture_clear(&m);
    return r == PUBLICATION_E_DIFFERS ? CAPTURING_E_MOVED : r;
}

/* ---- going on ---- */

static int
is_other(const char *wanted, const char *is)
{
    return wanted && (!is || strcmp(wanted, is) != 0);
}

int
capturing_require_same(const struct capturing_params *p, struct catalog *c,
                       struct err *err)
{
    struct capture m = {0};
    int r;

    if (!p)
        return 0; /* whatever it is goes on */
    r = capture_read(&m, c, err);
    if (r)
        return r;
    if (m.state == CAPTURE_NONE)
        r = err_set(err, ERR_REFUSED, "this run has no replication slot");
    else if (is_other(p->slot, m.slot) || is_other(p->plugin, m.plugin) ||
             is_other(p->publication, m.publication))
        r = err_set(err, ERR_REFUSED,
                    "this run has slot \"%s\" of plugin %s%s%s", m.slot,
                    m.plugin, m.publication ? " and publication " : "",
                    m.publication ? m.publication : "");
    capture_clear(&m);
    return r ? err_hint(err, "Go on with the options that began the run, or "
                             "give --start-over.")
             : 0;
}

/* ---- undo ---- */

struct undoing {
    const struct capturing_undo *params;
    struct session *session;
    struct catalog *catalog;
    struct capture capture;
};

static void tell(const struct undoing *u, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static void
tell(const struct undoing *u, const char *fmt, ...)
{
    char text[256];
    va_list ap;

    if (!u->params->tell)
        return;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    u->params->tell(u->params->arg, text);
}

static int
require_same_source(struct undoing *u, struct err *err)
{
    cleanup_(session_clearp) PGresult *res = NULL;
    int r = session_query(u->session,
                          "SELECT (SELECT system_identifier"
                          "  FROM pg_catalog.pg_control_system()),"
                          " pg_catalog.current_database()",
                          &res, err);

    if (r || (strcmp(PQgetvalue(res, 0, 0), u->capture.system_id) == 0 &&
              strcmp(PQgetvalue(res, 0, 1), u->capture.database) == 0))
        return r;
    err_set(err, ERR_REFUSED,
            "slot \"%s\" of this run was made on another source",
            u->capture.slot);
    return err_detail(err,
                      "It is of database \"%s\" of cluster %s; this is \"%s\" "
                      "of %s.",
                      u->capture.database, u->capture.system_id,
                      PQgetvalue(res, 0, 1), PQgetvalue(res, 0, 0));
}

/* Of our plugin, in our database, and not older than our intent: else the
   name is all that it has in common with what we made. */
static int
is_our_slot(const struct capture *m, const struct slot_look *look)
{
    if (look->ours)
        return 1;
    if (!look->here || strcmp(look->plugin, m->plugin) != 0)
        return 0;
    return look->lost[0] || look->confirmed >= (m->lsn ? m->lsn : m->floor);
}

static int
drop_slot(struct undoing *u, struct err *err)
{
    const struct capture *m = &u->capture;
    char at[CAPTURE_LSN];
    struct slot_look look;
    int r = slot_look(u->session, m->slot, &look, err);

    if (r)
        return r == SLOT_E_NONE ? 0 : r;
    if (!is_our_slot(m, &look)) {
        tell(u, "replication slot \"%s\" is not this run's: it stays", m->slot);
        return 0;
    }
    if (m->lsn && !look.lost[0] && look.confirmed != m->lsn &&
        !u->params->force) {
        err_set(err, ERR_REFUSED,
                "a consumer has read from replication slot \"%s\"", m->slot);
        err_detail(err, "It has confirmed all up to %s.",
                   capture_lsn(at, look.confirmed));
        return err_hint(err, "If it is needed no more: \"pghaul abort --dir "
                             "RUN --source S --yes\" drops it.");
    }
    r = slot_drop(u->session, m->slot, err);
    if (!r)
        tell(u, "replication slot \"%s\" is dropped", m->slot);
    return r;
}

static int
drop_publication(struct undoing *u, struct err *err)
{
    const struct capture *m = &u->capture;
    int ours, r;

    if (!m->publication)
        return 0;
    r = publication_look(u->session, m->publication, m->run_id, &ours, err);
    if (r)
        return r == PUBLICATION_E_NONE ? 0 : r;
    if (!ours) {
        tell(u, "publication \"%s\" is not this run's: it stays",
             m->publication);
        return 0;
    }
    r = publication_drop(u->session, m->publication, err);
    if (!r)
        tell(u, "publication \"%s\" is dropped", m->publication);
    return r;
}

static int
undo(struct undoing *u, struct err *err)
{
    const struct session_params p = {
        .conninfo = u->params->conninfo,
        .side = SESSION_SOURCE,
        .purpose = "undo",
    };
    int r;

    r = session_open(&u->session, &p, err);
    /* After a cut-over the database is read only by default. */
    if (!r)
        r = session_exec(u->session, "SET default_transaction_read_only = off",
                         err);
    if (!r)
        r = require_same_source(u, err);
    if (!r)
        r = drop_slot(u, err);
    if (!r)
        r = drop_publication(u, err);
    if (!r)
        r = identity_put_back(u->session, u->capture.epoch, u->catalog, err);
    u->session = session_free(u->session);
    return r ? r : capture_forget(u->catalog, u->capture.epoch, err);
}

int
capturing_undo(const struct capturing_undo *params, struct catalog *c,
               struct err *err)
{
    struct undoing u = {.params = params, .catalog = c};
    int r = capture_read(&u.capture, c, err);

    while (!r && u.capture.state != CAPTURE_NONE &&
           u.capture.epoch >= params->from_epoch) {
        r = undo(&u, err);
        capture_clear(&u.capture);
        if (!r)
            r = capture_read(&u.capture, c, err);
    }
    capture_clear(&u.capture);
    return r;
}
