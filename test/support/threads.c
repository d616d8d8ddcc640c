// SPDX-License-Identifier: Apache-2.0
/*
 * Threads that read one file at the same time. What they ask for together is
 * known; which of two racing reads brings a page is the kernel's choice.
 *
 *   threads FILE PATTERN THREADS OPS
 *
 * PATTERN: race (anywhere, 1 to 64 KiB, of a file that nothing is in memory of;
 * a part of it is dropped now and then), hot (one page or two, all of them in
 * memory). Prints "ready", waits for a line on standard input, works, prints
 * one JSON object, waits for the end of input.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "workload.h"

#define RACE_BYTES  65536L
#define HOT_PAGES   256L
#define DROP_BYTES  (1L << 20)
#define DROP_EVERY  50
#define THREADS_MAX 64

struct truth {
	unsigned long long reads, pages_requested, read_bytes;
};

static const char *path, *pattern;
static long file_bytes, ops;
static int fd;
static struct truth truths[THREADS_MAX];

static void counted_read(struct truth *truth, char *buffer, long pos, long bytes)
{
	long end = pos + bytes < file_bytes ? pos + bytes : file_bytes;

	if (pread(fd, buffer, bytes, pos) != end - pos)
		die("pread");
	truth->reads++;
	truth->pages_requested += (end - 1) / PAGE - pos / PAGE + 1;
	truth->read_bytes += end - pos;
}

static void *work(void *argument)
{
	struct truth *truth = argument;
	unsigned long random = (truth - truths) * 7919 + 12345;
	char *buffer = malloc(RACE_BYTES);

	for (long i = 0; i < ops; i++) {
		if (!strcmp(pattern, "hot")) {
			counted_read(truth, buffer, next_random(&random) % (HOT_PAGES - 1) * PAGE,
				     (1 + i % 2) * PAGE);
			continue;
		}
		counted_read(truth, buffer, next_random(&random) % file_bytes,
			     1 + next_random(&random) % RACE_BYTES);
		if (i % DROP_EVERY == 0)
			posix_fadvise(fd, next_random(&random) % file_bytes & -PAGE, DROP_BYTES,
				      POSIX_FADV_DONTNEED);
	}
	free(buffer);
	return NULL;
}

static unsigned long long storage_read_bytes(void)
{
	static char text[1024];
	int io = open("/proc/self/io", O_RDONLY);
	long n = io < 0 ? -1 : read(io, text, sizeof(text) - 1);

	if (n <= 0)
		die("/proc/self/io");
	close(io);
	text[n] = 0;
	return strtoull(strstr(text, "read_bytes: ") + strlen("read_bytes: "), NULL, 10);
}

static void wait_for_line(void)
{
	char c = 0;

	while (read(0, &c, 1) == 1 && c != '\n')
		;
}

int main(int argc, char **argv)
{
	if (argc != 5) {
		fprintf(stderr, "usage: threads FILE PATTERN THREADS OPS\n");
		return 2;
	}
	long count = atol(argv[3]);
	struct truth sum = {};
	struct stat status;
	pthread_t threads[THREADS_MAX];
	char page[PAGE];

	path = argv[1];
	pattern = argv[2];
	ops = atol(argv[4]);
	fd = open(path, O_RDONLY);
	if (fd < 0 || fstat(fd, &status) || count > THREADS_MAX)
		die(path);
	file_bytes = status.st_size;
	posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	if (!strcmp(pattern, "hot"))
		for (long i = 0; i < HOT_PAGES; i++)
			if (pread(fd, page, PAGE, i * PAGE) != PAGE)
				die("pread");
	storage_read_bytes();
	puts("ready");
	fflush(stdout);
	wait_for_line();

	unsigned long long before = storage_read_bytes();

	for (long i = 0; i < count; i++)
		if (pthread_create(&threads[i], NULL, work, &truths[i]))
			die("pthread_create");
	for (long i = 0; i < count; i++) {
		pthread_join(threads[i], NULL);
		sum.reads += truths[i].reads;
		sum.pages_requested += truths[i].pages_requested;
		sum.read_bytes += truths[i].read_bytes;
	}
	printf("{\"reads\":%llu,\"pages_requested\":%llu,\"read_bytes\":%llu,"
	       "\"storage_read_bytes\":%llu}\n",
	       sum.reads, sum.pages_requested, sum.read_bytes, storage_read_bytes() - before);
	fflush(stdout);
	wait_for_line();
	return 0;
}
