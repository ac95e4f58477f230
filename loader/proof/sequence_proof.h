/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Sequences: each of the left side must be on the right side, a server, where
 * it was or further on, in its own direction; and the next value that it gives
 * must not be one that the column which owns it holds already.  One that cycles
 * is meant to come back: it must only be there.
 *
 * The column is read for its largest value: by its index, where it has one.
 */

#include "io/err.h"
#include "loader/proof/result.h"
#include "loader/proof/side.h"

/* Findings of the layer "sequences".  A bag on the right has none. */
int sequence_proof(const struct proof_pair *pair,
                   const struct proof_listener *listener, struct err *err);
