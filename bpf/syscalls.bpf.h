/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which syscall an event happened in, from the registers that the kernel saved when the thread
 * entered it. No syscall is traced for this: that would slow every syscall of the machine.
 */
#ifndef SYSCALLS_BPF_H
#define SYSCALLS_BPF_H

#include "kernel_types.h"
#include "task.bpf.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

/* include/uapi/linux/stat.h */
#define S_IFMT	0170000
#define S_IFIFO 0010000
#define S_IFREG 0100000

/* include/linux/sched.h */
#define PF_IO_WORKER 0x00000010
#define PF_MEMALLOC  0x00000800
#define PF_KSWAPD    0x00020000
#define PF_KTHREAD   0x00200000

/* include/uapi/linux/magic.h: files of overlayfs read through the page cache of another file. */
#define OVERLAYFS_SUPER_MAGIC 0x794c7630

/* Exceptions store -1 where a syscall stores its number (arch/x86/entry/entry_64.S, idtentry_body;
 * arch/arm64/kernel/entry.S, kernel_entry). */
#define NR_page_fault (-1)
/* io_uring workers run no syscall; they execute reads and writes that another thread submitted. */
#define NR_io_worker (-2)
/* Kernel threads run no syscall; their saved registers are zeroes, which would look like read(0).
 */
#define NR_kernel_thread (-3)

static __always_inline long syscall_nr(struct task_struct *task)
{
	u32 flags = TASK_READ(task, flags);

	if (flags & PF_IO_WORKER)
		return NR_io_worker;
	if (flags & PF_KTHREAD)
		return NR_kernel_thread;
	return (int)REGS_READ(user_regs(task), REG_SYSCALL);
}

static __always_inline bool is_hint(long nr)
{
	return nr == NR_fadvise64 || nr == NR_readahead || nr == NR_madvise ||
	       nr == NR_process_madvise;
}

static __always_inline bool is_fault(long nr)
{
	return nr == NR_page_fault || nr == NR_mmap || nr == NR_mlock || nr == NR_mlock2 ||
	       nr == NR_mlockall;
}

/* Syscalls that take a file's pages away together with (a part of) the file. */
static __always_inline bool is_truncation(long nr)
{
	switch (nr) {
	case NR_unlink:
	case NR_unlinkat:
	case NR_truncate:
	case NR_ftruncate:
	case NR_rename:
	case NR_renameat:
	case NR_renameat2:
	case NR_open:
	case NR_openat:
	case NR_openat2:
	case NR_close:
		return true;
	}
	return false;
}

/* Reads that name their file by a descriptor and move nothing into another file. */
static __always_inline bool is_plain_read(long nr)
{
	return nr == NR_read || nr == NR_pread64 || nr == NR_readv || nr == NR_preadv ||
	       nr == NR_preadv2;
}

/* include/uapi/linux/fs.h */
#define RWF_NOWAIT 0x8

/* A read that gives only what is in memory, and may bring in the rest for later. */
static __always_inline bool is_nowait(struct task_struct *task, long nr)
{
	return nr == NR_preadv2 && REGS_READ(user_regs(task), REG_ARG6) & RWF_NOWAIT;
}

/* Copies from a file to something else, in portions of the kernel's choice. */
static __always_inline bool is_copy(long nr)
{
	return nr == NR_sendfile || nr == NR_splice || nr == NR_copy_file_range;
}

static __always_inline bool is_write(long nr)
{
	return nr == NR_write || nr == NR_pwrite64 || nr == NR_writev || nr == NR_pwritev ||
	       nr == NR_pwritev2;
}

/* The open file behind a descriptor of the task, or NULL. */
static __always_inline struct file *file_of(struct task_struct *task, u64 descriptor)
{
	struct file **table = has_helper(get_current_task_btf)
				      ? task->files->fdt->fd
				      : BPF_CORE_READ(task, files, fdt, fd);
	struct file *file = NULL;

	/* The table is sized by max_fds, but a running syscall has already proved its descriptor.
	 */
	bpf_probe_read_kernel(&file, sizeof(file), table + (u32)descriptor);
	return file;
}

/* The open file that the running syscall reads or writes, or NULL. */
static __always_inline struct file *syscall_file(struct task_struct *task, long nr)
{
	struct pt_regs *regs = user_regs(task);

	return file_of(task,
		       nr == NR_sendfile ? REGS_READ(regs, REG_ARG2) : REGS_READ(regs, REG_ARG1));
}

/* Whether the open file reads or writes through this mapping. */
static __always_inline bool file_uses(struct file *file, const void *mapping)
{
	if (!file)
		return false;
	if (BPF_CORE_READ(file, f_mapping) == mapping)
		return true;
	return BPF_CORE_READ(file, f_inode, i_sb, s_magic) == OVERLAYFS_SUPER_MAGIC;
}

