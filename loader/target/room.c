/* SPDX-License-Identifier: PostgreSQL */
#include "loader/target/room.h"

#include <stdio.h>
#include <string.h>

#include "loader/work/retry.h"

enum { FIRST_MS = 1000, MOST_MS = 16000 };

void
room_init(struct room *m, enum room_choice choice, const struct stop *stop)
{
    *m = (struct room){.choice = choice, .stop = stop};
    pthread_mutex_init(&m->lock, NULL);
}

void
room_clear(struct room *m)
{
    pthread_mutex_destroy(&m->lock);
}

int
room_is_short(const struct err *why)
{
    if (why->class != ERR_SERVER)
        return 0;
    /* disk_full; io_error, where a server does not tell them apart */
    return strcmp(why->sqlstate, "53100") == 0 ||
           (strcmp(why->sqlstate, "58030") == 0 &&
            strstr(why->message, "No space left on device"));
}

static void
set_short(struct room *m, const char *why)
{
    pthread_mutex_lock(&m->lock);
    m->is_short = why != NULL;
    if (why)
        snprintf(m->why, sizeof m->why, "%s", why);
    pthread_mutex_unlock(&m->lock);
}

int
room_lacks(struct room *m, const struct err *why)
{
    if (m->choice == ROOM_STOP || !room_is_short(why))
        return 0;
    set_short(m, why->message);
    return 1;
}

int
room_nap(struct room *m, unsigned n, struct err *err)
{
    return retry_nap(m->stop, n > 3 ? MOST_MS : FIRST_MS << n, err);
}

void
room_found(struct room *m)
{
    set_short(m, NULL);
}

void
room_tell(struct room *m, struct progress *p)
{
    pthread_mutex_lock(&m->lock);
    if (m->is_short && !m->is_told)
        progress_note(p, "the target's disk is full: waiting for room: %s",
                      m->why);
    else if (!m->is_short && m->is_told)
        progress_note(p, "the target has room again");
    m->is_told = m->is_short;
    pthread_mutex_unlock(&m->lock);
}
