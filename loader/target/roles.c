/* SPDX-License-Identifier: PostgreSQL */
#include "loader/target/roles.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loader/bag/staged.h"

enum {
    SCRIPT_MAX = 64 << 20,
    ROLES_ENTRY = -1, /* before the data; dump ids are positive */
};

/* The script, checked; the caller frees. */
static int
read_script(const struct load_lane *lane, const struct facts *f,
            enum facts_document d, char **ret, struct err *err)
{
    const struct staged_document script = {
        .dir = lane->dir,
        .name = facts_document_file(f, d),
        .sha256 = f->documents[d].sha256,
        .identities = lane->source.identities,
    };
    cleanup_(staged_freep) struct staged *file = NULL;
    int r;

    if (!f->documents[d].present) {
        err_set(err, ERR_REFUSED, "the run holds no roles");
        return err_hint(err, "They are exported with --roles.");
    }
    r = staged_open_document(&file, &script, err);
    return r ? r : bytes_in_text(staged_in(file), SCRIPT_MAX, ret, NULL, err);
}

/* The script has noted them; nothing when it was not run now. */
static int
name_existing(struct session *s, struct progress *p, struct err *err)
{
    cleanup_(session_clearp) PGresult *res = NULL;
    int r;

    r = session_query(s,
                      "SELECT pg_catalog.to_regclass("
                      "'pg_temp.pghaul_roles') IS NOT NULL",
                      &res, err);
    if (r || PQgetvalue(res, 0, 0)[0] == 'f')
        return r;
    res = session_clear(res);
    r = session_query(s,
                      "SELECT name FROM pg_temp.pghaul_roles WHERE existed"
                      " ORDER BY name",
                      &res, err);
    for (int i = 0; !r && i < PQntuples(res); i++)
        progress_note(p, "role %s exists in the target: left as it is",
                      PQgetvalue(res, i, 0));
    return r;
}

int
roles_restore(const struct load_lane *lane, struct session *s,
              const struct facts *f, struct progress *p, struct err *err)
{
    char type[] = "ROLES", schema[] = "", name[] = "roles.sql";
    struct catalog_entry entry = {
        .id = ROLES_ENTRY, .type = type, .schema = schema, .name = name};
    int r;

    r = read_script(lane, f, FACTS_ROLES, &entry.sql, err);
    if (!r)
        r = load_lane_entry(lane, s, LEDGER_PRE_DATA, &entry, err);
    free(entry.sql);
    return r ? r : name_existing(s, p, err);
}

int
roles_add_database(const struct load_lane *lane, const struct facts *f,
                   struct err *err)
{
    char type[] = "DATABASE", schema[] = "", name[] = "database.sql";
    cleanup_(freep) char *script = NULL;
    struct catalog_entry entry = {
        .id = INT64_MIN,
        .order = CATALOG_LAST,
        .type = type,
        .schema = schema,
        .name = name,
    };
    int r;

    r = read_script(lane, f, FACTS_DATABASE, &script, err);
    if (r)
        return r;
    if (asprintf(&entry.sql,
                 "SET LOCAL pghaul.no_owner = '%s';"
                 "SET LOCAL pghaul.no_acl = '%s';\n%s",
                 lane->no_owner ? "on" : "off", lane->no_acl ? "on" : "off",
                 script) < 0)
        return err_nomem(err);
    r = catalog_add_entry(lane->catalog, &entry, err);
    free(entry.sql);
    return r;
}