/* include/uapi/linux/uio.h: UIO_MAXIOV; and how many are looked at in one go. */
#define IOVECS_MAX  1024
#define IOVECS_STEP 8

/* Sum of the first lengths of a user's iovec array, of at most IOVECS_STEP; -1 where it is
 * unreadable. */
__noinline u64 sum_lengths(u64 address, u64 count)
{
	struct iovec vector[IOVECS_STEP] = {};
	u64 sum = 0;

	count = MIN(count, IOVECS_STEP);
	if (bpf_probe_read_user(vector, count * sizeof(vector[0]), (const void *)address))
		return -1;
#pragma unroll
	for (u32 i = 0; i < IOVECS_STEP; i++)
		sum += vector[i].iov_len;
	return sum;
}

/* Sum of the lengths of a user's iovec array; 0 where it is unreadable. */
__noinline u64 iovec_bytes(u64 address, u64 count)
{
	u64 sum = 0;

	for (u32 i = 0; i < IOVECS_MAX; i += IOVECS_STEP) {
		if (i >= count)
			break;

		u64 part = sum_lengths(address + i * sizeof(struct iovec), count - i);

		if (part == (u64)-1)
			return 0;
		sum += part;
	}
	return sum;
}

/* The bytes of the file that the running read asks for. */
struct request {
	u64 pos;
	u64 count;
};

/*
 * Range of the running read(2), pread64(2), readv(2), preadv(2) or preadv2(2). False where the
 * syscall is another one, or its range cannot be seen.
 */
static __always_inline bool read_request(struct task_struct *task, long nr, struct request *request)
{
	struct pt_regs *regs = user_regs(task);

	if (nr == NR_pread64) {
		request->pos = REGS_READ(regs, REG_ARG4);
		request->count = REGS_READ(regs, REG_ARG3);
		return true;
	}
	if (nr == NR_read) {
		request->count = REGS_READ(regs, REG_ARG3);
	} else if (nr == NR_readv || nr == NR_preadv || nr == NR_preadv2) {
		request->count = iovec_bytes(REGS_READ(regs, REG_ARG2), REGS_READ(regs, REG_ARG3));
		if (!request->count)
			return false;
		if (nr != NR_readv && (long long)REGS_READ(regs, REG_ARG4) >= 0) {
			request->pos = REGS_READ(regs, REG_ARG4);
			return true;
		}
	} else {
		return false;
	}
	/* f_pos moves only when the syscall is over. */
	struct file *file = file_of(task, REGS_READ(regs, REG_ARG1));
	if (!file)
		return false;
	request->pos = BPF_CORE_READ(file, f_pos);
	return true;
}

/*
 * Range of the running sendfile(2), splice(2) or copy_file_range(2); false where it is another
 * call. A position that the caller passes is written, as f_pos is, only when the call is over.
 */
static __always_inline bool copy_request(struct task_struct *task, long nr, struct request *request)
{
	struct pt_regs *regs = user_regs(task);
	bool sends = nr == NR_sendfile;
	u64 position = sends ? REGS_READ(regs, REG_ARG3) : REGS_READ(regs, REG_ARG2);
	struct file *file;

	if (!is_copy(nr))
		return false;
	request->count = sends ? REGS_READ(regs, REG_ARG4) : REGS_READ(regs, REG_ARG5);
	if (position)
		return !bpf_probe_read_user(&request->pos, sizeof(request->pos),
					    (const void *)position);
	file = syscall_file(task, nr);
	if (!file)
		return false;
	request->pos = BPF_CORE_READ(file, f_pos);
	return true;
}

/* Slots left in a pipe; each takes a page, or a part of one. */
static __always_inline u32 slots_left(const struct pipe_inode_info *pipe)
{
	return BPF_CORE_READ(pipe, max_usage) -
	       (BPF_CORE_READ(pipe, head) - BPF_CORE_READ(pipe, tail));
}

/* The pipe that the running call copies into; NULL where it is something else. */
static __always_inline const struct pipe_inode_info *copy_pipe(struct task_struct *task, long nr)
{
	struct pt_regs *regs = user_regs(task);
	struct file *file = file_of(task, nr == NR_sendfile ? REGS_READ(regs, REG_ARG1)
							    : REGS_READ(regs, REG_ARG3));

	if (!file || (BPF_CORE_READ(file, f_inode, i_mode) & S_IFMT) != S_IFIFO)
		return NULL;
	return BPF_CORE_READ(file, private_data);
}

#endif /* SYSCALLS_BPF_H */
