// SPDX-License-Identifier: Apache-2.0
/*
 * A workload that takes the time of each of its reads itself, and one that gives hints whose
 * outcome it knows beforehand. Needs no cachestat(2), so it runs on every kernel.
 *
 *   timed-reader FILE reads OPS   OPS reads of pages that are not in memory, then as many of pages
 *                                 that are; prints the time of each group in buckets of powers of
 *                                 two of a microsecond, and their sum
 *   timed-reader FILE advices 0   prints calls, errors, pages asked for, pages affected and calls
 *                                 without effect of each advice
 *
 * Prints "ready", waits for a line on standard input, works, prints one JSON object, waits for the
 * end of input.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "workload.h"

#define BUCKETS 28
/* No read comes near another, so nothing is read ahead. */
#define STRIDE (16 * PAGE)
/* Of reads from memory: long enough for the time around the call to be little of it. */
#define HIT_BYTES (256L << 10)

static int fd;
static char *buffer;

static unsigned long long now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ull + now.tv_nsec;
}

struct times {
	unsigned long long bucket[BUCKETS], sum_ns;
};

static void timed_read(struct times *times, long bytes, long pos)
{
	unsigned long long begin = now_ns();
	long got = pread(fd, buffer, bytes, pos);
	unsigned long long ns = now_ns() - begin;
	int bucket = 0;

	if (got != bytes)
		die("pread");
	while (bucket < BUCKETS - 1 && ns > 1000ull << bucket)
		bucket++;
	times->bucket[bucket]++;
	times->sum_ns += ns;
}

static void print_times(const char *name, const struct times *times)
{
	printf("\"%s\":{\"sumNs\":%llu,\"buckets\":[", name, times->sum_ns);
	for (int i = 0; i < BUCKETS; i++)
		printf("%s%llu", i ? "," : "", times->bucket[i]);
	printf("]}");
}

static void advise(int advice)
{
	if (posix_fadvise(fd, 0, 0, advice))
		die("posix_fadvise");
}

static void read_and_time(long ops)
{
	struct times missed = {}, hit = {};

	for (long i = 0; i < ops; i++)
		timed_read(&missed, PAGE, i * STRIDE);
	/* The pages between come by hints, which are no reads. */
	for (long pos = 0; pos < ops * STRIDE; pos += HIT_BYTES)
		if (posix_fadvise(fd, pos, HIT_BYTES, POSIX_FADV_WILLNEED))
			die("posix_fadvise");
	usleep(300000);
	for (long i = 0; i < ops; i++)
		timed_read(&hit, HIT_BYTES, i * HIT_BYTES % (ops * STRIDE - HIT_BYTES));
	printf("{");
	print_times("missed", &missed);
	printf(",");
	print_times("hit", &hit);
	printf("}\n");
}

#define ALL_PAGES -1

struct call {
	const char *advice;
	int number;
	/* Below 0: in pages before the end. */
	long offset, bytes, pages_asked, pages_affected;
};

/* In this order, beginning with nothing in memory: what each does is known. */
static const struct call calls[] = {
	{ "normal", POSIX_FADV_NORMAL, 0, 0, 0, 0 },
	{ "sequential", POSIX_FADV_SEQUENTIAL, 0, 0, 0, 0 },
	{ "noreuse", POSIX_FADV_NOREUSE, 0, PAGE, 0, 0 },
	{ "random", POSIX_FADV_RANDOM, 0, 0, 0, 0 },
	{ "random", POSIX_FADV_RANDOM, 0, 0, 0, 0 },
	{ "dontneed", POSIX_FADV_DONTNEED, 0, 4 * PAGE, 4, 0 },
	{ "willneed", POSIX_FADV_WILLNEED, 0, 8 * PAGE, 8, 8 },
	{ "willneed", POSIX_FADV_WILLNEED, 0, 8 * PAGE, 8, 0 },
	/* Not aligned: touches three pages, and the kernel keeps the outer two. */
	{ "dontneed", POSIX_FADV_DONTNEED, PAGE / 2, 2 * PAGE, 3, 1 },
	{ "dontneed", POSIX_FADV_DONTNEED, 0, 8 * PAGE, 8, 7 },
	{ "dontneed", POSIX_FADV_DONTNEED, 0, 8 * PAGE, 8, 0 },
	/* Length 0 means to the end, and beyond the end there is nothing. */
	{ "dontneed", POSIX_FADV_DONTNEED, 0, 0, ALL_PAGES, 0 },
	{ "willneed", POSIX_FADV_WILLNEED, 1L << 40, PAGE, 0, 0 },
	/* Over the end. */
	{ "willneed", POSIX_FADV_WILLNEED, -3, 4 * PAGE, 3, 3 },
};

