/* SPDX-License-Identifier: PostgreSQL */
#include "loader/source/guard/stall.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loader/pg/session.h"
#include "loader/progress/quantity.h"

enum { MOST_IDLE = 4 }; /* looks, until what does not come is lost */

/* One worker's; the words under the lock. */
struct stall {
    unsigned n_idle; /* looks in a row that found it with nothing to do */
    char words[STALL_WORDS]; /* "": it has heard */
    char reason[STALL_WORDS];
    char said[STALL_WORDS]; /* the reason that was said last; "": none */
};

struct stalls {
    pthread_mutex_t lock;
    unsigned n;
    struct stall of[];
};

int
stalls_new(struct stalls **ret, unsigned n_workers, struct err *err)
{
    struct stalls *s = calloc(1, sizeof *s + n_workers * sizeof *s->of);

    if (!s)
        return err_nomem(err);
    pthread_mutex_init(&s->lock, NULL);
    s->n = n_workers;
    *ret = s;
    return 0;
}

struct stalls *
stalls_free(struct stalls *s)
{
    if (s)
        pthread_mutex_destroy(&s->lock);
    free(s);
    return NULL;
}

/* ---- by a worker ---- */

enum { A_STATE, A_TYPE, A_EVENT, A_BLOCKERS };

static const char ask[] =
    "SELECT a.state, a.wait_event_type, a.wait_event,"
    " (SELECT pg_catalog.string_agg(pg_catalog.format('pid %s%s', b.pid,"
    "   ' (' || nullif(o.application_name, '') || ')'), ', ')"
    "  FROM pg_catalog.unnest(pg_catalog.pg_blocking_pids(a.pid)) AS b (pid)"
    "  LEFT JOIN pg_catalog.pg_stat_activity o ON o.pid = b.pid)"
    " FROM pg_catalog.pg_stat_activity a WHERE a.pid = $1"
    " AND a.application_name LIKE 'pghaul: %'";

/* What the row says, in words that do not change while it is the same; 1: it
   has nothing to do. */
static int
explain(const PGresult *res, char to[STALL_WORDS])
{
    const char *type = PQgetvalue(res, 0, A_TYPE);
    const char *event = PQgetvalue(res, 0, A_EVENT);
    const char *blockers = PQgetvalue(res, 0, A_BLOCKERS);

    if (*blockers)
        snprintf(to, STALL_WORDS, "waits for %s (%s: %s)", blockers, type,
                 event);
    else if (strcmp(event, "ClientWrite") == 0)
        snprintf(to, STALL_WORDS,
                 "has sent what does not come through (Client: ClientWrite)");
    else if (strcmp(PQgetvalue(res, 0, A_STATE), "active") != 0)
        return 1;
    else if (*event)
        snprintf(to, STALL_WORDS, "waits (%s: %s)", type, event);
    else
        snprintf(to, STALL_WORDS, "is at work");
    return 0;
}

static int
fail_lost(const struct stall_question *q, const char *why, struct err *err)
{
    err_set(err, ERR_SERVER,
            "the connection to the source is lost: its process %d %s", q->pid,
            why);
    snprintf(err->sqlstate, sizeof err->sqlstate, "08006");
    return -1;
}

/* With several hosts in the string this connection may lead elsewhere. */
static int
is_same_server(struct session *s, const struct stall_question *q)
{
    PGconn *conn = session_conn(s);

    return strcmp(PQhost(conn), q->host) == 0 &&
           strcmp(PQport(conn), q->port) == 0;
}

static int
find_reason(const struct stall_question *q, char to[STALL_WORDS], int *ret_idle,
            struct err *err)
{
    cleanup_(session_freep) struct session *s = NULL;
    cleanup_(session_clearp) PGresult *res = NULL;
    const struct session_params p = {
        .conninfo = q->conninfo,
        .side = SESSION_SOURCE,
        .purpose = "look",
        .stop = q->stop,
    };
    char pid[16];
    const char *const values[] = {pid};
    int r;

    snprintf(pid, sizeof pid, "%d", q->pid);
    r = session_open(&s, &p, err);
    if (!r && !is_same_server(s, q)) {
        snprintf(to, STALL_WORDS, "is on a host that is not answering");
        return 0;
    }
    if (!r)
        r = session_query_params(s, ask, 1, values, &res, err);
    if (!r && PQntuples(res) == 0)
        return fail_lost(q, "is gone", err);
    if (!r)
        *ret_idle = explain(res, to);
    else if (err->class == ERR_SERVER)
        snprintf(to, STALL_WORDS, "cannot be asked about: %.300s",
                 err->message);
    return r && err->class != ERR_SERVER ? r : 0;
}

int
stalls_ask(struct stalls *s, unsigned worker, const struct stall_question *q,
           struct err *err)
{
    char reason[STALL_WORDS] = "", silent[QUANTITY_SIZE];
    static const char done[] = "has done its work, and what it has sent does "
                               "not come through";
    struct stall *mine = &s->of[worker];
    int idle = 0, r = find_reason(q, reason, &idle, err);

    if (r)
        return r;
    mine->n_idle = idle ? mine->n_idle + 1 : 0;
    if (mine->n_idle >= MOST_IDLE)
        return fail_lost(q, done, err);
    if (idle)
        memcpy(reason, done, sizeof done);
    quantity_duration(silent, q->silent_ms);
    pthread_mutex_lock(&s->lock);
    memcpy(mine->reason, reason, sizeof reason);
    snprintf(mine->words, sizeof mine->words,
             "%.100s: nothing has come for %s; the source's process %d "
             "%.150s",
             q->what, silent, q->pid, reason);
    pthread_mutex_unlock(&s->lock);
    return 0;
}

void
stalls_over(struct stalls *s, unsigned worker)
{
    pthread_mutex_lock(&s->lock);
    s->of[worker].words[0] = '\0';
    s->of[worker].n_idle = 0;
    pthread_mutex_unlock(&s->lock);
}

/* ---- by the main thread ---- */

/* The reason counts: that time goes by is none to say it again. */
static int
take_news(struct stall *one, char to[STALL_WORDS])
{
    if (!one->words[0] && one->said[0]) {
        one->said[0] = '\0';
        snprintf(to, STALL_WORDS, "the source sends again");
        return 1;
    }
    if (!one->words[0] || strcmp(one->said, one->reason) == 0)
        return 0;
    memcpy(one->said, one->reason, sizeof one->said);
    memcpy(to, one->words, STALL_WORDS);
    return 1;
}

int
stalls_news(struct stalls *s, char to[STALL_WORDS])
{
    int news = 0;

    pthread_mutex_lock(&s->lock);
    for (unsigned i = 0; i < s->n && !news; i++)
        news = take_news(&s->of[i], to);
    pthread_mutex_unlock(&s->lock);
    return news;
}

void
stalls_look(struct stalls *s, char to[STALL_WORDS])
{
    to[0] = '\0';
    pthread_mutex_lock(&s->lock);
    for (unsigned i = 0; i < s->n && !to[0]; i++)
        memcpy(to, s->of[i].words, STALL_WORDS);
    pthread_mutex_unlock(&s->lock);
}
