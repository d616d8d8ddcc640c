// SPDX-License-Identifier: Apache-2.0
/*
 * A workload that knows the truth: before each read it asks cachestat(2) how
 * many pages of the range are in memory (pattern cold does not have to), and at the end it prints
 * what it did as one JSON object. With a file of its own nothing can come between the question and
 * the read, so whoever watches must arrive at the same numbers.
 *
 *   reader FILE PATTERN BYTES OPS SEED [CALL]
 *   reader resident FILE
 *
 * PATTERN: sequential (BYTES each), random (aligned, BYTES each), unaligned
 * (anywhere, 1..BYTES each), torn (anywhere, BYTES each, its end absent while what follows comes),
 * eof (over the end of the file), cold (anywhere, BYTES each, all of it dropped before),
 * mixed (all ways to fetch, also direct), deep (io_uring,
 * many at a time), parts (all in order, then again and again a part of at most BYTES that a hint
 * dropped), touches (faults on mapped pages), writes (BYTES each into a new file
 * FILE-written), pipes (no file at all), hold (no reads), hints and dontneed (see there), cycles
 * (OPS processes one after the other, each the program CALL, a copy of this one, with pattern once:
 * the main thread and one that renames itself read BYTES each). CALL: see do_read(); default read
 * for sequential, else pread.
 *
 * Prints "ready", waits for a line on standard input, works, prints the object,
 * waits for the end of input.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/io_uring.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "reading-calls.h"
#include "workload.h"

/* cachestat(2), Linux 6.5 */
#define SYS_CACHESTAT 451
/* A hole of this size is punched into the cache after every 40th random read,
 * or all would soon be hits. */
#define DROP_BYTES (2L << 20)
#define DROP_EVERY 40
/* As much is dropped behind the first pages of a torn read, and fetched behind its last one: takes
 * longer than what the read itself fetches. */
#define TORN_BYTES (1L << 20)

struct cachestat_range {
	unsigned long long off, len;
};
struct cachestat {
	unsigned long long nr_cache, nr_dirty, nr_writeback, nr_evicted, nr_recently_evicted;
};

struct truth {
	unsigned long long reads, reads_missed, pages_requested, pages_missed, read_bytes;
	unsigned long long direct_bytes, pages_faulted, pages_written, second_thoughts;
	unsigned long long pages_dropped, pages_kept;
};

static long file_bytes;
static struct truth truth;

static long ask_cachestat(long first, long pages)
{
	struct cachestat_range range = { first * PAGE, pages * PAGE };
	struct cachestat answer;

	if (syscall(SYS_CACHESTAT, fd, &range, &answer, 0))
		die("cachestat");
	return answer.nr_cache;
}

/*
 * On a busy machine cachestat(2) may miss pages of its walk, also twice in a row (seen on 6.18). A
 * walk of one page has nothing to skip, so each page is asked for alone where not all are there.
 */
static long pages_in_memory(long first, long pages)
{
	long whole = ask_cachestat(first, pages), each = 0;

	if (whole == pages)
		return whole;
	for (long i = first; i < first + pages; i++)
		each += ask_cachestat(i, 1);
	truth.second_thoughts += each != whole;
	return each;
}

/* What a read gives: up to the end of the file, and no more than a pipe takes. */
static long end_of_read(long pos, long bytes)
{
	long end = pos + bytes < file_bytes ? pos + bytes : file_bytes;
	long full = (pos & -PAGE) + PIPE_SLOTS * PAGE;

	if ((!strcmp(call, "splice") || !strcmp(call, "sendfile to pipe")) && end > full)
		return full;
	return end;
}

/* Adds a read that is about to begin to the truth; the bytes that it must give. */
static long foretell(long pos, long bytes)
{
	long end = end_of_read(pos, bytes);
	long first = pos / PAGE;
	long pages = (end - 1) / PAGE - first + 1;
	long missed = pages - pages_in_memory(first, pages);

	truth.reads++;
	truth.reads_missed += missed > 0;
	truth.pages_requested += pages;
	truth.pages_missed += missed;
	truth.read_bytes += end - pos;
	return end - pos;
}

/* A read that does not wait: what it gives is known only afterwards, and it misses nothing of that.
 */
