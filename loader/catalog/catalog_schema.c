/* SPDX-License-Identifier: PostgreSQL */
#include "loader/catalog/catalog_db.h"

/*
 * Every index of a "to do" holds only what is still to do, in the order in
 * which it is handed out, so that finding the next costs the same with ten
 * chunks as with a million.
 *
 * The counters in tables are kept by triggers: no call can forget them, and
 * the order in which tables, chunks and entries are added is free.
 */
const char catalog_schema[] =
    "CREATE TABLE settings("
    "  key TEXT PRIMARY KEY,"
    "  value TEXT NOT NULL) STRICT, WITHOUT ROWID;"

    /* A new epoch forgets tables and chunks, and their numbers stand in files
       and ledgers: AUTOINCREMENT never gives one twice. */
    "CREATE TABLE tables("
    "  id INTEGER PRIMARY KEY AUTOINCREMENT,"
    "  epoch INTEGER NOT NULL,"
    "  oid INTEGER NOT NULL,"
    "  schema TEXT NOT NULL,"
    "  name TEXT NOT NULL,"
    "  kind TEXT NOT NULL,"
    "  format TEXT NOT NULL,"
    "  n_bytes INTEGER NOT NULL,"
    "  condition TEXT,"   /* SQL; NULL: all rows */
    "  root_schema TEXT," /* it is loaded through this; NULL: itself */
    "  root_name TEXT,"
    "  extension TEXT," /* whose configuration it holds; NULL: none */
    "  fingerprint TEXT,"
    "  state TEXT NOT NULL DEFAULT 'ok' CHECK(state IN ('ok', 'failed')),"
    "  n_to_load INTEGER NOT NULL DEFAULT 0,"  /* chunks that are staged */
    "  n_unloaded INTEGER NOT NULL DEFAULT 0," /* chunks not yet loaded */
    "  n_pending INTEGER NOT NULL DEFAULT 0)"  /* entries */
    "  STRICT;"
    "CREATE INDEX tables_by_oid ON tables(oid);"
    "CREATE INDEX tables_by_name ON tables(schema, name);"
    "CREATE INDEX tables_to_load ON tables(n_bytes DESC, id)"
    "  WHERE n_to_load > 0 AND state = 'ok';"
    "CREATE INDEX tables_to_finish ON tables(n_bytes DESC, id)"
    "  WHERE n_unloaded = 0 AND n_pending > 0 AND state = 'ok';"
    "CREATE INDEX tables_of_family ON tables(root_schema, root_name, id)"
    "  WHERE root_name IS NOT NULL;"
    "CREATE INDEX families_to_load ON tables(root_schema, root_name)"
    "  WHERE root_name IS NOT NULL AND (n_unloaded > 0 OR state = 'failed');"
    "CREATE INDEX tables_in_the_way ON tables(id)"
    "  WHERE n_unloaded > 0 OR n_pending > 0 OR state = 'failed';"

    "CREATE TABLE epochs("
    "  id INTEGER PRIMARY KEY,"
    "  snapshot TEXT NOT NULL,"
    "  lsn INTEGER NOT NULL) STRICT;" /* 0: none was promised */

    "CREATE TABLE columns("
    "  table_id INTEGER NOT NULL REFERENCES tables,"
    "  position INTEGER NOT NULL,"
    "  name TEXT NOT NULL,"
    "  type TEXT NOT NULL,"
    "  PRIMARY KEY(table_id, position)) STRICT, WITHOUT ROWID;"

    "CREATE TABLE chunks("
    "  id INTEGER PRIMARY KEY AUTOINCREMENT,"
    "  table_id INTEGER NOT NULL REFERENCES tables,"
    "  lo INTEGER NOT NULL,"
    "  hi INTEGER NOT NULL," /* -1: no end */
    "  condition TEXT,"      /* SQL, instead of blocks */
    "  n_bytes INTEGER NOT NULL,"
    "  state TEXT NOT NULL DEFAULT 'planned'"
    "    CHECK(state IN ('planned', 'staged', 'loaded')),"
    "  held INTEGER NOT NULL DEFAULT 0," /* 1: its table has failed */
    "  file TEXT UNIQUE,"
    "  file_len INTEGER,"
    "  sha256 BLOB,"
    "  n_rows INTEGER,"
    "  digest TEXT,"
    "  raw_len INTEGER,"
    "  n_frames INTEGER) STRICT;"
    "CREATE INDEX chunks_of_table ON chunks(table_id, id);"
    "CREATE INDEX chunks_to_export ON chunks(n_bytes DESC, id)"
    "  WHERE state = 'planned' AND held = 0;"
    "CREATE INDEX chunks_unstaged ON chunks(table_id)"
    "  WHERE state = 'planned';"
    "CREATE INDEX chunks_to_load ON chunks(table_id, id)"
    "  WHERE state = 'staged';"
    "CREATE TRIGGER chunk_added AFTER INSERT ON chunks BEGIN"
    "  UPDATE tables SET n_unloaded = n_unloaded + 1 WHERE id = NEW.table_id;"
    " END;"
    "CREATE TRIGGER chunk_moved AFTER UPDATE OF state ON chunks BEGIN"
    "  UPDATE tables SET"
    "    n_to_load = n_to_load"
    "      + (NEW.state = 'staged') - (OLD.state = 'staged'),"
    "    n_unloaded = n_unloaded"
    "      + (OLD.state = 'loaded') - (NEW.state = 'loaded')"
    "    WHERE id = NEW.table_id;"
    " END;"
    "CREATE TRIGGER table_moved AFTER UPDATE OF state ON tables BEGIN"
    "  UPDATE chunks SET held = (NEW.state = 'failed')"
    "    WHERE table_id = NEW.id;"
    " END;"

    "CREATE TABLE entries("
    "  id INTEGER PRIMARY KEY,"
    "  position INTEGER NOT NULL,"
    "  type TEXT NOT NULL,"
    "  schema TEXT NOT NULL,"
    "  name TEXT NOT NULL,"
    "  sql TEXT NOT NULL,"
    "  table_id INTEGER REFERENCES tables," /* NULL: after all tables */
    "  state TEXT NOT NULL DEFAULT 'pending'"
    "    CHECK(state IN ('pending', 'done', 'failed'))) STRICT;"
    "CREATE INDEX entries_of_table ON entries(table_id);"
    "CREATE INDEX entries_pending ON entries(table_id, position)"
    "  WHERE state = 'pending';"
    "CREATE TRIGGER entry_added AFTER INSERT ON entries BEGIN"
    "  UPDATE tables SET n_pending = n_pending + 1 WHERE id = NEW.table_id;"
    " END;"
    "CREATE TRIGGER entry_removed AFTER DELETE ON entries"
    "  WHEN OLD.state = 'pending' BEGIN"
    "  UPDATE tables SET n_pending = n_pending - 1 WHERE id = OLD.table_id;"
    " END;"
    "CREATE TRIGGER entry_moved AFTER UPDATE OF state ON entries BEGIN"
    "  UPDATE tables SET n_pending = n_pending"
    "      + (NEW.state = 'pending') - (OLD.state = 'pending')"
    "    WHERE id = NEW.table_id;"
    " END;"

    /* In the order in which they happened; the first of a thing counts. */
    "CREATE TABLE failures("
    "  id INTEGER PRIMARY KEY,"
    "  table_id INTEGER UNIQUE REFERENCES tables,"
    "  entry_id INTEGER UNIQUE REFERENCES entries,"
    "  why TEXT NOT NULL) STRICT;";

