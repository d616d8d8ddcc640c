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

static __always_inline u64 id_of_copy(const struct request *call)
{
	return call->pos + 1;
}

static __always_inline u64 end_of_copy(const struct subject *file, const struct request *call)
{
	return MIN(call->pos + call->count, file->size);
}

/*
 * Whether an event at page `index` is of the call that copies and that was counted last. splice(2)
 * does not move the number of the call, but two splices differ in where they begin, or the second
 * one goes back.
 */
static __always_inline bool is_counted_copy(const struct subject *file,
					    const struct thread_state *thread,
					    const struct request *call, u64 read_id)
{
	return thread->file == file_id(file) && thread->read_id == read_id &&
	       thread->copy_begin == call->pos;
}

static __always_inline void begin_copy(const struct subject *file, struct thread_state *thread,
				       const struct request *call, u64 read_id)
{
	ADD(file->c, reads, 1);
	if (!(read_id & URING_READ))
		thread->missed_read = 0;
	thread->file = file_id(file);
	thread->read_id = read_id;
	thread->copy_begin = call->pos;
	thread->copy_end = call->pos;
}

/*
 * Pages added by a call that fills a pipe, where its batches are seen: what it will read is known
 * from its start. Pages that it found before have come as a batch; where only its end is seen, they
 * have already taken slots of the pipe, and nobody knows how many. The event of a batch may be
 * absent: the kernel tells nothing where it had to give up the last page of one, and comes back for
 * that page only where the pipe has a slot for it.
 */
static __always_inline void count_piped_add(const struct subject *file, struct thread_state *thread,
					    const struct request *call, u32 slots, u64 read_id,
					    u64 index, u64 pages)
{
	u64 first = call->pos >> PAGE_SHIFT;

	if (!is_counted_copy(file, thread, call, read_id) || (__s64)index <= (__s64)thread->index) {
		begin_copy(file, thread, call, read_id);
		/* The first batch is still to come. */
		thread->index = first - 1;
		thread->copy_end = MIN(end_of_copy(file, call), (first + slots) << PAGE_SHIFT);

		u64 last = (thread->copy_end - 1) >> PAGE_SHIFT;

		ADD(file->c, read_bytes, thread->copy_end - call->pos);
		ADD(file->c, pages_requested, last - first + 1);
		hints_at_read(file, first, last);
	}

	u64 begin = MAX(index, first);
	u64 end = MIN(index + pages, (thread->copy_end + (1 << PAGE_SHIFT) - 1) >> PAGE_SHIFT);
	u64 missed = begin < end ? end - begin : 0;

	if (missed)
		count_missed(file->c, thread, missed, read_id);
	if (pages > missed)
		ADD(file->c, pages_readahead, pages - missed);
}

/* Pages added by a call that copies. */
__noinline int count_copied_add(PART_PARAMETERS)
{
	struct task_struct *task = current_task();
	long nr = syscall_nr(task);
	u64 pages = PART_LENGTH;
	struct subject file = {};
	struct request call = {};

	if (!PART_FILE(&file))
		return 0;
	if (!copy_request(task, nr, &call)) {
		defer_add(&file, NO_CALL, at, pages);
		return 0;
	}
	if (at << PAGE_SHIFT >= end_of_copy(&file, &call)) {
		ADD(file.c, pages_readahead, pages);
		return 0;
	}

	const struct pipe_inode_info *pipe = control.sees_ends ? NULL : copy_pipe(task, nr);
	struct thread_state *thread = pipe ? THREAD_STATE(threads, task, true) : NULL;

	if (thread && thread->told_file != file_id(&file) && call.pos < file.size)
		count_piped_add(&file, thread, &call, slots_left(pipe), read_id_of(task), at,
				pages);
	else
		defer_add(&file, id_of_copy(&call), at, pages);
	return 0;
}

/* What the kernel reads at once of a call. */
struct portion {
	/* Its first page, and the byte behind it, which may be behind the end of the call. */
	u64 index;
	u64 end;
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
	if (is_counted_copy(file, thread, call, read_id) &&
	    ((__s64)portion->index > (__s64)thread->index || portion->is_retried)) {
		begin = MIN(thread->copy_end, end);
		fresh = (thread->copy_end + (1 << PAGE_SHIFT) - 1) >> PAGE_SHIFT;
	} else {
		begin_copy(file, thread, call, read_id);
	}
	thread->index = portion->index;

	u64 last = (end - 1) >> PAGE_SHIFT;

	if (has_deferred(file, thread, id_of_copy(call)))
		settle_deferred(file->component, first, last,
				portion->is_last ? last : (call_end - 1) >> PAGE_SHIFT, read_id);
	ADD(file->c, read_bytes, end - begin);
	thread->copy_end = MAX(thread->copy_end, end);
	if (fresh > last)
		return;
	ADD(file->c, pages_requested, last - fresh + 1);
	hints_at_read(file, fresh, last);
}

#endif /* COPIES_BPF_H */
