/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads of the target, and the pages that it brings in.
 *
 * A read that spans several batches is told from several reads by task->ioac.syscr, a per-thread number that
 * moves only when a read is over.
 */
#ifndef READS_BPF_H
#define READS_BPF_H

#include "compat.bpf.h"
#include "files.bpf.h"
#include "kernel_types.h"
#include "maps.bpf.h"
#include "syscalls.bpf.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

/* 4 KiB pages: x86-64 has no other base size. */
#define PAGE_SHIFT 12

static __always_inline struct thread_state *state_of(struct task_struct *task, u64 flags)
{
	return bpf_task_storage_get(&threads, task, NULL, flags);
}

static __always_inline void count_missed(struct counters *c, struct thread_state *thread,
					 u64 missed, u64 read_id)
{
	ADD(c, pages_missed, missed);
	if (thread->missed_read == read_id + 1)
		return;
	thread->missed_read = read_id + 1;
	ADD(c, reads_missed, 1);
}

/* Remembers pages whose read will say only later which range it wants. */
static __always_inline void defer(struct counters *c, struct thread_state *thread,
				  const void *mapping, u64 begin, u64 pages)
{
	u64 n = thread->range_count;

	if (thread->ranges_mapping != (u64)mapping) {
		thread->ranges_mapping = (u64)mapping;
		n = 0;
	}
	if (n > 0 && n <= RANGES_MAX && thread->range[(n - 1) & (RANGES_MAX - 1)].end == begin) {
		thread->range[(n - 1) & (RANGES_MAX - 1)].end = begin + pages;
	} else if (n < RANGES_MAX) {
		thread->range[n & (RANGES_MAX - 1)].begin = begin;
		thread->range[n & (RANGES_MAX - 1)].end = begin + pages;
		n++;
	} else {
		ADD(c, pages_readahead, pages);
		ADD(c, pages_unsorted, pages);
	}
	thread->range_count = n;
}

/* Splits the remembered pages into those within [first, last], which were missed, and readahead. */
static __always_inline void settle_deferred(struct counters *c, struct thread_state *thread,
					    const void *mapping, u64 first, u64 last, u64 read_id)
{
	u64 total = 0, missed = 0;

	for (u32 i = 0; i < RANGES_MAX; i++) {
		if (i >= thread->range_count)
			break;
		u64 begin = thread->range[i].begin, end = thread->range[i].end;

		total += end - begin;
		begin = MAX(begin, first);
		end = MIN(end, last + 1);
		if (begin < end && thread->ranges_mapping == (u64)mapping)
			missed += end - begin;
	}
	thread->range_count = 0;
	if (missed)
		count_missed(c, thread, missed, read_id);
	if (total > missed)
		ADD(c, pages_readahead, total - missed);
}

static __always_inline void count_read(struct counters *c, u64 first, u64 last,
				       const struct request *request, u64 size)
{
	ADD(c, reads, 1);
	ADD(c, pages_requested, last - first + 1);
	if (request->count && request->pos < size)
		ADD(c, read_bytes, MIN(request->pos + request->count, size) - request->pos);
}

/*
 * mm_filemap_get_pages(mapping, index, last_index) fires once for each batch of a read. `index` is
 * the first page still wanted, `last_index` the last page of the whole request, inclusive, the same
 * for all batches and not clamped to the end of the file. A batch whose last folio had to be given
 * up fires nothing, so the first event of a read may begin late.
 */
SEC("tp_btf/mm_filemap_get_pages")
int on_get_pages(u64 *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();

	if (!is_target(task->tgid))
		return 0;

	/* Direct loads: the verifier knows the type of ctx[0], and a probe read would cost 15 ns
	 * each. */
	struct address_space *mapping = (struct address_space *)ctx[0];
	struct inode *inode = mapping->host;
	u64 index = ctx[1], last_index = ctx[2];

	if ((inode->i_mode & S_IFMT) != S_IFREG)
		return 0;

	struct inode_key key = {
		.ino = inode->i_ino,
		.dev = inode->i_sb->s_dev,
		.generation = inode->i_generation,
	};
	struct counters *c = counters_of(class_of(inode, &key).component);
	if (!c)
		return 0;

	struct request request = {};
	long nr = syscall_nr(task);
	bool known = read_request(task, nr, &request) &&
		     (request.pos + request.count - 1) >> PAGE_SHIFT == last_index;
	u64 first = index, read_id = task->ioac.syscr;

	if (!known)
		request.count = 0;
	/* A read of one page has no second batch, and its adds knew its range: no state, which is
	 * the hot path. */
	bool begins = known && request.pos >> PAGE_SHIFT == index;
	struct thread_state *thread = NULL;

	if (!begins || last_index != index) {
		thread = state_of(task, BPF_LOCAL_STORAGE_GET_F_CREATE);
		if (!thread) {
			ADD(c, events_without_state, 1);
			if (!begins)
				return 0;
		}
	}
	u64 size = inode->i_size;
	u64 last = size ? MIN(last_index, (size - 1) >> PAGE_SHIFT) : 0;

	if (thread) {
		bool continues = !begins && thread->mapping == (u64)mapping &&
				 thread->last_index == last_index && thread->read_id == read_id &&
				 index > thread->index;

		thread->mapping = (u64)mapping;
		thread->index = index;
		thread->last_index = last_index;
		thread->read_id = read_id;
		if (!known) {
			/* Portions of a copy, and reads of io_uring, share one read_id: each is a
			 * read of its own. */
			if (!continues)
				thread->missed_read = 0;
			settle_deferred(c, thread, mapping, index, last, read_id);
		}
		if (continues)
			return 0;
	}
	if (known && request.pos >> PAGE_SHIFT < index)
		first = request.pos >> PAGE_SHIFT;
	if (first <= last)
		count_read(c, first, last, &request, size);
	return 0;
}

