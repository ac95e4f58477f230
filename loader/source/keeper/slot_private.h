/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/* What slot.c and slot_create.c share: the session that makes a slot is known
   by its name. */

#define SLOT_PURPOSE "slot"
#define SLOT_APPLICATION "'pghaul: " SLOT_PURPOSE "'"
