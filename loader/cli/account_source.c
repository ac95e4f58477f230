/* SPDX-License-Identifier: PostgreSQL */
#include "loader/cli/account_source.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "formats/manifest.h"
#include "io/printable.h"
#include "loader/progress/quantity.h"
#include "loader/source/guard/pace.h"
#include "loader/source/guard/vitals.h"
#include "loader/source/keeper/keeper.h"

/* A measurement this old is said to be; one is made every second. */
enum { OLD_S = 10 };

/* What there is to tell; measured is 0 when nothing was, so far. */
struct hold {
    struct keeper_look keeper;
    int measured;
    struct vitals vitals;
};

/* 0: a keeper is at work. */
static int
look(const struct run_dir *dir, struct hold *ret)
{
    struct err ignored;

    if (keeper_look(dir, &ret->keeper, &ignored) != 0)
        return -1;
    ret->measured =
        vitals_read(dir, &ret->vitals, &ignored) == 0 && ret->vitals.n > 0;
    return 0;
}

static int64_t
age_s(const struct vitals *v)
{
    int64_t s = (int64_t)time(NULL) - v->at;

    return s > 0 ? s : 0;
}

/* ---- for people ---- */

static void
print_snapshot(const struct vitals *v)
{
    char text[QUANTITY_SIZE];

    if (vitals_know(v, VITAL_SNAPSHOT_AGE))
        printf("snapshot  %s old, its horizon is %" PRIu64
               " transactions behind\n",
               quantity_duration(text, v->value[VITAL_SNAPSHOT_AGE]),
               v->value[VITAL_XMIN_AGE]);
    if (vitals_know(v, VITAL_WAL))
        printf("WAL       %s %s\n", quantity_bytes(text, v->value[VITAL_WAL]),
               v->has_slot ? "kept by the slot" : "written since");
    else
        printf("WAL       unknown: the slot is not there\n");
}

static void
print_others(const struct vitals *v)
{
    char behind[QUANTITY_SIZE], bytes[QUANTITY_SIZE];

    if (!vitals_know(v, VITAL_REPLICAS)) {
        printf("standbys  unknown, as are others' sessions: GRANT pg_monitor "
               "to the user to see them\n");
        return;
    }
    if (v->value[VITAL_REPLICAS] == 0 && v->value[VITAL_REPLICA_LAG] == 0)
        printf("standbys  none is connected\n");
    else
        printf("standbys  %" PRIu64 ", at most %s behind (%s)\n",
               v->value[VITAL_REPLICAS],
               quantity_duration(behind, v->value[VITAL_REPLICA_LAG]),
               quantity_bytes(bytes, v->value[VITAL_REPLICA_BYTES]));
    printf("sessions  %" PRIu64 " active of others\n",
           v->value[VITAL_SESSIONS]);
}

static void
print_trouble(const struct vitals *v)
{
    char shown[PRINTABLE_SIZE(sizeof v->trouble)];

    if (age_s(v) >= OLD_S)
        printf("          measured %" PRIi64 " s ago%s%s\n", age_s(v),
               v->trouble[0] ? ": " : "",
               printable(shown, sizeof shown, v->trouble));
}

/* What an export that is at work says of itself. */
static int
look_at_pace(const struct run_dir *dir, struct pace *ret)
{
    struct err ignored;
    int pid = run_dir_holder(dir);

    return pid > 0 && pace_read(dir, ret, &ignored) == 0 && ret->pid == pid
               ? 0
               : -1;
}

static void
print_pace(const struct run_dir *dir)
{
    char rate[QUANTITY_SIZE], left[QUANTITY_SIZE];
    char shown[PRINTABLE_SIZE(STALL_WORDS)];
    struct pace p;

    if (look_at_pace(dir, &p))
        return;
    printf("pace      %s%s%s\n", quantity_rate(rate, p.bytes_per_s),
           p.left_ms == FORECAST_NEVER ? "" : ", the export needs ",
           p.left_ms == FORECAST_NEVER ? ""
                                       : quantity_duration(left, p.left_ms));
    if (p.limit[0])
        printf("limit     %s\n", printable(shown, sizeof shown, p.limit));
    if (p.forecast[0])
        printf("forecast  %s\n", printable(shown, sizeof shown, p.forecast));
    if (p.stall[0])
        printf("stall     %s\n", printable(shown, sizeof shown, p.stall));
}

void
account_source_print(const struct run_dir *dir)
{
    struct hold h;

    print_pace(dir);

    if (look(dir, &h))
        return;
    printf("keeper    process %d\n", (int)h.keeper.pid);
    if (!h.measured)
        return;
    print_snapshot(&h.vitals);
    print_others(&h.vitals);
    print_trouble(&h.vitals);
}

/* ---- for programs ---- */

static json_t *
vitals_json(const struct vitals *v)
{
    json_t *o = json_object();

    json_object_set_new(o, "measured", json_integer(v->at));
    for (unsigned i = 0; i < N_VITALS; i++)
        json_object_set_new(o, vitals_names[i],
                            vitals_know(v, i) ? manifest_u64_json(v->value[i])
                                              : json_null());
    json_object_set_new(o, "wal_of",
                        json_string(v->has_slot ? "slot" : "snapshot"));
    return o;
}

static json_t *
pace_json(const struct run_dir *dir)
{
    struct pace p;
    json_t *o;

    if (look_at_pace(dir, &p))
        return json_null();
    o = json_object();
    json_object_set_new(o, "bytes_per_s", manifest_u64_json(p.bytes_per_s));
    json_object_set_new(o, "left_ms",
                        p.left_ms == FORECAST_NEVER
                            ? json_null()
                            : manifest_u64_json(p.left_ms));
    json_object_set_new(o, "workers", json_integer(p.n_workers));
    json_object_set_new(o, "workers_allowed", json_integer(p.n_allowed));
    json_object_set_new(o, "limit", json_string(p.limit));
    json_object_set_new(o, "forecast", json_string(p.forecast));
    json_object_set_new(o, "stall", json_string(p.stall));
    return o;
}

void
account_source_json(const struct run_dir *dir, json_t *to)
{
    struct hold h;
    json_t *o;

    json_object_set_new(to, "pace", pace_json(dir));

    if (look(dir, &h)) {
        json_object_set_new(to, "keeper", json_null());
        return;
    }
    o = json_object();
    json_object_set_new(o, "pid", json_integer(h.keeper.pid));
    json_object_set_new(o, "snapshot", json_string(h.keeper.origin));
    json_object_set_new(o, "begun", json_integer(h.keeper.begun));
    json_object_set_new(o, "vitals",
                        h.measured ? vitals_json(&h.vitals) : json_null());
    json_object_set_new(to, "keeper", o);
}
