// SPDX-License-Identifier: Apache-2.0
/*
 * The `tracing` tier: three tracepoints of the page cache see every page that the target asks for,
 * brings in and loses, exactly.
 *
 *   get_pages  a batch of a buffered read is about to be copied: reads and pages requested
 *   add        pages enter the page cache: missed, readahead, prefetched, faulted or written
 *   delete     pages leave it: evicted, by cause
 *
 * A read that spans several batches is told from several reads by task->ioac.syscr, a per-thread
 * number that moves only when a read is over. Nothing leaves the kernel per event: user space maps
 * the counters.
 */
#include "compat.bpf.h"
#include "kernel_types.h"
#include "maps.bpf.h"
#include "page_cache.h"
#include "syscalls.bpf.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

/* 4 KiB pages: x86-64 has no other base size. */
#define PAGE_SHIFT 12
/* include/uapi/linux/stat.h */
#define S_IFMT	0170000
#define S_IFREG 0100000
/* A cached file is looked up in the LRU this often, lest the LRU takes a hot file for an unused
 * one. */
#define INODE_REFRESH_USES 256

#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))
#define barrier() asm volatile("" ::: "memory")

/* Atomic, because a preemptible program may be interleaved with another one on its CPU; costs
 * nothing here. */
#define ADD(record, name, n) __sync_fetch_and_add(&(record)->value[COUNTER_##name], (n))

static __always_inline bool is_target(u32 tgid)
{
	if (!(targets.filter >> (tgid & 63) & 1))
		return false;
	for (u32 i = 0; i < TARGETS_MAX; i++) {
		if (i >= targets.count)
			return false;
		if (targets.tgid[i] == tgid)
			return true;
	}
	return false;
}

static __always_inline struct counters *counters_of(struct inode_class class)
{
	u32 key = bpf_get_smp_processor_id() * COMPONENTS + (class.component & (COMPONENTS - 1));

	return bpf_map_lookup_elem(&counters, &key);
}

/* Class of a file of the target; a file seen for the first time is remembered. */
static __always_inline struct inode_class class_in_lru(const struct inode_key *key)
{
	struct inode_class fresh = { .component = COMPONENT_UNKNOWN };
	struct inode_class *known = bpf_map_lookup_elem(&inodes, key);

	if (known)
		return *known;
	bpf_map_update_elem(&inodes, key, &fresh, BPF_ANY);
	return fresh;
}

static __always_inline struct inode_class class_of(const struct inode_key *key)
{
	u32 index = bpf_get_smp_processor_id() * INODE_CACHE_SLOTS +
		    (key->ino & (INODE_CACHE_SLOTS - 1));
	struct inode_slot *slot = bpf_map_lookup_elem(&inode_cache, &index);

	if (!slot)
		return class_in_lru(key);
	if (slot->key.ino == key->ino && slot->key.generation == key->generation &&
	    slot->key.dev == key->dev && ++slot->uses % INODE_REFRESH_USES)
		return slot->class;

	struct inode_class class = class_in_lru(key);

	/* Invalid while it changes, for whoever interrupts this program on its CPU. */
	slot->key.ino = 0;
	barrier();
	slot->key.generation = key->generation;
	slot->key.dev = key->dev;
	slot->class = class;
	slot->uses = 0;
	barrier();
	slot->key.ino = key->ino;
	return class;
}

/* Identity of the file behind a page; false for block devices and the like. */
static __always_inline bool regular_file(struct inode *inode, struct inode_key *key)
{
	if ((BPF_CORE_READ(inode, i_mode) & S_IFMT) != S_IFREG)
		return false;
	key->ino = BPF_CORE_READ(inode, i_ino);
	key->dev = BPF_CORE_READ(inode, i_sb, s_dev);
	key->generation = BPF_CORE_READ(inode, i_generation);
	return true;
}

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
	struct counters *c = counters_of(class_of(&key));
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

	if (!regular_file(BPF_CORE_READ(mapping, host), &key))
		return 0;
	struct counters *c = counters_of(class_of(&key));
	if (c)
		count_add(c, task, mapping, BPF_CORE_READ(folio, index), folio_pages(folio));
	return 0;
}

/*
 * Evictions belong to the target because of the file, whoever runs the reclaim, so this sees every
 * deletion of the machine; files that the target never touched leave at the lookup.
 */
SEC("tp_btf/mm_filemap_delete_from_page_cache")
int on_delete(u64 *ctx)
{
	struct folio *folio = (struct folio *)ctx[0];
	struct inode *inode = BPF_CORE_READ(folio, mapping, host);
	struct inode_key key = {};

	if (!regular_file(inode, &key))
		return 0;
	struct inode_class *class = bpf_map_lookup_elem(&inodes, &key);
	if (!class)
		return 0;
	struct counters *c = counters_of(*class);
	if (!c)
		return 0;

	struct task_struct *task = bpf_get_current_task_btf();
	u64 pages = folio_pages(folio);

	if (task->flags & PF_KSWAPD) {
		ADD(c, pages_evicted_kswapd, pages);
	} else if (task->flags & PF_MEMALLOC) {
		if (is_target(task->tgid))
			ADD(c, pages_evicted_direct, pages);
		else
			ADD(c, pages_evicted_foreign, pages);
	} else {
		long nr = syscall_nr(task);

		if (is_hint(nr))
			ADD(c, pages_evicted_hint, pages);
		else if (is_truncation(nr) || BPF_CORE_READ(inode, i_nlink) == 0)
			ADD(c, pages_evicted_truncate, pages);
		else
			ADD(c, pages_evicted_other, pages);
	}
	return 0;
}

/* Lists the processes that the reader of the iterator may see, with both of their numbers. */
SEC("iter/task")
int list_tasks(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;

	if (!task || task->pid != task->tgid)
		return 0;

	struct pid *reader = bpf_get_current_task_btf()->thread_pid;
	struct pid *pid = task->thread_pid;

	/* A process that is being released has no pid any more. */
	if (!reader || !pid)
		return 0;

	struct task_record record = {
		.tgid = task->tgid,
		.start_time_ns = task->start_boottime,
	};
	u32 level = BPF_CORE_READ(reader, level);
	const void *number = (const void *)pid + bpf_core_field_offset(struct pid, numbers) +
			     level * bpf_core_type_size(struct upid) +
			     bpf_core_field_offset(struct upid, nr);

	bpf_probe_read_kernel(&record.pid, sizeof(record.pid), number);
	bpf_probe_read_kernel_str(record.comm, sizeof(record.comm), &task->comm);
	bpf_seq_write(ctx->meta->seq, &record, sizeof(record));
	return 0;
}