/* What is set at the end of a load, and what is not copied. */
const char catalog_schema_rest[] =
    "CREATE TABLE sequences("
    "  id INTEGER PRIMARY KEY,"
    "  schema TEXT NOT NULL,"
    "  name TEXT NOT NULL,"
    "  last_value INTEGER NOT NULL,"
    "  is_called INTEGER NOT NULL) STRICT;"

    "CREATE TABLE skips("
    " id INTEGER PRIMARY KEY,"
    " kind TEXT NOT NULL,"
    " schema TEXT NOT NULL,"
    " name TEXT NOT NULL,"
    " reason TEXT NOT NULL,"
    " harmless INTEGER NOT NULL,"
    " class_oid INTEGER," /* of the object that a load leaves out */
    " oid INTEGER) STRICT;"
    "CREATE INDEX skips_by_oid ON skips(class_oid, oid);";

/* What was made at the source for change data capture (capture.h). */
const char catalog_capture_schema[] =
    "CREATE TABLE captures("
    "  epoch INTEGER PRIMARY KEY,"
    "  state TEXT NOT NULL CHECK(state IN ('intended', 'made')),"
    "  run_id TEXT NOT NULL,"
    "  system_id TEXT NOT NULL,"
    "  database TEXT NOT NULL,"
    "  slot TEXT NOT NULL,"
    "  publication TEXT," /* NULL: there is none */
    "  plugin TEXT NOT NULL,"
    "  floor INTEGER NOT NULL,"
    "  lsn INTEGER NOT NULL," /* 0: not made yet */
    "  found INTEGER NOT NULL) STRICT;"

    "CREATE TABLE captured("
    "  epoch INTEGER NOT NULL REFERENCES captures,"
    "  oid INTEGER NOT NULL,"
    "  schema TEXT NOT NULL,"
    "  name TEXT NOT NULL,"
    "  member INTEGER NOT NULL," /* 0: it is left out */
    "  identity TEXT,"           /* the one before FULL; NULL: unchanged */
    "  reason TEXT,"
    "  PRIMARY KEY(epoch, oid)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX captured_members ON captured(epoch, member)"
    "  WHERE member <> 0;";

/*
 * What this process has in hand.  It must be forgotten when the process ends,
 * however it ends, so it is no part of the file.
 */
const char catalog_temp_schema[] =
    "CREATE TEMP TABLE taken_chunks("
    "  chunk_id INTEGER PRIMARY KEY,"
    "  table_id INTEGER NOT NULL,"
    "  loading INTEGER NOT NULL);" /* 0: it is being exported */
    "CREATE INDEX temp.taken_by_table ON taken_chunks(table_id);"
    /* The key says: one entry a table at a time.  0: one without a table; < 0:
       one of those that are done side by side. */
    "CREATE TEMP TABLE taken_entries("
    "  table_id INTEGER PRIMARY KEY,"
    "  entry_id INTEGER NOT NULL UNIQUE);"
    /* What has moved on is in nobody's hand. */
    "CREATE TEMP TRIGGER chunk_given_back AFTER UPDATE OF state ON chunks BEGIN"
    "  DELETE FROM taken_chunks WHERE chunk_id = NEW.id;"
    " END;"
    "CREATE TEMP TRIGGER entry_given_back AFTER UPDATE OF state ON entries"
    " BEGIN"
    "  DELETE FROM taken_entries WHERE entry_id = NEW.id;"
    " END;";
