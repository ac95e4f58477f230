/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Locks of an object that is there.  They are asked for when it is put; but not
 * every store does so for one that comes in parts (Ceph until 16), and none
 * says that it has not.
 */

#include "io/object/object_client.h"

/* What the configuration says holds; else it is made to.  <0: it does not. */
int object_lock_ensure(struct object_client *c, const char *key,
                       struct err *err);
