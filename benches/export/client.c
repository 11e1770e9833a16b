/* Reads whole results of two servers through libpq, in turn, and says how long each took.
 *
 *   client MODE ROUNDS CONNECTION SQL CONNECTION SQL
 *
 * MODE is text or binary (one extended query whose result has that format) or copy (COPY ... TO
 * STDOUT). A line each result: server (0 or 1), rows, bytes of its values, a checksum of them that
 * does not depend on the order of rows, and seconds from sending the query to its last row.
 * Round 0 warms up; bytes and checksum are taken there only, outside the time. Memory is kept from
 * round to round, as in a program that runs on: what is measured is not the page faults of this one. */
#include <libpq-fe.h>
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct outcome {
    uint64_t rows, bytes, sum;
    double seconds;
};

static double now(void) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return at.tv_sec + at.tv_nsec / 1e9;
}

static void fail(PGconn *conn, const char *what) {
    fprintf(stderr, "%s: %s", what, PQerrorMessage(conn));
    exit(1);
}

/* FNV-1a of one value, and of its end. */
static uint64_t hash(uint64_t sum, const char *value, int length) {
    for (int at = 0; at < length; at++) sum = (sum ^ (unsigned char)value[at]) * 1099511628211ULL;
    return (sum ^ 0xff) * 1099511628211ULL;
}

/* Rows are summed, so that their order does not matter. */
static void check(PGresult *result, struct outcome *outcome) {
    for (uint64_t row = 0; row < outcome->rows; row++) {
        uint64_t one = 14695981039346656037ULL;
        for (int column = 0; column < PQnfields(result); column++) {
            int length = PQgetlength(result, row, column);
            outcome->bytes += length;
            one = PQgetisnull(result, row, column)
                      ? hash(one, "\\N", 2)
                      : hash(one, PQgetvalue(result, row, column), length);
        }
        outcome->sum += one;
    }
}

static struct outcome query(PGconn *conn, const char *sql, int format, int is_checked) {
    struct outcome outcome = {0};
    double start = now();
    PGresult *result = PQexecParams(conn, sql, 0, NULL, NULL, NULL, NULL, format);
    outcome.seconds = now() - start;
    if (PQresultStatus(result) != PGRES_TUPLES_OK) fail(conn, "query");
    outcome.rows = PQntuples(result);
    if (is_checked) check(result, &outcome);
    PQclear(result);
    return outcome;
}

static struct outcome copy(PGconn *conn, const char *sql) {
    struct outcome outcome = {0};
    double start = now();
    PGresult *begun = PQexec(conn, sql);
    if (PQresultStatus(begun) != PGRES_COPY_OUT) fail(conn, "copy");
    int is_binary = PQbinaryTuples(begun), length;
    PQclear(begun);
    char *row;
    while ((length = PQgetCopyData(conn, &row, 0)) > 0) {
        outcome.rows++;
        outcome.bytes += length;
        PQfreemem(row);
    }
    if (length == -2) fail(conn, "copy");
    outcome.seconds = now() - start;
    PQclear(PQgetResult(conn));
    PQclear(PQgetResult(conn));
    outcome.rows -= is_binary; /* its trailer is a message of its own */
    return outcome;
}

int main(int argc, char **argv) {
    if (argc != 7) {
        fprintf(stderr, "usage: client text|binary|copy ROUNDS CONNECTION SQL CONNECTION SQL\n");
        return 2;
    }
    mallopt(M_MMAP_THRESHOLD, 1 << 30);
    mallopt(M_TRIM_THRESHOLD, 2147483647);
    const char *mode = argv[1];
    PGconn *conns[2];
    for (int server = 0; server < 2; server++) {
        conns[server] = PQconnectdb(argv[3 + 2 * server]);
        if (PQstatus(conns[server]) != CONNECTION_OK) fail(conns[server], "connect");
    }
    for (int round = 0; round <= atoi(argv[2]); round++) {
        for (int server = 0; server < 2; server++) {
            const char *sql = argv[4 + 2 * server];
            struct outcome outcome =
                strcmp(mode, "copy") == 0
                    ? copy(conns[server], sql)
                    : query(conns[server], sql, strcmp(mode, "binary") == 0, round == 0);
            printf("%d %llu %llu %llu %.6f\n", server, (unsigned long long)outcome.rows,
                   (unsigned long long)outcome.bytes, (unsigned long long)outcome.sum,
                   outcome.seconds);
            fflush(stdout);
        }
    }
    PQfinish(conns[0]);
    PQfinish(conns[1]);
    return 0;
}
