/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Planner: fills the run catalogue with what will be copied and what will not.
 *
 * Reads the catalogues of the source, in the run's snapshot, a page at a time.
 * Ordinary tables and leaf partitions are cut into ranges of blocks (ctid) of
 * about chunk_size with their TOAST, the last one open-ended, since a table may
 * have grown after its size was taken.  Servers before 14 cannot scan a range
 * of ctids without reading the table, other access methods than heap may not
 * have blocks: there tables are cut by the values of a key, whose ends are read
 * in the snapshot too.  A table without a key of such a type is one chunk.
 *
 * Leaves whose rows may belong into other leaves of the copy are marked to be
 * loaded through the table above them (planner_private.h says which).  Of an
 * extension's tables those that hold its configuration are copied, with the
 * extension's own condition.
 *
 * The large objects are cut into ranges of OIDs (plan_large_objects.h).
 *
 * What the catalogue holds of earlier epochs is not planned again.
 *
 * Every relation of the database comes out as a table, a sequence or a skip
 * with its reason; those that the selection leaves out as one skip a pattern.
 */

#include "io/err.h"
#include "loader/catalog/catalog.h"
#include "loader/pg/session.h"
#include "loader/source/plan/selection.h"

enum planner_format {
    PLANNER_AUTO, /* binary where every column's type is on the vetted list */
    PLANNER_TEXT,
    PLANNER_BINARY, /* ERR_REFUSED when a column's type is not on it */
};

struct planner_params {
    unsigned epoch;      /* that is planned */
    uint64_t chunk_size; /* bytes */
    enum planner_format format;
    int publications;     /* copy them, too */
    int no_large_objects; /* leave them out, and say so */
    int only_rows; /* neither sequences nor what is left out: who compares */
    const struct selection *selection; /* prepared, or NULL: all */
};

/*
 * s is in the snapshot, and all tables are locked (locks_take).  A table that
 * was rewritten between the snapshot and its lock would be read as empty:
 * ERR_REFUSED with its name.
 */
int planner_run(const struct planner_params *p, struct session *s,
                struct catalog *c, struct err *err);
