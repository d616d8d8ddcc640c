/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pages that a thread of the target adds before it is known which of them its read asks for: kept
 * with the thread, and sorted into missed pages and readahead once it is known.
 */
#ifndef DEFERRED_BPF_H
#define DEFERRED_BPF_H

#include "files.bpf.h"
#include "kernel_types.h"
#include "maps.bpf.h"
#include "syscalls.bpf.h"
#include <bpf/bpf_helpers.h>

/* The file that an event is about, and where it is counted. */
struct subject {
	struct counters *c;
	struct inode_key inode;
	/* Of the file; ~0 where it cannot be had. */
	u64 size;
	/* Row of the counters, and who does it. */
	u16 component;
	u16 identity;
};

/* Identifies the file among those that one thread reads. */
static __always_inline u64 file_id(const struct subject *file)
{
	return file->inode.ino ^ (u64)file->inode.dev << 32;
}

/* Where the counts of a file go; false where there are none. */
static __always_inline bool count_at(struct subject *file, u32 component, u32 identity)
{
	file->component = component;
	file->identity = identity;
	file->c = counters_of(component);
	return file->c;
}

/*
 * Fills in what is known of a regular file by its inode; false for anything else.
 * @target: identity + 1 of who touches it
 */
static __always_inline bool subject_of(u32 target, struct inode *inode, struct subject *file)
{
	if (!regular_file(inode, &file->inode))
		return false;
	file->size = BPF_CORE_READ(inode, i_size);
	return count_at(file, component_for(class_of(inode, &file->inode, target - 1), target - 1),
			target - 1);
}

/*
 * The same where the verifier knows the type of the inode: direct loads, for a probe read costs 15
 * ns. Needs 5.5.
 */
static __always_inline bool subject_of_typed(u32 target, struct inode *inode, struct subject *file)
{
	if ((inode->i_mode & S_IFMT) != S_IFREG)
		return false;
	file->inode.ino = inode->i_ino;
	file->inode.dev = inode->i_sb->s_dev;
	file->inode.generation = inode->i_generation;
	file->size = inode->i_size;
	return count_at(file, component_for(class_of(inode, &file->inode, target - 1), target - 1),
			target - 1);
}

/*
 * The rare ways of a page are functions of their own: not inlined, and with at most five numbers
 * for arguments, which is all that 5.10 lets them have. So the verifier looks at each once for a
 * program, and not once for each way there. This is how they get a file and a part of it:
 * `length` of less than 2^32, from `at` on.
 */
#define PART_PARAMETERS u64 ino, u64 dev_and_generation, u64 size, u64 at, u64 length_and_row
#define PART_OF(file, at, length)                                          \
	(file)->inode.ino, inode_tail(&(file)->inode), (file)->size, (at), \
		(u64)(length) << 32 | (u32)(file)->identity << 16 | (file)->component
#define PART_LENGTH	(length_and_row >> 32)
#define PART_FILE(file) part_file(file, ino, dev_and_generation, size, length_and_row)

static __always_inline bool part_file(struct subject *file, u64 ino, u64 dev_and_generation,
				      u64 size, u64 length_and_row)
{
	file->inode = key_of(ino, dev_and_generation);
	file->size = size;
	return count_at(file, length_and_row & 0xffff, length_and_row >> 16 & 0xffff);
}

/*
 * A number of the running read: per thread, moves only when a read is over (fs/read_write.c,
 * inc_syscr). It tells the batches of one read from the next read.
 */
static __always_inline u64 read_id_of(struct task_struct *task)
{
	return TASK_READ(task, ioac.syscr);
}

/* Reads of io_uring have numbers of their own, which no read by syscall has. */
#define URING_READ (1ull << 63)

static __always_inline void count_missed(struct counters *c, struct thread_state *thread,
					 u64 missed, u64 read_id)
{
	ADD(c, pages_missed, missed);
	thread->read_missed = 1;
	if (thread->missed_read == read_id + 1)
		return;
	thread->missed_read = read_id + 1;
	ADD(c, reads_missed, 1);
}

/* The read that the remembered pages belong to ended without asking for them, or never came. */
__noinline int forget_deferred(u32 component)
{
	struct thread_state *thread = THREAD_STATE(threads, current_task(), false);
	struct counters *c = counters_of(component);
	u64 pages = 0;

	if (!thread || !c)
		return 0;
	for (u32 i = 0; i < RANGES_MAX; i++) {
		if (i >= thread->range_count)
			break;
		pages += thread->range[i].end - thread->range[i].begin;
	}
	thread->range_count = 0;
	ADD(c, pages_readahead, pages);
	return 0;
}

