/* SPDX-License-Identifier: PostgreSQL */
#include "loader/handoff/consumer_files.h"

#include <stddef.h>

/*
 * What each program does with a slot that was made by somebody else is in its
 * own documentation; where it is not, in its source.  Said here is what loses
 * or repeats changes.
 */

#define RUN_LINES                                                              \
    "# Run @run@: all that was committed before @lsn@ is in the files;\n"      \
    "# all that came after it is in slot @slot@ of the source, from there "    \
    "on.\n"

/* ---- Debezium ---- */

static const char debezium_properties[] =
    "# Debezium's connector for PostgreSQL.\n" RUN_LINES
    "connector.class=io.debezium.connector.postgresql.PostgresConnector\n"
    "database.hostname=@host:prop@\n"
    "database.port=@port:prop@\n"
    "database.user=@user:prop@\n"
    "# From your secrets: no password was written here.\n"
    "#database.password=\n"
    "database.dbname=@database:prop@\n"
    "# Yours to choose; offsets.json has the same name in it.\n"
    "topic.prefix=@slot@\n"
    "plugin.name=@plugin@\n"
    "slot.name=@slot@\n"
    "# A connector that drops its slot when it stops loses what comes then.\n"
    "slot.drop.on.stop=false\n"
    "+publication.name=@publication:prop@\n"
    "+# Any other mode may alter the publication, or make one after the slot.\n"
    "+publication.autocreate.mode=disabled\n"
    "# The rows are there already.  Older releases call it \"never\".\n"
    "snapshot.mode=no_data\n"
    "# A slot that is not where it should be is a failure, not a guess.\n"
    "#offset.mismatch.strategy=trust_offset\n";

static const char debezium_offsets[] =
    "{\"offsets\": [{\"partition\": {\"server\": @slot:json@},"
    " \"offset\": {\"lsn\": @decimal@}}]}\n";

static const char debezium_start[] =
    "#!/bin/sh\n" RUN_LINES "#\n"
    "# Without a stored offset Debezium streams from the slot's own position,\n"
    "# which is the one above: that is enough.  To say it, stop the connector\n"
    "# and patch its offsets, in decimal, with \"lsn\" alone: \"lsn_proc\" "
    "would\n"
    "# make it look for an event, and pass over the first transaction.\n"
    "#\n"
    "# An offset that holds \"snapshot\" from an earlier trial is in the way "
    "of\n"
    "# snapshot.mode=no_data: DELETE the offsets first.\n"
    "set -eu\n"
    "connect=${1:?the URL of Kafka Connect} connector=${2:?its name}\n"
    "curl -fsS -X PUT \"$connect/connectors/$connector/stop\"\n"
    "curl -fsS -X PATCH -H 'Content-Type: application/json' \\\n"
    "    --data @@offsets.json \"$connect/connectors/$connector/offsets\"\n"
    "curl -fsS -X PUT \"$connect/connectors/$connector/resume\"\n";

/* ---- AWS DMS ---- */

static const char dms_endpoint[] =
    "{\"SlotName\": @slot:json@, \"PluginName\": \"test-decoding\",\n"
    " \"HeartbeatEnable\": true, \"CaptureDdls\": false,\n"
    " \"DatabaseName\": @database:json@, \"ServerName\": @host:json@,\n"
    " \"Port\": @port@, \"Username\": @user:json@}\n";

static const char dms_create[] =
    "#!/bin/sh\n" RUN_LINES "#\n"
    "# The console cannot give a start position: the command line can.  A "
    "slot\n"
    "# that is missing, or has moved on, is an error of the task.\n"
    "#\n"
    "# Never restart the task from its beginning (start-replication, or\n"
    "# \"Restart\" in the console): DMS would make the slot anew, and what "
    "was\n"
    "# in it would be lost.  Resume it: resume-processing.\n"
    "#\n"
    "# Keys that point at rows which come later, and triggers, must not be in\n"
    "# the way: give the target endpoint the extra connection attribute\n"
    "#   afterConnectScript=SET session_replication_role='replica'\n"
    "#\n"
    "# endpoint.json holds no password: use a secret of AWS Secrets Manager.\n"
    "# captureDdls is off: it would make a table and a trigger at the source.\n"
    "set -eu\n"
    "source=${1:?ARN of the source endpoint} target=${2:?of the target}\n"
    "instance=${3:?of the replication instance}\n"
    "aws dms modify-endpoint --endpoint-arn \"$source\" \\\n"
    "    --postgre-sql-settings file://endpoint.json\n"
    "aws dms create-replication-task --replication-task-identifier @slot:sh@ "
    "\\\n"
    "    --source-endpoint-arn \"$source\" --target-endpoint-arn \"$target\" "
    "\\\n"
    "    --replication-instance-arn \"$instance\" \\\n"
    "    --migration-type cdc --cdc-start-position @lsn:sh@ \\\n"
    "    --table-mappings file://table-mappings.json\n"
    "echo 'then: aws dms start-replication-task --replication-task-arn ... \\\n"
    "    --start-replication-task-type start-replication  # once, the first "
    "time'\n";

/* ---- PeerDB ---- */

