/* SPDX-License-Identifier: PostgreSQL */

/*
 * What does it cost to get bytes onto the disk for good?  The same bytes, of
 * which all compute the same SHA-256, as a staged file through uring and
 * through sync, and as a program would do without either: write(2) and
 * fdatasync(2).  null is the cost of the bytes and their digest alone, and is
 * taken off for the CPU time of writing.
 *
 *     bench-staged-write DIR [MiB [ROUNDS]]
 *
 * The contestants take turns within a round, each round beginning with
 * another one, after a first round that does not count.  CPU time is that of
 * this process with the kernel's io_uring workers, but without the kernel's
 * writeback, which only "plain" needs.
 */

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "io/clock.h"
#include "io/staged_file.h"

enum { N_BUFFERS = 5, DEPTH = 4, PIECE = 256 << 10, N_ROUNDS_MAX = 99 };

enum { MIB = 1 << 20 };

static const char name[] = "bench-staged-write.tmp";
static unsigned char source[PIECE];

static void
must(int r, const struct err *err)
{
    if (r == 0)
        return;
    fprintf(stderr, "bench-staged-write: %s\n", err->message);
    exit(err->class);
}

static void
must_sys(int ok)
{
    struct err err;

    if (!ok)
        must(err_sys(&err, errno, "a system call failed"), &err);
}

static void
run_staged(struct sink *s, struct buffer_pool *pool, int dir_fd, uint64_t len)
{
    cleanup_(staged_file_freep) struct staged_file *f = NULL;
    const struct staged_file_params p = {.dir_fd = dir_fd,
                                         .name = name,
                                         .sink = s,
                                         .pool = pool,
                                         .expected_len = len};
    struct staged_file_seal seal;
    struct err err;

    must(staged_file_open(&f, &p, &err), &err);
    while (staged_file_len(f) < len)
        must(bytes_out_append(staged_file_out(f), source, PIECE, &err), &err);
    must(staged_file_commit(f, &seal, &err), &err);
}

static void
run_plain(int dir_fd, uint64_t len)
{
    static unsigned char buffer[BUFFER_PIECE];
    unsigned char digest[32];
    EVP_MD_CTX *sha256 = EVP_MD_CTX_new();
    int fd =
        openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    must_sys(fd >= 0);
    EVP_DigestInit_ex(sha256, EVP_sha256(), NULL);
    for (uint64_t at = 0; at < len; at += sizeof buffer) {
        for (size_t i = 0; i < sizeof buffer; i += PIECE) {
            memcpy(buffer + i, source, PIECE);
            EVP_DigestUpdate(sha256, buffer + i, PIECE);
        }
        must_sys(write(fd, buffer, sizeof buffer) == sizeof buffer);
    }
    EVP_DigestFinal_ex(sha256, digest, NULL);
    must_sys(fdatasync(fd) == 0 && fsync(dir_fd) == 0);
    close(fd);
    EVP_MD_CTX_free(sha256);
}

struct contestant {
    const char *name;
    struct sink *sink; /* NULL: without one */
    double wall[N_ROUNDS_MAX];
    double cpu[N_ROUNDS_MAX];
};

static double
cpu_s(void)
{
    struct rusage u;

    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static void
run(struct contestant *c, unsigned round, struct buffer_pool *pool, int dir_fd,
    uint64_t len)
{
    const uint64_t wall = clock_ns();
    const double cpu = cpu_s();

    if (c->sink)
        run_staged(c->sink, pool, dir_fd, len);
    else
        run_plain(dir_fd, len);
    c->wall[round] = (double)(clock_ns() - wall) / 1e9;
    c->cpu[round] = cpu_s() - cpu;
    must_sys(unlinkat(dir_fd, name, 0) == 0);
}

static int
by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void
print(struct contestant *c, unsigned n, unsigned n_rounds, uint64_t len)
{
    const double gb = (double)len / 1e9;
    const struct contestant *null = &c[0], *plain = &c[n - 1];
    const unsigned mid = n_rounds / 2;
    struct utsname u;

    uname(&u);
    printf("# %s %s, %ld processors, %s\n", u.sysname, u.release,
           sysconf(_SC_NPROCESSORS_ONLN), sink_describe(c[1].sink));
    printf("how\tMB/s\tleast\tmost\tratio\tCPU s/GB\tof it writing\n");
    for (unsigned i = 0; i < n; i++) {
        qsort(c[i].wall, n_rounds, sizeof *c[i].wall, by_value);
        qsort(c[i].cpu, n_rounds, sizeof *c[i].cpu, by_value);
    }
    for (unsigned i = 0; i < n; i++)
        printf("%s\t%.0f\t%.0f\t%.0f\t%.2f\t%.3f\t%.3f\n", c[i].name,
               gb * 1e3 / c[i].wall[mid], gb * 1e3 / c[i].wall[n_rounds - 1],
               gb * 1e3 / c[i].wall[0], plain->wall[mid] / c[i].wall[mid],
               c[i].cpu[mid] / gb, (c[i].cpu[mid] - null->cpu[mid]) / gb);
}

int
main(int argc, char **argv)
{
    cleanup_(buffer_pool_freep) struct buffer_pool *pool = NULL;
    struct contestant all[] = {{"null"}, {"uring"}, {"sync"}, {"plain"}};
    const unsigned n = sizeof all / sizeof *all;
    struct sink_params p = {.depth = DEPTH, .register_buffers = 1};
    const uint64_t len = (argc > 2 ? strtoul(argv[2], NULL, 10) : 256) * MIB;
    unsigned n_rounds = argc > 3 ? (unsigned)strtoul(argv[3], NULL, 10) : 9;
    struct err err;
    int dir_fd;

    dir_fd = open(argc > 1 ? argv[1] : ".", O_RDONLY | O_DIRECTORY);
    must_sys(dir_fd >= 0);
    if (n_rounds == 0 || n_rounds > N_ROUNDS_MAX)
        n_rounds = N_ROUNDS_MAX;
    for (size_t i = 0; i < sizeof source; i++)
        source[i] = (unsigned char)(i * 2654435761u >> 11);

    must(buffer_pool_new(&pool, BUFFER_PIECE, N_BUFFERS, &err), &err);
    p.pool = pool;
    must(sink_new_null(&all[0].sink, &p, &err), &err);
    must(sink_new_uring(&all[1].sink, &p, &err), &err);
    must(sink_new_sync(&all[2].sink, &p, &err), &err);

    for (unsigned i = 0; i < n; i++)
        run(&all[i], 0, pool, dir_fd, len);
    for (unsigned round = 0; round < n_rounds; round++)
        for (unsigned i = 0; i < n; i++)
            run(&all[(round + i) % n], round, pool, dir_fd, len);
    print(all, n, n_rounds, len);

    for (unsigned i = 0; i < n; i++)
        sink_free(all[i].sink);
    close(dir_fd);
    return 0;
}
