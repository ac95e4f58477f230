/* SPDX-License-Identifier: PostgreSQL */
#include "tests/refuse.h"

#include <criterion/criterion.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>

enum { N_MAX = 8, N_PER_REFUSAL = 5 };

static struct sock_filter
load(size_t offset)
{
    return (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
                                        (uint32_t)offset);
}

/* Go on with the next when equal, else leave out skip of them. */
static struct sock_filter
unless(uint32_t value, uint8_t skip)
{
    return (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0,
                                        skip);
}

static struct sock_filter
answer(uint32_t what)
{
    return (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, what);
}

void
refuse(const struct refusal *what, size_t n)
{
    struct sock_filter code[N_MAX * N_PER_REFUSAL + 1];
    struct sock_fprog prog = {.filter = code};
    unsigned short at = 0;

    cr_assert_leq(n, N_MAX);
    for (size_t i = 0; i < n; i++) {
        const int any = what[i].arg == REFUSE_ANY;
        const size_t arg = any ? 0 : (size_t)what[i].arg;

        code[at++] = load(offsetof(struct seccomp_data, nr));
        code[at++] = unless((uint32_t)what[i].nr, any ? 1 : 3);
        if (!any) {
            code[at++] = load(offsetof(struct seccomp_data, args[arg]));
            code[at++] = unless(what[i].value, 1);
        }
        code[at++] = answer(SECCOMP_RET_ERRNO | (uint32_t)what[i].sys);
    }
    code[at++] = answer(SECCOMP_RET_ALLOW);
    prog.len = at;

    cr_assert_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    cr_assert_eq(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog), 0);
}

void
refuse_one(int nr, int sys)
{
    refuse(&(struct refusal){nr, sys, REFUSE_ANY, 0}, 1);
}
