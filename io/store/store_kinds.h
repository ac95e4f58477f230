/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/* Private to the store: the kinds of places there are. */

#include "io/store/store.h"

int store_file_in(struct store_in **ret, const char *path, struct err *err);
int store_file_out(struct store_out **ret, const struct store_out_params *p,
                   struct err *err);
int store_file_remove(const char *path, struct err *err);

int store_object_in(struct store_in **ret, const char *where, struct err *err);
int store_object_out(struct store_out **ret, const struct store_out_params *p,
                     struct err *err);
int store_object_remove(const char *where, struct err *err);

/* fd is taken over, also on failure, unless it is a standard one. */
int store_pipe_in(struct store_in **ret, int fd, const char *name,
                  struct err *err);
int store_pipe_out(struct store_out **ret, int fd, const char *name,
                   struct err *err);

/* write(2) until all is written. */
int store_write(int fd, const char *name, const void *data, size_t len,
                struct err *err);