struct result {
	long calls, errors, pages_asked, pages_affected, calls_without_effect;
};

static const char *const advices[] = { "normal",   "random",  "sequential", "willneed",
				       "dontneed", "noreuse", "invalid" };
#define ADVICES (sizeof(advices) / sizeof(advices[0]))
static struct result results[ADVICES];

static struct result *result_of(const char *advice)
{
	for (unsigned i = 0; i < ADVICES; i++)
		if (!strcmp(advices[i], advice))
			return &results[i];
	die(advice);
	return NULL;
}

/* Not the C library's call: it returns before the kernel hears of some mistakes. */
static long fadvise(int file, long offset, long bytes, int advice)
{
	return syscall(SYS_fadvise64, file, offset, bytes, advice);
}

static void expect_error(const char *advice, int number, int file, long bytes, int error)
{
	struct result *result = result_of(advice);

	if (fadvise(file, 0, bytes, number) != -1 || errno != error)
		die("an error was expected of fadvise");
	result->calls++;
	result->errors++;
}

static void give_advice(void)
{
	long file_pages = (lseek(fd, 0, SEEK_END) + PAGE - 1) / PAGE;
	int pipe_fds[2];

	if (pipe(pipe_fds))
		die("pipe");
	for (unsigned i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		const struct call *c = &calls[i];
		struct result *result = result_of(c->advice);
		long offset = c->offset >= 0 ? c->offset : (file_pages + c->offset) * PAGE;

		if (fadvise(fd, offset, c->bytes, c->number))
			die("fadvise");
		/* Long enough for its pages to arrive: one that is locked is not dropped. */
		usleep(100000);
		result->calls++;
		result->pages_asked += c->pages_asked == ALL_PAGES ? file_pages : c->pages_asked;
		result->pages_affected += c->pages_affected;
		/* The others move no page by their nature. */
		if (c->number == POSIX_FADV_WILLNEED || c->number == POSIX_FADV_DONTNEED)
			result->calls_without_effect += !c->pages_affected;
	}
	expect_error("willneed", POSIX_FADV_WILLNEED, -1, PAGE, EBADF);
	expect_error("dontneed", POSIX_FADV_DONTNEED, pipe_fds[0], PAGE, ESPIPE);
	expect_error("random", POSIX_FADV_RANDOM, fd, -1, EINVAL);
	expect_error("invalid", 77, fd, PAGE, EINVAL);
	printf("{");
	for (unsigned i = 0; i < ADVICES; i++) {
		struct result *r = &results[i];

		printf("%s\"%s\":{\"calls\":%ld,\"errors\":%ld,\"pages_asked\":%ld,"
		       "\"pages_affected\":%ld,\"calls_without_effect\":%ld}",
		       i ? "," : "", advices[i], r->calls, r->errors, r->pages_asked,
		       r->pages_affected, r->calls_without_effect);
	}
	printf("}\n");
}

static void wait_for_line(void)
{
	char c = 0;

	while (read(0, &c, 1) == 1 && c != '\n')
		;
}

int main(int argc, char **argv)
{
	if (argc != 4) {
		fprintf(stderr, "usage: timed-reader FILE reads|advices OPS\n");
		return 2;
	}
	fd = open(argv[1], O_RDONLY);
	buffer = calloc(1, HIT_BYTES);
	if (fd < 0 || !buffer)
		die(argv[1]);
	memset(buffer, 1, HIT_BYTES);
	advise(POSIX_FADV_DONTNEED);
	advise(POSIX_FADV_RANDOM);
	puts("ready");
	fflush(stdout);
	wait_for_line();
	if (!strcmp(argv[2], "reads"))
		read_and_time(atol(argv[3]));
	else
		give_advice();
	fflush(stdout);
	wait_for_line();
	return 0;
}
