/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Let the kernel refuse system calls to this process, as the seccomp profile
 * of a container does.  There is no way back.
 */

#include <stddef.h>
#include <stdint.h>

enum { REFUSE_ANY = -1 };

struct refusal {
    int nr;         /* __NR_... */
    int sys;        /* the errno to answer */
    int arg;        /* refuse only when this argument ... */
    uint32_t value; /* ... has this value; REFUSE_ANY: always */
};

/* Fails the test when seccomp itself is refused. */
void refuse(const struct refusal *what, size_t n);

/* One system call, always. */
void refuse_one(int nr, int sys);
