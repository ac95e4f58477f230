/* SPDX-License-Identifier: PostgreSQL */
#include "loader/handoff/source_now.h"

#include <time.h>

int
source_now_ask(struct source_now *ret, struct session *s,
               const struct capture *m, struct err *err)
{
    struct source_now now = {.at = (int64_t)time(NULL),
                             .version = session_server_version(s)};
    int r = place_ask(&now.place, s, err);

    if (!r)
        r = slot_look(s, m->slot, &now.slot, err);
    now.has_slot = r == 0;
    if (r < 0)
        return r;
    *ret = now;
    return 0;
}