static void read_without_waiting(long pos, long bytes)
{
	struct iovec whole = { buffer, bytes };
	long got = preadv2(fd, &whole, 1, pos, RWF_NOWAIT);

	if (got <= 0)
		return;
	truth.reads++;
	truth.pages_requested += (pos + got - 1) / PAGE - pos / PAGE + 1;
	truth.read_bytes += got;
}

static void counted_read(long pos, long bytes)
{
	if (!strcmp(call, "nowait")) {
		read_without_waiting(pos, bytes);
		return;
	}
	long want = foretell(pos, bytes);
	long got = do_read(pos, bytes);

	if (got != want) {
		fprintf(stderr, "%s of %ld at %ld returned %ld\n", call, bytes, pos, got);
		exit(1);
	}
}

static void drop(long offset, long bytes)
{
	if (posix_fadvise(fd, offset, bytes, POSIX_FADV_DONTNEED))
		die("posix_fadvise");
}

/* Long enough for the pages of a readahead to arrive: one that is locked is not dropped. */
#define SETTLE_US 300000

/* Reads of which every page is absent, which is known also where cachestat(2) is not to be had. */
static void read_cold(long bytes, long ops, unsigned long seed)
{
	unsigned long random = seed * 7919 + 12345;

	for (long i = 0; i < ops; i++) {
		long pos = next_random(&random) % (file_bytes - bytes);
		long end = end_of_read(pos, bytes);
		long pages = (end - 1) / PAGE - pos / PAGE + 1;

		drop(0, 0);
		if (do_read(pos, bytes) != end - pos)
			die(call);
		truth.reads++;
		truth.reads_missed++;
		truth.pages_requested += pages;
		truth.pages_missed += pages;
		truth.read_bytes += end - pos;
		usleep(SETTLE_US);
	}
}

/* A direct read; counts what the storage has to give for it, which is whole blocks. */
static void read_direct(int direct_fd, long pos, long bytes)
{
	long end = (file_bytes + PAGE - 1) & -PAGE;
	long want = pos + bytes < file_bytes ? bytes : file_bytes - pos;

	if (pread(direct_fd, buffer, bytes, pos) != want)
		die("pread with O_DIRECT");
	truth.direct_bytes += pos + bytes < end ? bytes : end - pos;
}

/* Touches a page of a mapping. */
static void touch(long pos)
{
	volatile char *map = mmap(0, PAGE, PROT_READ, MAP_SHARED, fd, pos);

	if (map == MAP_FAILED)
		die("mmap of the file");
	(void)*map;
	munmap((void *)map, PAGE);
}

/* All ways to fetch: read, direct read (also over the end of the file), hint, fault, sendfile, and
 * a read that does not wait. */
static void fetch_in_all_ways(const char *path, long bytes, long ops, unsigned long seed)
{
	unsigned long random = seed * 7919 + 12345;
	int direct_fd = open(path, O_RDONLY | O_DIRECT);
	struct iovec whole = { buffer, bytes };

	if (direct_fd < 0)
		die("open with O_DIRECT");
	for (long i = 0; i < ops; i++) {
		long pos = next_random(&random) % (file_bytes / PAGE - 1) * PAGE;
		off_t offset = pos;

		switch (i % 8) {
		case 0:
			counted_read(pos, bytes);
			break;
		case 1:
			read_direct(direct_fd, pos,
				    (1 + next_random(&random) % (bytes / PAGE)) * PAGE);
			break;
		case 2:
			read_direct(direct_fd, file_bytes / PAGE * PAGE, bytes);
			break;
		case 3:
			posix_fadvise(fd, pos, bytes, POSIX_FADV_WILLNEED);
			break;
		case 4:
			touch(pos);
			break;
		case 5:
			if (sendfile(null_fd, fd, &offset, bytes) <= 0)
				die("sendfile");
			break;
		case 6:
			if (preadv2(fd, &whole, 1, pos, RWF_NOWAIT) < 0 && errno != EAGAIN)
				die("preadv2 with RWF_NOWAIT");
			break;
		case 7:
			drop(next_random(&random) % file_bytes & -PAGE, DROP_BYTES);
		}
	}
}

/* What is in memory in the end came by faults: nothing of the file was before. */
static void touch_pages(long ops, unsigned long seed)
{
	unsigned long random = seed * 7919 + 12345;

	for (long i = 0; i < ops; i++)
		touch(next_random(&random) % (file_bytes / PAGE) * PAGE);
	usleep(SETTLE_US);
	truth.pages_faulted = pages_in_memory(0, (file_bytes + PAGE - 1) / PAGE);
}

