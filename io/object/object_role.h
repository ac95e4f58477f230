/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * The keys of a role, from a server that is as near as the machine itself: of
 * the container, or the machine's metadata.
 */

#include <time.h>

#include "io/object/object_sign.h"

struct object_role_keys {
    struct object_keys keys; /* to be freed */
    time_t expires;          /* 0: never */
};

/* Outcomes. */
enum { OBJECT_ROLE_E_NONE = 1 }; /* there is no such server, or no role */

int object_role_of_container(struct object_role_keys *ret, struct err *err);
int object_role_of_machine(struct object_role_keys *ret, struct err *err);
