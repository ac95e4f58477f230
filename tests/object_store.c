/* SPDX-License-Identifier: PostgreSQL */
#include "tests/object_store.h"

#include <criterion/criterion.h>
#include <criterion/hooks.h>
#include <curl/curl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define PORT_ENV "PGHAUL_TEST_S3_PORT"
#define PROXY_ENV "PGHAUL_TEST_S3_PROXY"
#define DIR_ENV "PGHAUL_TEST_S3_DIR"

static pid_t store = -1, proxy = -1;

/* ---- programs whose first line says their port ---- */

static int
read_port(FILE *f)
{
    char line[256];
    const char *digits;

    while (f && fgets(line, sizeof line, f)) {
        digits = strrchr(line, ':');
        digits = digits ? digits + 1 : line;
        if (atoi(digits) > 0)
            return atoi(digits);
    }
    return -1;
}

static pid_t
start(const char *const argv[], int *ret_port)
{
    int fds[2];
    pid_t pid;

    if (pipe(fds) < 0)
        return -1;
    pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(fds[1], 1);
        close_range(3, ~0U, 0);
        execvp(argv[0], (char *const *)argv);
        _exit(127);
    }
    close(fds[1]);
    /* Left open: the program goes on saying things. */
    *ret_port = read_port(fdopen(fds[0], "r"));
    return pid;
}

static void
end(pid_t pid)
{
    if (pid <= 0)
        return;
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

/* ---- the store ---- */

static const char *
program(void)
{
    static char path[4096];
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");

    if (getenv("PGHAUL_S3RVER"))
        return getenv("PGHAUL_S3RVER");
    snprintf(path, sizeof path, "%s%s/pghaul-s3rver/node_modules/.bin/s3rver",
             cache  ? cache
             : home ? home
                    : "",
             cache ? "" : "/.cache");
    return path;
}

static pid_t
start_proxy(const char *option, const char *value, const char *store_port,
            int *ret_port)
{
    char script[4096];
    const char *argv[] = {PYTHON, "-B",  script, store_port,
                          option, value, NULL};

    snprintf(script, sizeof script, "%s/tests/s3-proxy.py",
             getenv("PGHAUL_SOURCE"));
    return start(argv, ret_port);
}

static void
set_number(const char *name, int n)
{
    char text[16];

    snprintf(text, sizeof text, "%d", n);
    setenv(name, text, 1);
}

ReportHook(PRE_ALL)(struct criterion_test_set *tests)
{
    static char dir[] = "/tmp/pghaul-s3-XXXXXX";
    int port, proxy_port;

    (void)tests;
    /* Its tokens of lists need an old cipher. */
    setenv("NODE_OPTIONS", "--openssl-legacy-provider", 1);
    unsetenv("AWS_PROFILE");
    setenv("AWS_EC2_METADATA_DISABLED", "true", 1);
    if (access(program(), X_OK) < 0 || !mkdtemp(dir))
        return;
    store = start((const char *const[]){program(), "-d", dir, "-a", "127.0.0.1",
                                        "-p", "0", "-s", NULL},
                  &port);
    setenv(DIR_ENV, dir, 1);
    if (port < 0)
        return;
    set_number(PORT_ENV, port);
    proxy = start_proxy(NULL, NULL, getenv(PORT_ENV), &proxy_port);
    set_number(PROXY_ENV, proxy_port);
}

ReportHook(POST_ALL)(struct criterion_global_stats *stats)
{
    const char *dir = getenv(DIR_ENV);
    char command[256];

    (void)stats;
    end(proxy);
    end(store);
    if (dir) {
        snprintf(command, sizeof command, "rm -r %s", dir);
        (void)!system(command);
    }
}

void
object_store_begin(void)
{
    if (!getenv(PROXY_ENV))
        cr_skip("s3rver is not installed, or does not start: \"./run test\" "
                "installs it where npm is");
    setenv("AWS_ACCESS_KEY_ID", "S3RVER", 1);
    setenv("AWS_SECRET_ACCESS_KEY", "S3RVER", 1);
}

/* ---- what a test uses of it ---- */

static char bucket[64];

static size_t
collect(char *data, size_t one, size_t len, void *arg)
{
    (void)one;
    fwrite(data, 1, len, arg);
    return len;
}

/* Tell the proxy, or ask it; the answer lives until the next one. */
static const char *
tell(const char *method, const char *what, const char *body)
{
    static char *text;
    CURL *easy = curl_easy_init();
    char url[256];
    size_t len;
    FILE *f;

    free(text);
    f = open_memstream(&text, &len);
    snprintf(url, sizeof url, "%s/%s/%s", object_store_proxy(), what, bucket);
    curl_easy_setopt(easy, CURLOPT_URL, url);
    if (body)
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body);
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, collect);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, f);
    cr_assert_eq(curl_easy_perform(easy), CURLE_OK);
    curl_easy_cleanup(easy);
    fclose(f);
    return text;
}

const char *
object_store_bucket_of(const char *const rules[])
{
    static unsigned n;
    char text[4096] = "";

    snprintf(bucket, sizeof bucket, "bucket-%d-%u", getpid(), n++);
    for (; *rules; rules++)
        strcat(strcat(text, *rules), "\n");
    tell("PUT", "_rules", text);
    return bucket;
}

const char *
object_store_proxy(void)
{
    static char url[64];

    snprintf(url, sizeof url, "http://127.0.0.1:%s", getenv(PROXY_ENV));
    return url;
}

const char *
object_store_proxy_with(const char *option, const char *value)
{
    static char url[64];
    int port;

    start_proxy(option, value, getenv(PORT_ENV), &port);
    cr_assert(port > 0, "the proxy does not start");
    snprintf(url, sizeof url, "http://127.0.0.1:%d", port);
    return url;
}

unsigned
object_store_count(const char *text, const char *and_text)
{
    const char *line = tell("GET", "_log", NULL);
    unsigned n = 0;

    while (*line) {
        size_t len = strcspn(line, "\n");
        const char *a = strstr(line, text), *b = strstr(line, and_text);

        n += a && b && a < line + len && b < line + len;
        line += len + 1;
    }
    return n;
}

const char *
object_store_headers(void)
{
    return tell("GET", "_headers", NULL);
}

const char *
object_store_url(void)
{
    static char url[64];

    snprintf(url, sizeof url, "http://127.0.0.1:%s", getenv(PORT_ENV));
    return url;
}