/* What is in memory of a file that was not there before, was written. */
static void write_new_file(const char *path, long bytes, long ops)
{
	char written[PATH_MAX];

	snprintf(written, sizeof(written), "%s-written", path);
	fd = open(written, O_RDWR | O_CREAT | O_EXCL, 0600);
	if (fd < 0)
		die(written);
	for (long i = 0; i < ops; i++)
		if (pwrite(fd, buffer, bytes, i * bytes) != bytes)
			die("pwrite");
	/* Its blocks are found by this process, and not later by one of the kernel's. */
	if (fsync(fd))
		die("fsync");
	truth.pages_written = pages_in_memory(0, (bytes * ops + PAGE - 1) / PAGE);
	unlink(written);
	close(fd);
}

/* As many reads of io_uring at a time as the ring takes, each in a part of the file of its own. */
static void read_deep(long bytes, long ops, unsigned long seed)
{
	unsigned long random = seed * 7919 + 12345;
	long part = file_bytes / DEPTH;

	open_ring();
	for (long i = 0; i < ops / DEPTH; i++) {
		long want = 0;

		for (int k = 0; k < DEPTH; k++) {
			long pos = k * part + next_random(&random) % (part - bytes);
			long length = 1 + next_random(&random) % bytes;

			want += foretell(pos, length);
			queue_read(pos, length, IORING_OP_READ, 0);
		}
		if (submit_and_wait(DEPTH) != want)
			die("reads of io_uring");
		drop(next_random(&random) % file_bytes & -PAGE, DROP_BYTES);
	}
}

static void read_file(const char *pattern, long bytes, long ops, unsigned long seed)
{
	unsigned long random = seed * 7919 + 12345;
	long pos = 0;

	for (long i = 0; i < ops; i++) {
		if (!strcmp(pattern, "sequential")) {
			if (pos >= file_bytes) {
				pos = 0;
				lseek(fd, 0, SEEK_SET);
			}
			counted_read(pos, bytes);
			pos += bytes;
			continue;
		}
		if (!strcmp(pattern, "eof")) {
			if (i % 50 == 0)
				drop((file_bytes & -PAGE) - 16 * PAGE, 0);
			counted_read(file_bytes - 1 - next_random(&random) % 40000,
				     1 + next_random(&random) % bytes);
		} else if (!strcmp(pattern, "torn")) {
			long pos = next_random(&random) % (file_bytes - TORN_BYTES);
			long first = pos & -PAGE;

			drop(first + next_random(&random) % PIPE_SLOTS * PAGE, TORN_BYTES);
			posix_fadvise(fd, first + PIPE_SLOTS * PAGE, TORN_BYTES,
				      POSIX_FADV_WILLNEED);
			counted_read(pos, bytes);
			continue;
		} else if (!strcmp(pattern, "unaligned")) {
			counted_read(next_random(&random) % file_bytes,
				     1 + next_random(&random) % bytes);
		} else {
			counted_read(next_random(&random) % (file_bytes / bytes) * bytes, bytes);
		}
		if (i % DROP_EVERY == DROP_EVERY - 1 && strcmp(pattern, "eof"))
			drop(next_random(&random) % file_bytes & -PAGE, DROP_BYTES);
	}
}

#include "reader-hints.h"

/* read(2) and write(2) that are no file reads: pipes, sockets, /proc and a
 * memory file. */
static void read_no_file(long ops)
{
	int pipe_fds[2], sockets[2], proc = open("/proc/self/stat", O_RDONLY),
				     memory = memfd_create("m", 0);

	if (pipe(pipe_fds) || socketpair(AF_UNIX, SOCK_STREAM, 0, sockets) || proc < 0 ||
	    memory < 0)
		die("pipe, socketpair, /proc or memfd");
	for (long i = 0; i < ops; i++) {
		if (write(pipe_fds[1], buffer, 4096) != 4096 ||
		    read(pipe_fds[0], buffer, 4096) != 4096 ||
		    write(sockets[1], buffer, 4096) != 4096 ||
		    read(sockets[0], buffer, 4096) != 4096 ||
		    pwrite(memory, buffer, 4096, i % 64 * 4096) != 4096 ||
		    pread(memory, buffer, 4096, i % 64 * 4096) != 4096 ||
		    pread(proc, buffer, 64, 0) <= 0)
			die("read or write of no file");
	}
}

