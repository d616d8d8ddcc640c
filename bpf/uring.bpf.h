/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads of io_uring. The registers tell the ring; its entry that is submitted tells the read, which
 * the kernel tries at once. What is tried again later, when pages have come, is found by the end of
 * its range, as long as no other entry was submitted meanwhile. A worker thread knows its request.
 */
#ifndef URING_BPF_H
#define URING_BPF_H

#include "deferred.bpf.h"
#include "kernel_types.h"
#include "syscalls.bpf.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

/* include/uapi/linux/io_uring.h */
#define IORING_ENTER_REGISTERED_RING (1u << 4)
#define IORING_SETUP_SQE128	     (1u << 10)
#define IORING_SETUP_NO_SQARRAY	     (1u << 16)
#define IOSQE_FIXED_FILE	     (1u << 0)
#define IORING_OP_READV		     1
#define IORING_OP_READ_FIXED	     4
#define IORING_OP_READ		     22

/* The same: the beginning of an entry, which is 64 bytes or 128. */
struct uring_entry {
	u8 opcode;
	u8 flags;
	u16 priority;
	int fd;
	u64 offset;
	u64 address;
	u32 length;
};
#define ENTRY_SHIFT 6

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct io_ring_ctx {
	unsigned int flags;
	u32 *sq_array;
	void *sq_sqes;
	unsigned int cached_sq_head;
	unsigned int sq_entries;
};

struct io_wq_work {
	unsigned int flags;
};

struct io_kiocb {
	struct file *file;
	u8 opcode;
	struct io_wq_work work;
	void *async_data;
};

/* 6.10 and later: what is left to be read. */
struct io_async_rw {
	struct iov_iter iter;
};

struct io_worker {
	struct io_wq_work *cur_work;
};

struct io_rw {
	struct kiocb kiocb;
	u64 addr;
	u32 len;
};

#pragma clang attribute pop

/* A read of io_uring; `id` tells it from the thread's other reads. */
struct uring_read {
	struct request range;
	u64 id;
};

static __always_inline bool is_uring(long nr)
{
	return nr == NR_io_uring_enter || nr == NR_io_worker;
}

static __always_inline u64 uring_bytes(u8 opcode, u64 address, u32 length)
{
	switch (opcode) {
	case IORING_OP_READ:
	case IORING_OP_READ_FIXED:
		return length;
	case IORING_OP_READV:
		return iovec_bytes(address, length);
	}
	return 0;
}

static __always_inline bool is_file_of(const struct subject *file, struct file *open)
{
	struct inode *inode = BPF_CORE_READ(open, f_mapping, host);

	return BPF_CORE_READ(inode, i_ino) == file->inode.ino &&
	       BPF_CORE_READ(inode, i_sb, s_dev) == file->inode.dev;
}

/* The entry submitted last, where it reads this file. */
static __always_inline bool submitted_read(const struct subject *file, struct task_struct *task,
					   struct uring_read *read)
{
	struct pt_regs *regs = user_regs(task);
	struct uring_entry entry = {};
	struct io_ring_ctx *ring;
	struct file *ring_file, *open;
	u32 head, flags;

	if (!bpf_core_type_exists(struct io_ring_ctx) ||
	    REGS_READ(regs, REG_ARG4) & IORING_ENTER_REGISTERED_RING)
		return false;
	ring_file = file_of(task, REGS_READ(regs, REG_ARG1));
	ring = BPF_CORE_READ(ring_file, private_data);
	if (!ring)
		return false;
	head = BPF_CORE_READ(ring, cached_sq_head) - 1;
	flags = BPF_CORE_READ(ring, flags);

	u32 slot = head & (BPF_CORE_READ(ring, sq_entries) - 1);

	if (!(flags & IORING_SETUP_NO_SQARRAY))
		bpf_probe_read_kernel(&slot, sizeof(slot), BPF_CORE_READ(ring, sq_array) + slot);
	bpf_probe_read_kernel(&entry, sizeof(entry),
			      BPF_CORE_READ(ring, sq_sqes) + ((u64)slot
							      << ENTRY_SHIFT
							      << !!(flags & IORING_SETUP_SQE128)));
	read->range.pos = entry.offset;
	read->range.count = uring_bytes(entry.opcode, entry.address, entry.length);
	read->id = URING_READ | head;
	/* Offset -1 asks for the file's own position. */
	if (!read->range.count || (long long)read->range.pos < 0)
		return false;
	if (entry.flags & IOSQE_FIXED_FILE)
		return true;
	open = file_of(task, entry.fd);
	return open && is_file_of(file, open);
}

/* The request that a worker works on, where it reads this file. */
static __always_inline bool worked_on_read(const struct subject *file, struct task_struct *task,
					   struct uring_read *read)
{
	if (!bpf_core_type_exists(struct io_worker) || !bpf_core_field_exists(task->worker_private))
		return false;

	struct io_worker *worker = TASK_READ(task, worker_private);
	void *work = worker ? BPF_CORE_READ(worker, cur_work) : NULL;

	if (!work)
		return false;

	struct io_kiocb *request = work - bpf_core_field_offset(struct io_kiocb, work);
	struct io_rw *rw = (struct io_rw *)request;

	struct io_async_rw *state = BPF_CORE_READ(request, async_data);

	read->range.count = uring_bytes(BPF_CORE_READ(request, opcode), BPF_CORE_READ(rw, addr),
					BPF_CORE_READ(rw, len));
	read->range.pos = BPF_CORE_READ(rw, kiocb.ki_pos);
	/* The position moves, the end of the range does not. */
	if (bpf_core_field_exists(state->iter) && state)
		read->range.pos += BPF_CORE_READ(state, iter.count) - read->range.count;
	/* A request is used again for the next read, of another place. */
	read->id = URING_READ | ((u64)request ^ read->range.pos);
	return read->range.count && is_file_of(file, BPF_CORE_READ(request, file));
}

/* The read of io_uring that an event for this file most likely belongs to. */
static __always_inline bool uring_read_of(const struct subject *file, struct task_struct *task,
					  long nr, struct uring_read *read)
{
	if (nr == NR_io_uring_enter)
		return submitted_read(file, task, read);
	return nr == NR_io_worker && worked_on_read(file, task, read);
}

#endif /* URING_BPF_H */
