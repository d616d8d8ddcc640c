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

static __always_inline void count_buffered_read(u32 target, struct file *read, u64 pos, u64 end)
{
	struct address_space *mapping = BPF_CORE_READ(read, f_mapping);
	struct task_struct *task = current_task();
	struct subject file = {};

	if (end <= pos || !subject_of(target, BPF_CORE_READ(mapping, host), (u64)mapping, &file))
		return;

	struct thread_state *thread = THREAD_STATE(threads, task, false);
	u64 first = pos >> PAGE_SHIFT, last = (end - 1) >> PAGE_SHIFT;

	count_read(&file, first, last, end - pos);
	if (thread && thread->range_count) {
		thread->missed_read = 0;
		settle_deferred(file.c, thread, file.mapping, first, last, read_id_of(task));
	}
}

/* (iocb, iter, already read) = bytes, those already read included. */
static __always_inline int on_read_exit(struct kiocb *iocb, long already, long result)
{
	u32 target = target_identity(current_tgid());

	if (!target)
		return 0;

	long bytes = result - already;
	u64 end = BPF_CORE_READ(iocb, ki_pos);

	if (bytes > 0)
		count_buffered_read(target, BPF_CORE_READ(iocb, ki_filp), end - bytes, end);
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

static __always_inline int on_read_entry(struct kiocb *iocb, struct iov_iter *iter)
{
	u32 target = target_identity(current_tgid());

	if (!target)
		return 0;

	struct file *file = BPF_CORE_READ(iocb, ki_filp);
	u64 pos = BPF_CORE_READ(iocb, ki_pos), size = BPF_CORE_READ(file, f_mapping, host, i_size);

	count_buffered_read(target, file, pos, MIN(pos + BPF_CORE_READ(iter, count), size));
	return 0;
}

SEC("kprobe/filemap_read")
int on_filemap_read_entry(struct pt_regs *ctx)
{
	return on_read_entry((struct kiocb *)ctx->di, (struct iov_iter *)ctx->si);
}

SEC("kprobe/generic_file_buffered_read")
int on_buffered_read_entry(struct pt_regs *ctx)
{
	return on_read_entry((struct kiocb *)ctx->di, (struct iov_iter *)ctx->si);
}

#endif /* READS_FILEMAP_BPF_H */
