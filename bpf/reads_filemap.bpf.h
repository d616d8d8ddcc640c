/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads before 6.12, by the function that does them: filemap_read, or generic_file_buffered_read
 * before 5.12. One hook is enough, for the adds know their range from the saved registers: its exit
 * where trampolines lose nothing (a kernel that is not preemptible), else a kprobe at its entry,
 * where the end of the range is clamped to the end of the file instead of being known.
 */
#ifndef READS_FILEMAP_BPF_H
#define READS_FILEMAP_BPF_H

#include "reads.bpf.h"

/* A portion of a call that copies, or of a read of io_uring; 0 where it is neither. */
__noinline int count_part(PART_PARAMETERS)
{
	struct task_struct *task = current_task();
	long nr = syscall_nr(task);
	struct portion portion = {
		.index = at >> PAGE_SHIFT,
		.end = at + PART_LENGTH,
		.read_id = read_id_of(task),
	};
	struct uring_read read = {};
	struct subject file = {};

	if (!PART_FILE(&file))
		return 1;
	if (copy_request(task, nr, &read.range) && at >= read.range.pos) {
		portion.is_last = copy_pipe(task, nr) != NULL;
	} else if (uring_read_of(&file, task, nr, &read) && at >= read.range.pos &&
		   at < read.range.pos + read.range.count) {
		portion.read_id = read.id;
		/* A worker waits, and so needs only one try. */
		portion.is_retried = nr == NR_io_uring_enter;
	} else {
		return 0;
	}
	count_portion(&file, task, &read.range, &portion);
	return 1;
}

/* Bytes [pos, end) of a file are read at once, in syscall `nr`. */
static __always_inline void count_buffered_read(const struct subject *file,
						struct task_struct *task, long nr, u64 pos, u64 end)
{
	if (end <= pos)
		return;
	if (!is_plain_read(nr) && count_part(PART_OF(file, pos, end - pos)))
		return;

	struct thread_state *thread = THREAD_STATE(threads, task, false);
	u64 first = pos >> PAGE_SHIFT, last = (end - 1) >> PAGE_SHIFT;

	count_read(file, first, last, end - pos);
	if (thread && has_deferred(file, thread, NO_CALL)) {
		thread->missed_read = 0;
		settle_deferred(file->component, first, last, 0, read_id_of(task));
	}
}

static __always_inline struct inode *inode_of(const struct file *file)
{
	return BPF_CORE_READ(file, f_mapping, host);
}

/* A read of [pos, end) that is over, of a file whose type the verifier knows. */
static __always_inline void count_read_end(u32 target, struct file *open, u64 pos, u64 end)
{
	struct task_struct *task = current_task();
	struct subject file = {};

	if (subject_of_typed(target, open->f_mapping->host, &file))
		count_buffered_read(&file, task, syscall_nr(task), pos, end);
}

/* (iocb, iter, already read) = bytes, those already read included. */
static __always_inline int on_read_exit(struct kiocb *iocb, long already, long result)
{
	u32 target = target_identity(current_tgid());

	if (!target)
		return 0;

	long bytes = result - already;
	u64 end = iocb->ki_pos;

	if (bytes > 0)
		count_read_end(target, iocb->ki_filp, end - bytes, end);
	return 0;
}

SEC("fexit/filemap_read")
int on_filemap_read_exit(u64 *ctx)
{
	return on_read_exit((struct kiocb *)ctx[0], ctx[2], ctx[3]);
}

SEC("fexit/generic_file_buffered_read")
int on_buffered_read_exit(u64 *ctx)
{
	return on_read_exit((struct kiocb *)ctx[0], ctx[2], ctx[3]);
}

/*
 * A read of `count` bytes that begins, into a pipe or elsewhere. Its adds come later, and where the
 * registers do not tell them its range, this does.
 */
static __always_inline void count_beginning(u32 target, struct inode *inode, u64 pos, u64 count)
{
	struct task_struct *task = current_task();
	long nr = syscall_nr(task);
	const struct pipe_inode_info *pipe = is_copy(nr) ? copy_pipe(task, nr) : NULL;
	struct thread_state *thread;
	struct subject file = {};
	u64 end;

	if (!subject_of(target, inode, &file))
		return;
	/* Each page takes a slot, also the first one of which only the end is wanted. */
	if (pipe)
		count = MIN(count, ((u64)slots_left(pipe) << PAGE_SHIFT) -
					   (pos & ((1 << PAGE_SHIFT) - 1)));
	end = MIN(pos + count, file.size);
	count_buffered_read(&file, task, nr, pos, end);
	if (is_plain_read(nr))
		return;
	thread = THREAD_STATE(threads, task, true);
	if (!thread)
		return;
	if (!is_copy(nr))
		thread->missed_read = 0;
	thread->told_file = file_id(&file);
	thread->told_begin = pos >> PAGE_SHIFT;
	thread->told_end = (end + (1 << PAGE_SHIFT) - 1) >> PAGE_SHIFT;
	thread->told_all = pipe || !is_copy(nr);
}

static __always_inline int on_read_entry(struct kiocb *iocb, struct iov_iter *iter)
{
	u32 target = target_identity(current_tgid());

	if (target)
		count_beginning(target, inode_of(BPF_CORE_READ(iocb, ki_filp)),
				BPF_CORE_READ(iocb, ki_pos), BPF_CORE_READ(iter, count));
	return 0;
}

SEC("kprobe/filemap_read")
int on_filemap_read_entry(struct pt_regs *ctx)
{
	return on_read_entry((struct kiocb *)ctx->REG_PARAM1, (struct iov_iter *)ctx->REG_PARAM2);
}

SEC("kprobe/generic_file_buffered_read")
int on_buffered_read_entry(struct pt_regs *ctx)
{
	return on_read_entry((struct kiocb *)ctx->REG_PARAM1, (struct iov_iter *)ctx->REG_PARAM2);
}

/*
 * From 6.5 on sendfile, splice and copy_file_range do not come through filemap_read: (file,
 * position, pipe, bytes, flags) = bytes.
 */
SEC("fexit/filemap_splice_read")
int on_splice_exit(u64 *ctx)
{
	u32 target = target_identity(current_tgid());
	long bytes = ctx[5];
	u64 end = 0;

	if (!target || bytes <= 0)
		return 0;
	bpf_probe_read_kernel(&end, sizeof(end), (const void *)ctx[1]);
	count_read_end(target, (struct file *)ctx[0], end - bytes, end);
	return 0;
}

SEC("kprobe/filemap_splice_read")
int on_splice_entry(struct pt_regs *ctx)
{
	u32 target = target_identity(current_tgid());
	u64 pos = 0;

	if (!target)
		return 0;
	bpf_probe_read_kernel(&pos, sizeof(pos), (const void *)ctx->REG_PARAM2);
	count_beginning(target, inode_of((struct file *)ctx->REG_PARAM1), pos, ctx->REG_PARAM4);
	return 0;
}

#endif /* READS_FILEMAP_BPF_H */
