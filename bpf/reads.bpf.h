/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What all tiers share about reads of the targets and the pages that it brings in: how a page that
 * was added is sorted, and how a read is counted. The programs are in reads_tracing.bpf.h (6.12 and
 * later) and reads_filemap.bpf.h (before).
 */
#ifndef READS_BPF_H
#define READS_BPF_H

#include "compat.bpf.h"
#include "copies.bpf.h"
#include "deferred.bpf.h"
#include "files.bpf.h"
#include "hints.bpf.h"
#include "kernel_types.h"
#include "maps.bpf.h"
#include "syscalls.bpf.h"
#include "uring.bpf.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

static __always_inline void count_read(const struct subject *file, u64 first, u64 last, u64 bytes)
{
	ADD(file->c, reads, 1);
	ADD(file->c, pages_requested, last - first + 1);
	ADD(file->c, read_bytes, bytes);
	hints_at_read(file, first, last);
}

/* Sorts the pages of an add by the range of the running read, clamped to the end of the file. */
static __always_inline void count_read_add(const struct subject *file, struct task_struct *task,
					   u64 index, u64 pages, const struct request *request,
					   u64 read_id)
{
	/* 5.10 adds a page beyond the end where a page-aligned file is read there. */
	u64 request_end = MIN(request->pos + request->count, file->size);
	u64 begin = MAX(index, request->pos >> PAGE_SHIFT);
	u64 end = MIN(index + pages, (request_end + (1 << PAGE_SHIFT) - 1) >> PAGE_SHIFT);
	u64 missed = begin < end ? end - begin : 0;

	if (missed) {
		struct thread_state *thread = THREAD_STATE(threads, task, true);

		if (thread) {
			count_missed(file->c, thread, missed, read_id);
		} else {
			ADD(file->c, pages_missed, missed);
			ADD(file->c, events_without_state, 1);
		}
		hints_at_miss(file, begin, end);
	}
	if (pages > missed)
		ADD(file->c, pages_readahead, pages - missed);
}

static __always_inline void count_fault(const struct subject *file, u64 index, u64 pages)
{
	ADD(file->c, pages_faulted, pages);
	hints_at_miss(file, index, index + pages);
}

/* Pages added by a read of io_uring, of itself or of a worker. */
__noinline int count_uring_add(PART_PARAMETERS)
{
	struct task_struct *task = current_task();
	struct uring_read read = {};
	struct subject file = {};

	if (!PART_FILE(&file))
		return 0;
	if (uring_read_of(&file, task, syscall_nr(task), &read))
		count_read_add(&file, task, at, PART_LENGTH, &read.range, read.id);
	else
		defer_add(&file, NO_CALL, at, PART_LENGTH);
	return 0;
}

/* Pages added by a read(2) or one of its kin of the file. */
__noinline int count_plain_add(PART_PARAMETERS)
{
	struct task_struct *task = current_task();
	struct request request = {};
	struct subject file = {};

	if (!PART_FILE(&file))
		return 0;
	if (read_request(task, syscall_nr(task), &request) && request.count)
		count_read_add(&file, task, at, PART_LENGTH, &request, read_id_of(task));
	else
		defer_add(&file, NO_CALL, at, PART_LENGTH);
	return 0;
}

/*
 * Sorts an add by the syscall that it happened in.
 * @is_file: the file that the syscall reads or writes is the one that the page was added to; else a
 * page of the user's memory was faulted in
 */
static __always_inline void count_add(const struct subject *file, struct task_struct *task, long nr,
				      u64 index, u64 pages, bool is_file)
{
	ADD(file->c, pages_added, pages);
	if (is_plain_read(nr)) {
		if (!is_file)
			count_fault(file, index, pages);
		else if (is_nowait(task, nr))
			ADD(file->c, pages_prefetched, pages);
		else
			count_plain_add(PART_OF(file, index, pages));
	} else if (is_copy(nr)) {
		if (is_file)
			count_copied_add(PART_OF(file, index, pages));
		else
			ADD(file->c, pages_written, pages);
	} else if (is_uring(nr)) {
		count_uring_add(PART_OF(file, index, pages));
	} else if (nr == NR_execve || nr == NR_execveat) {
		count_deferred_add(PART_OF(file, index, pages));
	} else if (is_hint(nr)) {
		ADD(file->c, pages_prefetched, pages);
		hint_loaded(file->inode.ino, inode_tail(&file->inode), index, pages,
			    file->identity);
	} else if (is_fault(nr) || (is_write(nr) && !is_file)) {
		count_fault(file, index, pages);
	} else {
		ADD(file->c, pages_written, pages);
	}
}

/* Whether a syscall names, by a descriptor, the file that its events may be for. */
static __always_inline bool names_file(long nr)
{
	return is_plain_read(nr) || is_copy(nr) || is_write(nr) || nr == NR_fadvise64 ||
	       nr == NR_readahead;
}

SEC("tp_btf/mm_filemap_add_to_page_cache")
int on_add(u64 *ctx)
{
	u32 target = target_identity(current_tgid());

	if (!target || control.count_records)
		return 0;

	const void *folio = (const void *)ctx[0];
	struct task_struct *task = current_task();
	struct address_space *mapping = folio_mapping(folio);
	struct inode *inode = BPF_CORE_READ(mapping, host);
	struct subject file = {};
	long nr = syscall_nr(task);

	if (has_name(inode) && subject_of(target, inode, &file))
		count_add(&file, task, nr, folio_index(folio), folio_pages(folio),
			  names_file(nr) && file_uses(syscall_file(task, nr), mapping));
	return 0;
}

#endif /* READS_BPF_H */
