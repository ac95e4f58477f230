/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/* How many tabs are in memory: the columns of a text row, at its speed. */

#include <stddef.h>
#include <stdint.h>

uint64_t tabs_count(const unsigned char *data, size_t len);
