/* SPDX-License-Identifier: PostgreSQL */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/moves.h"

SERVERS({"source"}, {"target"})

#define run_program(...) server_run((const char *const[]){__VA_ARGS__, NULL})

#define assert_says moves_assert_says

#define HOSTILE "\"h%s \"\"o'$f$ \\ %1$I\nrole; --\""

static const char make_roles[] =
    "CREATE ROLE grp; CREATE ROLE adm; CREATE ROLE " HOSTILE
    " LOGIN CREATEDB VALID UNTIL '2030-01-01' CONNECTION LIMIT 7"
    "  PASSWORD 'sesame';"
    "GRANT grp TO " HOSTILE " WITH ADMIN OPTION; GRANT pg_monitor TO grp;"
    "ALTER ROLE grp SET search_path TO \"$user\", \"we,ird\"\"s\", public;"
    "ALTER ROLE grp SET application_name = E'it''s \\\\ %I';"
    "ALTER ROLE adm SET search_path TO '';"
    "COMMENT ON ROLE grp IS E'a\nb''c %I \\\\';"
    "CREATE TABLE t (a int); ALTER TABLE t OWNER TO " HOSTILE ";"
    "DO $$ DECLARE d text := quote_ident(current_database()); BEGIN"
    " EXECUTE 'ALTER DATABASE ' || d || ' SET search_path TO \"A b\", public';"
    " EXECUTE 'ALTER DATABASE ' || d || ' SET my.var = ''x%Iy''''\\''';"
    " EXECUTE 'ALTER DATABASE ' || d || ' SET default_transaction_read_only"
    "   TO on';"
    " EXECUTE 'ALTER ROLE grp IN DATABASE ' || d ||"
    "   ' SET statement_timeout = ''3s''';"
    " EXECUTE 'ALTER DATABASE ' || d || ' CONNECTION LIMIT 33';"
    " EXECUTE 'COMMENT ON DATABASE ' || d || ' IS ''the % database''';"
    " EXECUTE 'ALTER DATABASE ' || d || ' OWNER TO adm';"
    " EXECUTE 'REVOKE TEMPORARY ON DATABASE ' || d || ' FROM PUBLIC';"
    " EXECUTE 'GRANT CREATE ON DATABASE ' || d ||"
    "   ' TO grp WITH GRANT OPTION'; END $$;";

/* Before the databases go: these roles own and use some. */
static const char drop_roles[] =
    "DO $$ DECLARE d text; BEGIN"
    " FOR d IN SELECT datname FROM pg_database WHERE datname ~ '^test_' LOOP"
    "  EXECUTE format('ALTER DATABASE %I OWNER TO CURRENT_USER', d);"
    "  EXECUTE format('REVOKE ALL ON DATABASE %I FROM adm, grp', d);"
    " END LOOP; END $$;"
    "DROP OWNED BY grp, adm, " HOSTILE "; DROP ROLE grp, adm, " HOSTILE;

static void
drop(const char *conninfo)
{
    char *writable;

    cr_assert_gt(asprintf(&writable,
                          "%s options='-c default_transaction_read_only=off'",
                          conninfo),
                 0);
    server_sql(writable, drop_roles);
    free(writable);
}

/* As the server's own program tells them, without what is random. */
static const char *
roles_of(const char *server)
{
    struct server_run run =
        run_program(moves_path(server_bin_dir(), "pg_dumpall"), "--roles-only",
                    "--no-role-passwords", "-d", server_conninfo(server));
    char *clean = calloc(1, strlen(run.output) + 1), *at = run.output, *line;

    cr_assert_eq(run.status, 0, "%s", run.errors);
    while ((line = strsep(&at, "\n")))
        if (line[0] != '\\')
            strcat(strcat(clean, line), "\n");
    return clean;
}

static const char properties[] =
    "SELECT format('%s %s %s %s %s', datconnlimit, datdba::regrole, datacl,"
    " shobj_description(d.oid, 'pg_database'), (SELECT string_agg(format("
    "  '%s %s', setrole::regrole, setconfig), ',' ORDER BY setrole::regrole"
    "  ::text) FROM pg_db_role_setting WHERE setdatabase = d.oid))"
    " FROM pg_database AS d WHERE datname = current_database()";

