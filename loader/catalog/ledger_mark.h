/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/* The comment on the schema of a ledger (loader/target/ledger.h), by which
   both sides know it: a source may have been a target before. */
#define LEDGER_MARK "pghaul: ledger of loads"
