/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/* RUN/keeper.lock and RUN/keeper.json: what both sides of keeper.h share. */

#include "io/err.h"
#include "loader/run/run_dir.h"
#include "loader/source/keeper/keeper.h"

/*
 * By the keeper: it is the only one for as long as the descriptor is open.
 * One that is about to end, because its starter is gone, is waited for;
 * ERR_REFUSED when it does not.
 */
int keeper_files_lock(const struct run_dir *dir, int *ret_fd, struct err *err);

/* The pid of who holds the lock, by the kernel's word; 0: nobody. */
pid_t keeper_files_holder(const struct run_dir *dir);

int keeper_files_write(const struct run_dir *dir,
                       const struct keeper_look *look, struct err *err);
/* KEEPER_E_NONE when there is no keeper.json. */
int keeper_files_read(const struct run_dir *dir, struct keeper_look *ret,
                      struct err *err);
int keeper_files_exist(const struct run_dir *dir);
void keeper_files_remove(const struct run_dir *dir);
