/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads on 6.12 and later, by tracepoint mm_filemap_get_pages(mapping, index, last_index). It fires
 * once for each batch of a read: `index` is the first page still wanted, `last_index` the last page
 * of the whole request, inclusive, the same for all batches and not clamped to the end of the file.
 * A batch whose last folio had to be given up fires nothing, so the first event of a read may begin
 * late.
 */
#ifndef READS_TRACING_BPF_H
#define READS_TRACING_BPF_H

#include "reads.bpf.h"

/*
 * 6.2: gives an address the type of a kernel struct, so that its members are plain loads, which
 * read 0 where the address is bad. Costs nothing; a probe read costs 15 ns.
 */
extern void *bpf_rdonly_cast(const void *object, u32 type_id) __ksym __weak;
#define TYPED(type, address) \
	((struct type *)bpf_rdonly_cast(address, bpf_core_type_id_kernel(struct type)))

/* Of the running thread, and therefore of any. */
__noinline int learn_regs_offset(void)
{
	struct task_struct *task = current_task();

	control.regs_offset = address_of(user_regs(task)) - (u64)TASK_READ(task, stack);
	return 0;
}

/*
 * What user_regs() gives, without a call: a helper's return costs 20 ns where the kernel defends
 * itself against its prediction (measured with SRSO's "Safe RET"). The place is the same on every
 * stack, and learned once.
 */
static __always_inline struct pt_regs *hot_regs(struct task_struct *task)
{
	if (!control.regs_offset)
		learn_regs_offset();
	return TYPED(pt_regs, task->stack + control.regs_offset);
}

static __always_inline long hot_syscall_nr(struct task_struct *task, struct pt_regs *regs)
{
	u32 flags = task->flags;

	if (flags & (PF_IO_WORKER | PF_KTHREAD))
		return flags & PF_IO_WORKER ? NR_io_worker : NR_kernel_thread;
	return (int)regs->REG_SYSCALL;
}

/* A batch of a call that copies; false where it is none, or not one for the file that is copied. */
static __always_inline bool count_copied_batch(const struct subject *file, struct task_struct *task,
					       u64 index, u64 last_index)
{
	struct request call = {};
	long nr = syscall_nr(task);

	if (!copy_request(task, nr, &call))
		return false;
	if (index < call.pos >> PAGE_SHIFT ||
	    last_index > (call.pos + call.count - 1) >> PAGE_SHIFT)
		return false;

	const struct pipe_inode_info *pipe = copy_pipe(task, nr);

	/* The slots are still free that the pages of this batch will take. */
	if (pipe)
		last_index = MIN(last_index, index + slots_left(pipe) - 1);

	struct portion portion = {
		.index = index,
		.end = (last_index + 1) << PAGE_SHIFT,
		.read_id = read_id_of(task),
		.is_last = pipe != NULL,
	};

	count_portion(file, task, &call, &portion);
	return true;
}

/*
 * A batch of a read.
 * @request: what the read asks for; NULL where that is not known
 */
static __always_inline void count_batch_of(const struct subject *file, struct task_struct *task,
					   u64 index, u64 last_index, const struct request *request,
					   u64 read_id)
{
	bool begins = request && request->pos >> PAGE_SHIFT == index;
	struct thread_state *thread = THREAD_STATE(threads, task, true);
	u64 last = file->size ? MIN(last_index, (file->size - 1) >> PAGE_SHIFT) : 0;
	u64 first = index, bytes = 0;

	if (thread) {
		/* A read of io_uring that is tried again cannot be told from another one with the
		 * same end. */
		if (!request && is_uring(syscall_nr(task)))
			read_id = thread->read_id;

		bool continues = !begins && thread->file == file_id(file) &&
				 thread->last_index == last_index && thread->read_id == read_id &&
				 index > thread->index;

		thread->file = file_id(file);
		thread->index = index;
		thread->last_index = last_index;
		thread->read_id = read_id;
		if (!request) {
			if (!continues)
				thread->missed_read = 0;
			if (has_deferred(file, thread, NO_CALL))
				settle_deferred(file->component, index, last, 0, read_id);
		}
		if (continues)
			return;
	} else {
		ADD(file->c, events_without_state, 1);
		if (!begins)
			return;
	}
	if (request) {
		first = MIN(first, request->pos >> PAGE_SHIFT);
		if (request->pos < file->size)
			bytes = MIN(request->pos + request->count, file->size) - request->pos;
	} else if (first <= last) {
		bytes = MIN((last + 1) << PAGE_SHIFT, file->size) - (first << PAGE_SHIFT);
	}
	if (first <= last)
		count_read(file, first, last, bytes);
}