static const char peerdb_mirror[] =
    "-- PeerDB, over its SQL interface.\n"
    "-- Run @run@: what was committed before @lsn@ is in the target.\n"
    "--\n"
    "-- do_initial_copy = true with a slot that is there is an error.  The\n"
    "-- columns of soft deletion, if they are on, must be in the target "
    "first.\n"
    "-- Make the peers before: CREATE PEER source, CREATE PEER target; choose\n"
    "-- the tables: their names at the source and in the target.\n"
    "CREATE MIRROR @slot@ FROM source TO target\n"
    "  WITH TABLE MAPPING (public.example:public.example)\n"
    "  WITH (do_initial_copy = false,\n"
    "        replication_slot_name = @slot:sql@,\n"
    "        publication_name = @publication:sql@);\n";

/* ---- Flink CDC ---- */

static const char flink_source[] =
    "-- Flink CDC: one such table for each that is read; a slot serves one "
    "job.\n"
    "-- Run @run@: what was committed before @lsn@ is in the files.\n"
    "--\n"
    "-- committed-offset is where the slot stands, which is that position.\n"
    "-- \"initial\" would copy the rows again, \"latest-offset\" would lose "
    "some.\n"
    "CREATE TABLE example (id BIGINT, PRIMARY KEY (id) NOT ENFORCED) WITH (\n"
    "  'connector' = 'postgres-cdc',\n"
    "  'hostname' = @host:sql@,\n"
    "  'port' = @port:sql@,\n"
    "  'username' = @user:sql@,\n"
    "  'password' = '',  -- from your secrets\n"
    "  'database-name' = @database:sql@,\n"
    "  'schema-name' = 'public',\n"
    "  'table-name' = 'example',\n"
    "  'scan.incremental.snapshot.enabled' = 'true',\n"
    "  'scan.startup.mode' = 'committed-offset',\n"
    "+  'debezium.publication.name' = @publication:sql@,\n"
    "+  'debezium.publication.autocreate.mode' = 'disabled',\n"
    "  'debezium.slot.drop.on.stop' = 'false',\n"
    "  'decoding.plugin.name' = @plugin:sql@,\n"
    "  'slot.name' = @slot:sql@);\n";

/* ---- pgcopydb ---- */

static const char pgcopydb_follow[] =
    "#!/bin/sh\n" RUN_LINES "#\n"
    "# pgcopydb makes its own work directory: give it one that is not there.\n"
    "# --not-consistent, since the snapshot was ours and is gone: the slot "
    "says\n"
    "# where to go on.  pgoutput needs a pgcopydb that knows it (0.18).\n"
    "# The servers are those of PGCOPYDB_SOURCE_PGURI and\n"
    "# PGCOPYDB_TARGET_PGURI, so that no password stands in a command line.\n"
    "#\n"
    "# At the end: pgcopydb stream sentinel set endpos --current, then\n"
    "# pgcopydb copy sequences; \"stream cleanup\" drops the slot.\n"
    "set -eu\n"
    ": \"${PGCOPYDB_SOURCE_PGURI:?}\" \"${PGCOPYDB_TARGET_PGURI:?}\"\n"
    "dir=${1:?a directory for pgcopydb}\n"
    "exec pgcopydb follow --dir \"$dir\" --plugin @plugin:sh@ \\\n"
    "    --slot-name @slot:sh@ --origin @slot:sh@ --not-consistent\n";

/* ---- pg_recvlogical ---- */

static const char recvlogical_sh[] =
    "#!/bin/sh\n" RUN_LINES "#\n"
    "# --startpos does not move a slot back: what it has confirmed does not\n"
    "# come again.  pg_recvlogical confirms what it has written, so that a "
    "try\n"
    "# \"only to look\" consumes the slot: look with\n"
    "#   SELECT * FROM pg_logical_slot_peek_binary_changes(...)\n"
    "# instead.  Never --create-slot or --drop-slot here.\n"
    "#\n"
    "# Give the output file, or - ; further words go to pg_recvlogical, as\n"
    "# --endpos=X/Y.  The password: PGPASSWORD or a passfile.\n"
    "set -eu\n"
    "file=${1:--}\n"
    "[ $# -eq 0 ] || shift\n"
    "exec pg_recvlogical -d @conninfo:sh@ --slot=@slot@ --start \\\n"
    "+    -o proto_version=1 -o publication_names=@identifier:sh@ \\\n"
    "    --startpos=@lsn@ -f \"$file\" \"$@@\"\n";

const struct consumer_file consumer_files[] = {
    {"debezium", "debezium.properties", debezium_properties},
    {"debezium", "offsets.json", debezium_offsets},
    {"debezium", "set-offsets.sh", debezium_start},
    {"dms", "endpoint.json", dms_endpoint},
    {"dms", "create-task.sh", dms_create},
    {"dms", "table-mappings.json", NULL},
    {"peerdb", "mirror.sql", peerdb_mirror},
    {"flink", "source.sql", flink_source},
    {"pgcopydb", "follow.sh", pgcopydb_follow},
    {"pg_recvlogical", "receive.sh", recvlogical_sh},
    {NULL, NULL, NULL},
};
