/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sendfile, splice and copy_file_range. The kernel copies in portions, of a pipe's size, and tells
 * of each portion alone; one call is one read. It has asked for what the kernel had read when it
 * came to its end: a socket that takes no more ends it early. So pages that it adds are sorted when
 * a portion reaches them.
 */
#ifndef COPIES_BPF_H
#define COPIES_BPF_H

#include "deferred.bpf.h"
#include "hints.bpf.h"
#include "kernel_types.h"
#include "maps.bpf.h"
#include "syscalls.bpf.h"
#include <bpf/bpf_helpers.h>

/* For pages added by what is no such call. */
#define NO_CALL 0

static __always_inline u64 id_of_copy(const struct request *call)
{
	return call->pos + 1;
}

static __always_inline u64 end_of_copy(const struct subject *file, const struct request *call)
{
	return MIN(call->pos + call->count, file->size);
}

static __always_inline void count_copied_add(const struct subject *file, struct task_struct *task,
					     long nr, u64 index, u64 pages)
{
	struct request call = {};

	if (!copy_request(task, nr, &call))
		count_deferred_add(file, task, NO_CALL, index, pages);
	else if (index << PAGE_SHIFT >= end_of_copy(file, &call))
		ADD(file->c, pages_readahead, pages);
	else
		count_deferred_add(file, task, id_of_copy(&call), index, pages);
}

/* What the kernel reads at once of a call. */
struct portion {
	/* Its first page, and the byte behind it, which may be behind the end of the call. */
	u64 index;
	u64 end;
	/* Number of the call. splice(2) does not move it, but two splices differ in where they
	 * begin, or the second one goes back. */
	u64 read_id;
	/* The call may come to the same page again, for its number is its own. */
	bool is_retried;
	/* No other portion follows, for the call fills a pipe. */
	bool is_last;
};

/* The running call, of this range, reads a portion. */
static __always_inline void count_portion(const struct subject *file, struct task_struct *task,
					  const struct request *call, const struct portion *portion)
{
	struct thread_state *thread = THREAD_STATE(threads, task, true);
	u64 call_end = end_of_copy(file, call), read_id = portion->read_id;
	u64 first = call->pos >> PAGE_SHIFT, begin = call->pos, fresh = first;
	u64 end = portion->end;

	end = MIN(end, call_end);
	if (!thread) {
		ADD(file->c, events_without_state, 1);
		return;
	}
	if (end <= begin)
		return;
	if (thread->mapping == file->mapping && thread->read_id == read_id &&
	    thread->copy_begin == begin &&
	    (portion->index > thread->index || portion->is_retried)) {
		begin = MIN(thread->copy_end, end);
		fresh = (thread->copy_end + (1 << PAGE_SHIFT) - 1) >> PAGE_SHIFT;
	} else {
		ADD(file->c, reads, 1);
		if (!(read_id & URING_READ))
			thread->missed_read = 0;
		thread->copy_begin = begin;
		thread->copy_end = begin;
	}
	thread->mapping = file->mapping;
	thread->index = portion->index;
	thread->read_id = read_id;

	u64 last = (end - 1) >> PAGE_SHIFT;

	if (has_deferred(file, thread, id_of_copy(call)))
		settle_deferred(file->c, thread, first, last,
				portion->is_last ? last : (call_end - 1) >> PAGE_SHIFT, read_id);
	ADD(file->c, read_bytes, end - begin);
	thread->copy_end = MAX(thread->copy_end, end);
	if (fresh > last)
		return;
	ADD(file->c, pages_requested, last - fresh + 1);
	hints_at_read(file->identity, &file->inode, fresh, last);
}

#endif /* COPIES_BPF_H */