static struct server_run
load_roles(const char *target, const char *run_dir)
{
    return moves_pghaul("load", "--target", target, "--dir", run_dir,
                        "--roles");
}

/* Export a source with roles and have them, and it, in run_dir. */
static const char *
exported(const char *run_dir)
{
    const char *source = server_database("source");
    struct server_run run;

    server_sql(source, make_roles);
    run =
        moves_pghaul("export", "--source", source, "--dir", run_dir, "--roles");
    cr_assert_eq(run.status, 0, "%s", run.errors);
    return source;
}

Test(roles, they_and_the_database_s_properties_arrive)
{
    const char *run_dir = moves_path(server_tmp_dir(), "run");
    const char *source = exported(run_dir);
    const char *target = server_database("target");
    struct server_run run = load_roles(target, run_dir);

    assert_says(run, 0, "role postgres exists in the target");
    cr_assert_str_eq(roles_of("target"), roles_of("source"));
    cr_assert_str_eq(server_value(target, properties),
                     server_value(source, properties));
    moves_assert_verified(target, run_dir);
    run = load_roles(target, run_dir);
    cr_assert_eq(run.status, 0, "%s", run.errors);
    drop(source);
    drop(target);
}

Test(roles, one_that_exists_is_left_and_named)
{
    const char *run_dir = moves_path(server_tmp_dir(), "run");
    const char *source = exported(run_dir);
    const char *target = server_database("target");
    struct server_run run;

    server_sql(target, "CREATE ROLE grp CREATEROLE; CREATE ROLE adm;"
                       "ALTER ROLE grp SET application_name = 'mine'");
    run = load_roles(target, run_dir);
    assert_says(run, 0, "role grp exists in the target: left as it is");
    cr_assert_str_eq(server_value(target, "SELECT rolcreaterole || ' '"
                                          " || rolconfig::text FROM pg_roles"
                                          " WHERE rolname = 'grp'"),
                     "true {application_name=mine}");
    /* Its new member is one. */
    cr_assert_str_eq(server_value(target, "SELECT count(*) FROM pg_auth_members"
                                          " WHERE roleid = 'grp'::regrole"),
                     "1");
    drop(source);
    drop(target);
}

Test(roles, no_password_is_written)
{
    const char *run_dir = moves_path(server_tmp_dir(), "run");
    const char *source = exported(run_dir);
    struct server_run run =
        run_program("grep", "-rEl", "sesame|SCRAM-SHA|PASSWORD '", run_dir);

    cr_assert_eq(run.status, 1, "%s", run.output);
    drop(source);
}

Test(roles, psql_makes_them_by_hand)
{
    const char *run_dir = moves_path(server_tmp_dir(), "run");
    const char *source = exported(run_dir);
    const char *target = server_database("target");
    static const char *const files[] = {"data/roles.sql", "data/database.sql"};

    for (unsigned i = 0; i < 2; i++) {
        struct server_run run =
            run_program(moves_path(server_bin_dir(), "psql"), "-X", "-q", "-1",
                        "-v", "ON_ERROR_STOP=1", "-d", target, "-f",
                        moves_path(run_dir, files[i]));

        cr_assert_eq(run.status, 0, "%s", run.errors);
    }
    cr_assert_str_eq(roles_of("target"), roles_of("source"));
    cr_assert_str_eq(server_value(target, properties),
                     server_value(source, properties));
    drop(source);
    drop(target);
}

Test(roles, what_was_exported_without_them_has_none)
{
    const char *run_dir = moves_path(server_tmp_dir(), "run");
    const char *source = server_database("source");
    const char *target = server_database("target");
    struct server_run run;

    moves_export(source, run_dir);
    run = load_roles(target, run_dir);
    assert_says(run, 6, "the run holds no roles");
    run =
        moves_pghaul("export", "--source", source, "--dir", run_dir, "--roles");
    assert_says(run, 6, "this export was begun without --roles");
    run = moves_pghaul("export", "--source", source, "--dir", run_dir,
                       "--roles", "--start-over");
    cr_assert_eq(run.status, 0, "%s", run.errors);
    run = moves_pghaul("export", "--source", source, "--dir", run_dir,
                       "--start-over");
    cr_assert_eq(run.status, 0, "%s", run.errors);
    run = load_roles(target, run_dir);
    assert_says(run, 6, "the run holds no roles");
}
