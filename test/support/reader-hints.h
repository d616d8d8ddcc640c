/* SPDX-License-Identifier: Apache-2.0 */
/* What the reader does with hints: part of reader.c, whose file and truth by cachestat(2) it uses.
 */
#ifndef READER_HINTS_H
#define READER_HINTS_H

#define HINT_PAGES	256L
#define USED_PAGES	100L
#define REFAULTED_PAGES 40L
#define LATE_PAGES	10L

static void read_pages(long first, long pages)
{
	for (long i = first; i < first + pages; i++)
		if (pread(fd, buffer, PAGE, i * PAGE) != PAGE)
			die("pread");
}

static long cached_pages(void)
{
	return pages_in_memory(0, file_bytes / PAGE);
}

static void advise(long offset, long bytes, int advice)
{
	if (posix_fadvise(fd, offset, bytes, advice))
		die("posix_fadvise");
	usleep(SETTLE_US);
}

/* Loads, uses some, drops all, and needs some again; then asks for more than the kernel will load.
 */
static void give_hints(void)
{
	long file_pages = file_bytes / PAGE, loaded, dropped, loaded_of_long;

	advise(0, 0, POSIX_FADV_RANDOM);
	advise(0, HINT_PAGES * PAGE, POSIX_FADV_WILLNEED);
	loaded = cached_pages();
	read_pages(0, USED_PAGES);
	dropped = cached_pages();
	advise(0, 0, POSIX_FADV_DONTNEED);
	dropped -= cached_pages();
	read_pages(0, REFAULTED_PAGES);
	dropped += cached_pages();
	advise(0, 0, POSIX_FADV_DONTNEED);
	dropped -= cached_pages();
	advise(0, 0, POSIX_FADV_WILLNEED);
	loaded_of_long = cached_pages();
	if (loaded_of_long + LATE_PAGES > file_pages) {
		fprintf(stderr, "the kernel loaded the whole file\n");
		exit(1);
	}
	read_pages(file_pages - LATE_PAGES, LATE_PAGES);
	printf("{\"loaded\":%ld,\"used\":%ld,\"wasted\":%ld,\"dropped\":%ld,\"refaulted\":%ld,"
	       "\"late\":%ld}\n",
	       loaded + loaded_of_long, USED_PAGES, loaded - USED_PAGES, dropped, REFAULTED_PAGES,
	       LATE_PAGES);
	fflush(stdout);
}

/* Where the pages are that DONTNEED must leave: mapped ones first, then dirty ones; and its range,
 * which begins and ends within a page. */
#define MAPPED_PAGES 32L
#define DIRTY_FIRST  64L
#define DIRTY_PAGES  32L
#define HINT_FIRST   8L
#define HINT_OFFSET  100L

static void drop_a_part(const char *path)
{
	long file_pages = file_bytes / PAGE, covered_first = HINT_FIRST + 1;
	long covered_end = HINT_FIRST + file_pages / 2;
	int writable = open(path, O_RDWR);
	volatile char *map = mmap(0, MAPPED_PAGES * PAGE, PROT_READ, MAP_SHARED, fd, 0);
	long first[4] = { covered_first, DIRTY_FIRST, MAPPED_PAGES, DIRTY_FIRST + DIRTY_PAGES };
	long end[4] = { MAPPED_PAGES, DIRTY_FIRST + DIRTY_PAGES, DIRTY_FIRST, covered_end };
	long before[5], after[5];

	if (writable < 0 || map == MAP_FAILED)
		die(path);
	/* Page by page, for a large folio that is not covered in full stays. */
	advise(0, 0, POSIX_FADV_RANDOM);
	read_pages(0, file_pages);
	for (long i = 0; i < MAPPED_PAGES; i++)
		(void)map[i * PAGE];
	usleep(SETTLE_US);
	if (pwrite(writable, buffer, DIRTY_PAGES * PAGE, DIRTY_FIRST * PAGE) < 0)
		die("pwrite");
	for (int i = 0; i < 4; i++)
		before[i] = pages_in_memory(first[i], end[i] - first[i]);
	before[4] = cached_pages();
	drop(HINT_FIRST * PAGE + HINT_OFFSET, file_pages / 2 * PAGE);
	for (int i = 0; i < 4; i++)
		after[i] = pages_in_memory(first[i], end[i] - first[i]);
	after[4] = cached_pages();
	printf("{\"before\":%ld,\"after\":%ld,\"mapped\":[%ld,%ld],\"dirty\":[%ld,%ld],"
	       "\"clean\":[%ld,%ld]}\n",
	       before[4], after[4], before[0], after[0], before[1], after[1], before[2] + before[3],
	       after[2] + after[3]);
	fflush(stdout);
}

#define IN_ORDER_BYTES (128L << 10)

/*
 * Has the whole file in memory in order, which is how the kernel makes large folios, drops parts of
 * it, and reads them again. No page is mapped or dirty, so what a hint covers and leaves belongs to
 * a folio that it does not cover in full.
 */
static void drop_parts(long bytes, long ops, unsigned long seed)
{
	unsigned long random = seed * 7919 + 12345;

	for (long pos = 0; pos < file_bytes; pos += IN_ORDER_BYTES)
		counted_read(pos, IN_ORDER_BYTES);
	for (long i = 0; i < ops; i++) {
		long pos = next_random(&random) % (file_bytes - bytes);
		long length = 2 * PAGE + next_random(&random) % (bytes - 2 * PAGE);
		long covered = pos / PAGE + 1, before;

		/* All has been read: nothing is still on its way, which a hint leaves too. */
		before = cached_pages();
		drop(pos, length);
		truth.pages_dropped += before - cached_pages();
		truth.pages_kept += pages_in_memory(covered, (pos + length) / PAGE - covered);
		counted_read(pos, length);
	}
}

#endif /* READER_HINTS_H */
