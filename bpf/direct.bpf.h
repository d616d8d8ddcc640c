/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Direct reads, which pass the page cache by: what they have the storage fetch. The thread's own
 * count of storage bytes moves by just that between begin and end, whatever part of the read falls
 * back to the page cache, is a hole or fails. All file systems that come through iomap: ext4, xfs,
 * btrfs, f2fs.
 */
#ifndef DIRECT_BPF_H
#define DIRECT_BPF_H

#include "deferred.bpf.h"
#include "kernel_types.h"
#include "maps.bpf.h"
#include "task.bpf.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

/* 5.13: the direction is a member of its own; before, it was the lowest bit of the type. */
struct iov_iter___source {
	bool data_source;
} __attribute__((preserve_access_index));
struct iov_iter___type {
	unsigned int type;
} __attribute__((preserve_access_index));

static __always_inline bool is_read(const struct iov_iter *iter)
{
	const struct iov_iter___source *source = (const void *)iter;
	const struct iov_iter___type *type = (const void *)iter;

	if (bpf_core_field_exists(source->data_source))
		return !BPF_CORE_READ(source, data_source);
	return !(BPF_CORE_READ(type, type) & 1);
}

static __always_inline int direct_begins(struct kiocb *iocb, const struct iov_iter *iter)
{
	u32 target = target_identity(current_tgid());
	struct task_struct *task = current_task();
	struct thread_state *thread;

	if (!target || !is_read(iter))
		return 0;
	thread = THREAD_STATE(threads, task, true);
	if (thread) {
		thread->direct_iocb = (u64)iocb;
		thread->direct_begin = TASK_READ(task, ioac.read_bytes);
	} else {
		struct counters *c = counters_of(target - 1);

		if (c)
			ADD(c, events_without_state, 1);
	}
	return 0;
}

/* All of the running thread's direct read is submitted. */
static __always_inline void direct_ends(u32 target, struct task_struct *task,
					struct thread_state *thread, struct inode *inode)
{
	u64 bytes = TASK_READ(task, ioac.read_bytes) - thread->direct_begin;
	struct subject file = {};

	thread->direct_iocb = 0;
	if (bytes && subject_of(target, inode, &file))
		ADD(file.c, direct_bytes, bytes);
}

static __always_inline int direct_completes(struct kiocb *iocb)
{
	u32 target = target_identity(current_tgid());
	struct task_struct *task = current_task();
	struct thread_state *thread;

	if (!target)
		return 0;
	/* An asynchronous read may come to its end in any thread. */
	thread = THREAD_STATE(threads, task, false);
	if (thread && thread->direct_iocb == (u64)iocb)
		direct_ends(target, task, thread, BPF_CORE_READ(iocb, ki_filp, f_mapping, host));
	return 0;
}

/* (iocb, iter, flags, done before) */
SEC("tp_btf/iomap_dio_rw_begin")
int on_direct_begin(u64 *ctx)
{
	return direct_begins((struct kiocb *)ctx[0], (const struct iov_iter *)ctx[1]);
}

/* (iocb, error, bytes) */
SEC("tp_btf/iomap_dio_complete")
int on_direct_complete(u64 *ctx)
{
	return direct_completes((struct kiocb *)ctx[0]);
}

/* (inode, position, bytes): submitted, and nobody waits for it. */
SEC("tp_btf/iomap_dio_rw_queued")
int on_direct_queued(u64 *ctx)
{
	u32 target = target_identity(current_tgid());
	struct task_struct *task = current_task();
	struct thread_state *thread;

	if (!target)
		return 0;
	thread = THREAD_STATE(threads, task, false);
	if (thread && thread->direct_iocb)
		direct_ends(target, task, thread, (struct inode *)ctx[0]);
	return 0;
}

/*
 * Kernels without the tracepoints (before 6.6), by the functions: a read that nobody waits for is
 * counted as what it asks for.
 */
static __always_inline int direct_function_begins(struct kiocb *iocb, const struct iov_iter *iter)
{
	struct inode *inode = BPF_CORE_READ(iocb, ki_filp, f_mapping, host);
	u64 pos = BPF_CORE_READ(iocb, ki_pos), block = 1ull << BPF_CORE_READ(inode, i_blkbits);
	u64 end = (BPF_CORE_READ(inode, i_size) + block - 1) & -block;
	u32 target = target_identity(current_tgid());
	struct subject file = {};

	if (!BPF_CORE_READ(iocb, ki_complete))
		return direct_begins(iocb, iter);
	if (!target || !is_read(iter) || pos >= end)
		return 0;
	if (subject_of(target, inode, &file))
		ADD(file.c, direct_bytes, MIN(BPF_CORE_READ(iter, count), end - pos));
	return 0;
}

struct iomap_dio {
	struct kiocb *iocb;
} __attribute__((preserve_access_index));

SEC("fentry/__iomap_dio_rw")
int on_direct_begin_fentry(u64 *ctx)
{
	return direct_function_begins((struct kiocb *)ctx[0], (const struct iov_iter *)ctx[1]);
}

SEC("fentry/iomap_dio_complete")
int on_direct_complete_fentry(u64 *ctx)
{
	return direct_completes(BPF_CORE_READ((const struct iomap_dio *)ctx[0], iocb));
}

SEC("kprobe/__iomap_dio_rw")
int on_direct_begin_kprobe(struct pt_regs *ctx)
{
	return direct_function_begins((struct kiocb *)ctx->REG_PARAM1,
				      (const struct iov_iter *)ctx->REG_PARAM2);
}

SEC("kprobe/iomap_dio_complete")
int on_direct_complete_kprobe(struct pt_regs *ctx)
{
	return direct_completes(BPF_CORE_READ((const struct iomap_dio *)ctx->REG_PARAM1, iocb));
}

#endif /* DIRECT_BPF_H */