static __always_inline void count_read_add(struct counters *c, struct task_struct *task, u64 index,
					   u64 pages, const struct request *request)
{
	u64 begin = MAX(index, request->pos >> PAGE_SHIFT);
	u64 end = MIN(index + pages, ((request->pos + request->count - 1) >> PAGE_SHIFT) + 1);
	u64 missed = begin < end ? end - begin : 0;

	if (missed) {
		struct thread_state *thread = state_of(task, BPF_LOCAL_STORAGE_GET_F_CREATE);

		if (thread) {
			count_missed(c, thread, missed, task->ioac.syscr);
		} else {
			ADD(c, pages_missed, missed);
			ADD(c, events_without_state, 1);
		}
	}
	if (pages > missed)
		ADD(c, pages_readahead, pages - missed);
}

static __always_inline void count_deferred_add(struct counters *c, struct task_struct *task,
					       const void *mapping, u64 index, u64 pages)
{
	struct thread_state *thread = state_of(task, BPF_LOCAL_STORAGE_GET_F_CREATE);

	if (thread) {
		defer(c, thread, mapping, index, pages);
	} else {
		ADD(c, pages_readahead, pages);
		ADD(c, pages_unsorted, pages);
		ADD(c, events_without_state, 1);
	}
}

/* The add belongs to a read only if it is for the file that the syscall reads; else a user page was
 * faulted in. */
static __always_inline void count_add(struct counters *c, struct task_struct *task,
				      const void *mapping, u64 index, u64 pages)
{
	struct request request = {};
	long nr = syscall_nr(task);

	ADD(c, pages_added, pages);
	if (is_plain_read(nr)) {
		if (!file_uses(file_of(task, user_regs(task)->di), mapping))
			ADD(c, pages_faulted, pages);
		else if (read_request(task, nr, &request) && request.count)
			count_read_add(c, task, index, pages, &request);
		else
			count_deferred_add(c, task, mapping, index, pages);
	} else if (is_copy(nr)) {
		u64 source = nr == NR_sendfile ? user_regs(task)->si : user_regs(task)->di;

		if (file_uses(file_of(task, source), mapping))
			count_deferred_add(c, task, mapping, index, pages);
		else
			ADD(c, pages_written, pages);
	} else if (nr == NR_io_worker || nr == NR_io_uring_enter || nr == NR_execve ||
		   nr == NR_execveat) {
		count_deferred_add(c, task, mapping, index, pages);
	} else if (is_write(nr) && !file_uses(file_of(task, user_regs(task)->di), mapping)) {
		ADD(c, pages_faulted, pages);
	} else if (is_hint(nr)) {
		ADD(c, pages_prefetched, pages);
	} else if (is_fault(nr)) {
		ADD(c, pages_faulted, pages);
	} else {
		ADD(c, pages_written, pages);
	}
}

SEC("tp_btf/mm_filemap_add_to_page_cache")
int on_add(u64 *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();

	if (!is_target(task->tgid))
		return 0;

	struct folio *folio = (struct folio *)ctx[0];
	struct address_space *mapping = BPF_CORE_READ(folio, mapping);
	struct inode_key key = {};

	struct inode *inode = BPF_CORE_READ(mapping, host);

	if (!regular_file(inode, &key))
		return 0;
	struct counters *c = counters_of(class_of(inode, &key).component);
	if (c)
		count_add(c, task, mapping, BPF_CORE_READ(folio, index), folio_pages(folio));
	return 0;
}

#endif /* READS_BPF_H */
