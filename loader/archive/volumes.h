/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Volumes: where each part of an archive lies, and how its bytes get there and
 * back.  "shop.tar" in volumes is shop.001.tar, shop.002.tar ...; ".age" may
 * follow.
 */

#include "io/store/store.h"

/* The name of that volume, to free; NULL: no memory. */
char *volumes_name(const char *where, unsigned number);

/* If where is a first volume's name, that of the whole, to free; else NULL. */
char *volumes_whole(const char *where);