static __always_inline bool ends_at(const struct request *request, u64 last_index)
{
	return (request->pos + request->count - 1) >> PAGE_SHIFT == last_index;
}

/* Any other batch. */
__noinline int count_other_batch(PART_PARAMETERS)
{
	struct task_struct *task = current_task();
	u64 last_index = at + PART_LENGTH;
	struct uring_read read = {};
	struct subject file = {};

	if (!PART_FILE(&file) || count_copied_batch(&file, task, at, last_index))
		return 0;
	if (uring_read_of(&file, task, syscall_nr(task), &read) &&
	    ends_at(&read.range, last_index) && read.range.pos >> PAGE_SHIFT <= at)
		count_batch_of(&file, task, at, last_index, &read.range, read.id);
	else
		count_batch_of(&file, task, at, last_index, NULL, read_id_of(task));
	return 0;
}

/* A batch of a plain read; 0 where it is none of the one that runs. */
__noinline int count_plain_batch(PART_PARAMETERS)
{
	struct task_struct *task = current_task();
	u64 last_index = at + PART_LENGTH;
	struct request request = {};
	struct subject file = {};

	if (!read_request(task, syscall_nr(task), &request) || !ends_at(&request, last_index))
		return 0;
	if (PART_FILE(&file))
		count_batch_of(&file, task, at, last_index, &request, read_id_of(task));
	return 1;
}

/*
 * The hot path: a pread(2) of one page, as a read of one page has no second batch, and its adds
 * knew its range: no state.
 */
static __always_inline bool count_page(const struct subject *file, long nr, struct pt_regs *regs,
				       u64 index, u64 last_index)
{
	u64 pos = regs->REG_ARG4, end = pos + regs->REG_ARG3;

	if (nr != NR_pread64 || index != last_index || pos >> PAGE_SHIFT != index ||
	    (end - 1) >> PAGE_SHIFT != index)
		return false;
	if (pos < file->size)
		count_read(file, index, index, MIN(end, file->size) - pos);
	return true;
}

static __always_inline void count_batch(const struct subject *file, long nr, struct pt_regs *regs,
					u64 index, u64 last_index)
{
	u64 length = last_index - index;

	if (!count_page(file, nr, regs, index, last_index) &&
	    !count_plain_batch(PART_OF(file, index, length)))
		count_other_batch(PART_OF(file, index, length));
}

SEC("tp_btf/mm_filemap_get_pages")
int on_get_pages(u64 *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	u32 target = target_identity(task->tgid);

	if (!target || control.count_records)
		return 0;

	struct address_space *mapping = (struct address_space *)ctx[0];
	struct subject file = {};

	if (subject_of_typed(target, mapping->host, &file)) {
		struct pt_regs *regs = hot_regs(task);

		count_batch(&file, hot_syscall_nr(task, regs), regs, ctx[1], ctx[2]);
	}
	return 0;
}

/*
 * Classic tracepoints, for kernels where raw tracepoints can be preempted and lose events then (7.0
 * and later). Their records have no inode but its number; the file that the syscall names gives the
 * inode, where it is the same. Where it is not (page faults, io_uring), the number is looked up
 * among those that were seen before.
 */
static __always_inline struct inode *inode_of_syscall(struct task_struct *task, long nr,
						      struct pt_regs *regs, u64 ino, u32 dev)
{
	u32 descriptor = nr == NR_sendfile ? regs->REG_ARG2 : regs->REG_ARG1;
	/* As file_of(), without a call: any type that is one pointer does. */
	struct file *file =
		(struct file *)TYPED(hlist_head, task->files->fdt->fd + descriptor)->first;

	if (!file)
		return NULL;

	struct inode *inode = TYPED(file, file)->f_mapping->host;