/*
 * Sorts the remembered pages: those within [first, last] were missed, those behind it up to
 * `keep_to` are still to be sorted, the others are readahead.
 */
__noinline int settle_deferred(u32 component, u64 first, u64 last, u64 keep_to, u64 read_id)
{
	struct thread_state *thread = THREAD_STATE(threads, current_task(), false);
	struct counters *c = counters_of(component);
	u64 missed = 0, readahead = 0, kept = 0;

	if (!thread || !c)
		return 0;
	for (u32 i = 0; i < RANGES_MAX; i++) {
		if (i >= thread->range_count)
			break;

		struct page_range *range = &thread->range[i];
		u64 pages = range->end - range->begin;
		u64 begin = MAX(range->begin, first), end = MIN(range->end, last + 1);
		u64 asked = begin < end ? end - begin : 0;

		begin = MAX(range->begin, last + 1);
		end = MIN(range->end, keep_to + 1);
		range->begin = begin;
		range->end = MAX(begin, end);
		missed += asked;
		kept += range->end - range->begin;
		readahead += pages - asked - (range->end - range->begin);
	}
	if (!kept)
		thread->range_count = 0;
	if (missed)
		count_missed(c, thread, missed, read_id);
	ADD(c, pages_readahead, readahead);
	return 0;
}

/* Remembers pages added for a file by a call. */
static __always_inline void defer(const struct subject *file, struct thread_state *thread, u64 call,
				  u64 begin, u64 pages)
{
	u64 n = thread->range_count;

	if (n > 0 && (thread->ranges_file != file_id(file) || thread->ranges_call != call)) {
		forget_deferred(file->component);
		n = 0;
	}
	thread->ranges_file = file_id(file);
	thread->ranges_call = call;
	if (n > 0 && n <= RANGES_MAX && thread->range[(n - 1) & (RANGES_MAX - 1)].end == begin) {
		thread->range[(n - 1) & (RANGES_MAX - 1)].end = begin + pages;
	} else if (n < RANGES_MAX) {
		thread->range[n & (RANGES_MAX - 1)].begin = begin;
		thread->range[n & (RANGES_MAX - 1)].end = begin + pages;
		n++;
	} else {
		ADD(file->c, pages_readahead, pages);
		ADD(file->c, pages_unsorted, pages);
	}
	thread->range_count = n;
}

/* Sorts pages by what their read has said when it began; what it may ask for later is deferred. */
static __always_inline void sort_by_told(const struct subject *file, struct thread_state *thread,
					 u64 call, u64 index, u64 pages, u64 read_id)
{
	u64 begin = MAX(index, thread->told_begin), end = MIN(index + pages, thread->told_end);
	u64 missed = begin < end ? end - begin : 0;
	u64 later = MAX(index, thread->told_end), left = 0;

	if (missed)
		count_missed(file->c, thread, missed, read_id);
	if (!thread->told_all && later < index + pages) {
		left = index + pages - later;
		defer(file, thread, call, later, left);
	}
	if (pages > missed + left)
		ADD(file->c, pages_readahead, pages - missed - left);
}

/* Pages added by the running call of the current thread, whose range is not known. */
static __always_inline void defer_add(const struct subject *file, u64 call, u64 index, u64 pages)
{
	struct task_struct *task = current_task();
	struct thread_state *thread = THREAD_STATE(threads, task, true);

	if (!thread) {
		ADD(file->c, pages_readahead, pages);
		ADD(file->c, pages_unsorted, pages);
		ADD(file->c, events_without_state, 1);
	} else if (thread->told_file == file_id(file)) {
		sort_by_told(file, thread, call, index, pages, read_id_of(task));
	} else {
		defer(file, thread, call, index, pages);
	}
}

/* For pages added by what is no call that copies. */
#define NO_CALL 0

__noinline int count_deferred_add(PART_PARAMETERS)
{
	struct subject file = {};

	if (PART_FILE(&file))
		defer_add(&file, NO_CALL, at, PART_LENGTH);
	return 0;
}

/* Whether the remembered pages belong to this file and call; others are sorted as what they are. */
static __always_inline bool has_deferred(const struct subject *file, struct thread_state *thread,
					 u64 call)
{
	if (!thread->range_count)
		return false;
	if (thread->ranges_file == file_id(file) && thread->ranges_call == call)
		return true;
	forget_deferred(file->component);
	return false;
}

#endif /* DEFERRED_BPF_H */