/* Bytes that this process had the storage fetch. */
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

static void read_first(long bytes)
{
	char own[PAGE];

	if (pread(fd, own, bytes < PAGE ? bytes : PAGE, 0) <= 0)
		die("pread");
}

static void *read_renamed(void *bytes)
{
	prctl(PR_SET_NAME, "another-name");
	read_first((long)bytes);
	return NULL;
}

static void read_once(long bytes)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, read_renamed, (void *)bytes))
		die("pthread_create");
	read_first(bytes);
	pthread_join(thread, NULL);
}

static void run_cycles(const char *program, char **argv, long cycles)
{
	for (long i = 0; i < cycles; i++) {
		int status;
		pid_t child = fork();

		if (child == 0) {
			execl(program, program, argv[1], "once", argv[3], "1", "1", NULL);
			_exit(127);
		}
		if (child < 0 || waitpid(child, &status, 0) != child || status)
			die("a process of a cycle");
	}
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "resident")) {
		struct stat of;

		fd = open(argv[2], O_RDONLY);
		if (fd < 0 || fstat(fd, &of))
			die(argv[2]);
		printf("%ld\n", pages_in_memory(0, (of.st_size + PAGE - 1) / PAGE));
		return 0;
	}
	if (argc < 6) {
		fprintf(stderr, "usage: reader FILE PATTERN BYTES OPS SEED [CALL]\n");
		return 2;
	}
	const char *pattern = argv[2];
	long bytes = atol(argv[3]), ops = atol(argv[4]);
	struct stat status;

	call = argc > 6 ? argv[6] : strcmp(pattern, "sequential") ? "pread" : "read";
	fd = open(argv[1], O_RDONLY);
	null_fd = open("/dev/null", O_WRONLY);
	if (fd < 0 || fstat(fd, &status))
		die(argv[1]);
	file_bytes = status.st_size;
	if (!strcmp(pattern, "once")) {
		read_once(bytes);
		return 0;
	}
	buffer = mmap(0, BUFFER_BYTES, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (buffer == MAP_FAILED)
		die("mmap");
	drop(0, 0);
	/* Twice, so that nothing is loaded for the first time while it counts. */
	storage_read_bytes();
	puts("ready");
	fflush(stdout);
	wait_for_line();

	if (!strcmp(pattern, "hints")) {
		give_hints();
		wait_for_line();
		return 0;
	}
	if (!strcmp(pattern, "dontneed")) {
		drop_a_part(argv[1]);
		wait_for_line();
		return 0;
	}
	unsigned long long before = storage_read_bytes();

	if (!strcmp(pattern, "pipes"))
		read_no_file(ops);
	else if (!strcmp(pattern, "cold"))
		read_cold(bytes, ops, atol(argv[5]));
	else if (!strcmp(pattern, "parts"))
		drop_parts(bytes, ops, atol(argv[5]));
	else if (!strcmp(pattern, "deep"))
		read_deep(bytes, ops, atol(argv[5]));
	else if (!strcmp(pattern, "mixed"))
		fetch_in_all_ways(argv[1], bytes, ops, atol(argv[5]));
	else if (!strcmp(pattern, "touches"))
		touch_pages(ops, atol(argv[5]));
	else if (!strcmp(pattern, "writes"))
		write_new_file(argv[1], bytes, ops);
	else if (!strcmp(pattern, "cycles"))
		run_cycles(argv[6], argv, ops);
	else if (strcmp(pattern, "hold"))
		read_file(pattern, bytes, ops, atol(argv[5]));
	printf("{\"reads\":%llu,\"reads_missed\":%llu,\"pages_requested\":%llu,"
	       "\"pages_missed\":%llu,"
	       "\"read_bytes\":%llu,\"direct_bytes\":%llu,\"pages_faulted\":%llu,"
	       "\"pages_written\":%llu,\"pages_dropped\":%llu,\"pages_kept\":%llu,"
	       "\"second_thoughts\":%llu,\"storage_read_bytes\":%llu}\n",
	       truth.reads, truth.reads_missed, truth.pages_requested, truth.pages_missed,
	       truth.read_bytes, truth.direct_bytes, truth.pages_faulted, truth.pages_written,
	       truth.pages_dropped, truth.pages_kept, truth.second_thoughts,
	       storage_read_bytes() - before);
	fflush(stdout);
	wait_for_line();
	return 0;
}