	return inode && inode->i_ino == ino && inode->i_sb->s_dev == dev ? inode : NULL;
}

/* Size of a file that was seen before; ~0 where its inode is no longer there. */
static __always_inline u64 size_of_seen(const struct seen_inode *seen, const struct inode_key *key)
{
	struct inode *inode = (struct inode *)seen->inode;

	if (BPF_CORE_READ(inode, i_ino) != key->ino ||
	    BPF_CORE_READ(inode, i_sb, s_dev) != key->dev)
		return ~0ull;
	return BPF_CORE_READ(inode, i_size);
}

/* How a file was found by its number: not at all, among those seen before, as the one that the
 * syscall names. */
enum found {
	NOT_FOUND,
	FOUND_SEEN,
	FOUND_NAMED
};

/* What is known of a file by its number; not found is what is no regular file, and a number never
 * seen. */
static __always_inline enum found subject_by_number(u32 identity, struct task_struct *task, long nr,
						    struct pt_regs *regs, u64 ino, u32 dev,
						    struct subject *file)
{
	struct inode *inode = names_file(nr) ? inode_of_syscall(task, nr, regs, ino, dev) : NULL;
	enum found found = inode ? FOUND_NAMED : FOUND_SEEN;
	struct inode_class class;

	file->inode.ino = ino;
	file->inode.dev = dev;
	if (inode) {
		if ((inode->i_mode & S_IFMT) != S_IFREG)
			return NOT_FOUND;
		file->inode.generation = inode->i_generation;
		file->size = inode->i_size;
		class = class_of(inode, &file->inode, identity);
	} else {
		struct seen_inode *seen = bpf_map_lookup_elem(&inodes_by_number, &file->inode);

		if (!seen)
			return NOT_FOUND;
		file->size = size_of_seen(seen, &file->inode);
		class = seen->class;
	}
	return count_at(file, component_for(class, identity), identity) ? found : NOT_FOUND;
}

/* Learns the class of each file to which pages are added, for records without an inode. */
SEC("tp_btf/mm_filemap_add_to_page_cache")
int on_add_resolve(u64 *ctx)
{
	struct inode *inode = BPF_CORE_READ(folio_mapping((const void *)ctx[0]), host);
	u32 target = target_identity(current_tgid());
	struct inode_key key = {};

	if (!target || !has_name(inode) || !regular_file(inode, &key))
		return 0;

	struct seen_inode seen = {
		.class = class_of(inode, &key, target - 1),
		.inode = (u64)inode,
	};

	key.generation = 0;
	bpf_map_update_elem(&inodes_by_number, &key, &seen, BPF_ANY);
	return 0;
}

SEC("tracepoint/filemap/mm_filemap_get_pages")
int on_get_pages_record(struct trace_event_raw_mm_filemap_op_page_cache_range *record)
{
	struct task_struct *task = bpf_get_current_task_btf();
	u32 target = target_identity(task->tgid);

	if (!target || !control.count_records)
		return 0;

	struct pt_regs *regs = hot_regs(task);
	long nr = hot_syscall_nr(task, regs);
	struct subject file = {};

	if (subject_by_number(target - 1, task, nr, regs, record->i_ino, record->s_dev, &file))
		count_batch(&file, nr, regs, record->index, record->last_index);
	return 0;
}

SEC("tracepoint/filemap/mm_filemap_add_to_page_cache")
int on_add_record(struct trace_event_raw_mm_filemap_op_page_cache *record)
{
	struct task_struct *task = bpf_get_current_task_btf();
	u32 target = target_identity(task->tgid);

	if (!target || !control.count_records)
		return 0;

	struct pt_regs *regs = hot_regs(task);
	u64 pages = bpf_core_field_exists(record->order) ? 1ull << (record->order & 63) : 1;
	struct subject file = {};

	/* The number is read twice, lest the verifier walks through the rest once for each syscall.
	 */
	enum found found = subject_by_number(target - 1, task, hot_syscall_nr(task, regs), regs,
					     record->i_ino, record->s_dev, &file);

	if (found)
		count_add(&file, task, syscall_nr(task), record->index, pages,
			  found == FOUND_NAMED);
	return 0;
}

#endif /* READS_TRACING_BPF_H */
