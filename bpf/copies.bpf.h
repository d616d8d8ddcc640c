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

/*
 * The running call reads pages from `index` on, up to the byte `end` of the file, which may be
 * behind its own end.
 * @is_last: no other portion follows, for the call fills a pipe
 */
static __always_inline void count_portion(const struct subject *file, struct task_struct *task,
					  const struct request *call, u64 index, u64 end,
					  bool is_last)
{
	struct thread_state *thread = THREAD_STATE(threads, task, true);
	u64 call_end = end_of_copy(file, call), read_id = read_id_of(task);
	u64 first = call->pos >> PAGE_SHIFT, begin = call->pos, fresh = first;

	end = MIN(end, call_end);
	if (!thread) {
		ADD(file->c, events_without_state, 1);
		return;
	}
	if (end <= begin)
		return;
	/* splice(2) does not move the number of the read, but two calls differ in where they begin,
	 * or the second one goes back. */
	if (thread->mapping == file->mapping && thread->read_id == read_id &&
	    thread->copy_begin == begin && index > thread->index) {
		begin = MIN(thread->copy_end, end);
		fresh = (thread->copy_end + (1 << PAGE_SHIFT) - 1) >> PAGE_SHIFT;
	} else {
		ADD(file->c, reads, 1);
		thread->missed_read = 0;
		thread->copy_begin = begin;
		thread->copy_end = begin;
	}
	thread->mapping = file->mapping;
	thread->index = index;
	thread->read_id = read_id;

	u64 last = (end - 1) >> PAGE_SHIFT;

	if (has_deferred(file, thread, id_of_copy(call)))
		settle_deferred(file->c, thread, first, last,
				is_last ? last : (call_end - 1) >> PAGE_SHIFT, read_id);
	ADD(file->c, read_bytes, end - begin);
	thread->copy_end = MAX(thread->copy_end, end);
	if (fresh > last)
		return;
	ADD(file->c, pages_requested, last - fresh + 1);
	hints_at_read(file->identity, &file->inode, fresh, last);
}

#endif /* COPIES_BPF_H */
