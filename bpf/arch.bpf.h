/* SPDX-License-Identifier: Apache-2.0 */
/* What differs between processors: registers, syscall numbers and the size of a page. */
#ifndef ARCH_BPF_H
#define ARCH_BPF_H

#include <linux/types.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

#if defined(__TARGET_ARCH_x86)

/* arch/x86/include/asm/ptrace.h */
struct pt_regs {
	unsigned long r10;
	unsigned long r9;
	unsigned long r8;
	unsigned long ax;
	unsigned long cx;
	unsigned long dx;
	unsigned long si;
	unsigned long di;
	unsigned long orig_ax;
};

/* Of a syscall (arch/x86/entry/entry_64.S). */
#define REG_SYSCALL orig_ax
#define REG_ARG1    di
#define REG_ARG2    si
#define REG_ARG3    dx
#define REG_ARG4    r10
#define REG_ARG5    r8
#define REG_ARG6    r9
/* Of a function (System V ABI). */
#define REG_PARAM1 di
#define REG_PARAM2 si
#define REG_PARAM3 dx
#define REG_PARAM4 cx
#define REG_PARAM5 r8
#define REG_PARAM6 r9
#define REG_RESULT ax

/* No other base size. */
#define PAGE_SHIFT 12

/* arch/x86/include/asm/page_64_types.h, without KASAN */
#define THREAD_SIZE 16384

/* arch/x86/entry/syscalls/syscall_64.tbl */
enum syscall {
	NR_read = 0,
	NR_write = 1,
	NR_open = 2,
	NR_close = 3,
	NR_mmap = 9,
	NR_pread64 = 17,
	NR_pwrite64 = 18,
	NR_readv = 19,
	NR_writev = 20,
	NR_madvise = 28,
	NR_sendfile = 40,
	NR_execve = 59,
	NR_truncate = 76,
	NR_ftruncate = 77,
	NR_rename = 82,
	NR_unlink = 87,
	NR_mlock = 149,
	NR_mlockall = 151,
	NR_readahead = 187,
	NR_fadvise64 = 221,
	NR_openat = 257,
	NR_unlinkat = 263,
	NR_renameat = 264,
	NR_splice = 275,
	NR_preadv = 295,
	NR_pwritev = 296,
	NR_renameat2 = 316,
	NR_execveat = 322,
	NR_mlock2 = 325,
	NR_copy_file_range = 326,
	NR_preadv2 = 327,
	NR_pwritev2 = 328,
	NR_io_uring_enter = 426,
	NR_openat2 = 437,
	NR_process_madvise = 440,
};

#elif defined(__TARGET_ARCH_arm64)

/* arch/arm64/include/asm/ptrace.h */
struct pt_regs {
	__u64 regs[31];
	__u64 orig_x0;
	int syscallno;
};

/* Of a syscall; regs[0] is its result once it is over. */
#define REG_SYSCALL syscallno
#define REG_ARG1    orig_x0
#define REG_ARG2    regs[1]
#define REG_ARG3    regs[2]
#define REG_ARG4    regs[3]
#define REG_ARG5    regs[4]
#define REG_ARG6    regs[5]
/* Of a function (AAPCS64). */
#define REG_PARAM1  regs[0]
#define REG_PARAM2  regs[1]
#define REG_PARAM3  regs[2]
#define REG_PARAM4  regs[3]
#define REG_RESULT  regs[0]

/* 12, 14 or 16; user space tells before the programs are loaded (settings.bpf.h). */
#define PAGE_SHIFT  settings.page_shift

/* arch/arm64/include/asm/memory.h, without KASAN: 16 KiB, but no less than a page */
#define THREAD_SIZE (PAGE_SHIFT > 14 ? 1u << PAGE_SHIFT : 16384)

/* include/uapi/asm-generic/unistd.h; those that it does not have get numbers that no syscall has.
 */
enum syscall {
	NR_open = -10,
	NR_rename = -11,
	NR_unlink = -12,
	NR_unlinkat = 35,
	NR_renameat = 38,
	NR_truncate = 45,
	NR_ftruncate = 46,
	NR_openat = 56,
	NR_close = 57,
	NR_read = 63,
	NR_write = 64,
	NR_readv = 65,
	NR_writev = 66,
	NR_pread64 = 67,
	NR_pwrite64 = 68,
	NR_preadv = 69,
	NR_pwritev = 70,
	NR_sendfile = 71,
	NR_splice = 76,
	NR_readahead = 213,
	NR_execve = 221,
	NR_mmap = 222,
	/* fadvise64_64, with the same arguments */
	NR_fadvise64 = 223,
	NR_mlock = 228,
	NR_mlockall = 230,
	NR_madvise = 233,
	NR_renameat2 = 276,
	NR_execveat = 281,
	NR_mlock2 = 284,
	NR_copy_file_range = 285,
	NR_preadv2 = 286,
	NR_pwritev2 = 287,
	NR_io_uring_enter = 426,
	NR_openat2 = 437,
	NR_process_madvise = 440,
};

#else
#error "no registers and syscall numbers are known for this processor"
#endif

#pragma clang attribute pop

#endif /* ARCH_BPF_H */
