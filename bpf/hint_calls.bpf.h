/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The target's calls of fadvise(2), at their end: by then the saved registers still say what was
 * asked, and the thread's state what it did. The hook is the syscall's own function, not
 * generic_fadvise: calls on a bad descriptor never get that far. Nobody else's syscalls run it.
 */
#ifndef HINT_CALLS_BPF_H
#define HINT_CALLS_BPF_H

#include "files.bpf.h"
#include "hints.bpf.h"
#include "kernel_types.h"
#include "maps.bpf.h"
#include "syscalls.bpf.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

/* arch/x86/include/asm/syscall_wrapper.h; include/uapi/asm-generic/unistd.h */
#ifdef __TARGET_ARCH_arm64
#define FADVISE_FUNCTION "__arm64_sys_fadvise64_64"
#else
#define FADVISE_FUNCTION "__x64_sys_fadvise64"
#endif

/* Pages that the range touches, up to the end of the file; length 0 means to the end. */
static __always_inline u64 pages_of_range(u64 offset, u64 length, u64 size)
{
	u64 end = length && offset + length > offset ? MIN(offset + length, size) : size;

	return offset < end ? ((end - 1) >> PAGE_SHIFT) - (offset >> PAGE_SHIFT) + 1 : 0;
}

static __always_inline int count_hint_call(long result)
{
	u32 target = target_identity(current_tgid());

	if (!target)
		return 0;

	struct task_struct *task = current_task();
	struct pt_regs *regs = user_regs(task);
	u32 number = REGS_READ(regs, REG_ARG4);
	u32 advice = number < ADVICE_invalid ? number : ADVICE_invalid;
	struct thread_state *thread = THREAD_STATE(threads, task, false);
	struct hints *h = hints_of(target - 1, advice);
	bool had_effect = thread && thread->hint_pages;

	if (thread)
		thread->hint_pages = 0;
	if (!h)
		return 0;
	ADD_HINT(h, calls, 1);
	if (result) {
		ADD_HINT(h, errors, 1);
		return 0;
	}
	/* The others move no page. */
	if (advice != ADVICE_willneed && advice != ADVICE_dontneed)
		return 0;
	if (!had_effect)
		ADD_HINT(h, calls_without_effect, 1);

	struct file *file = file_of(task, REGS_READ(regs, REG_ARG1));
	struct inode *inode = file ? BPF_CORE_READ(file, f_mapping, host) : NULL;
	struct inode_key key;

	if (inode && regular_file(inode, &key))
		ADD_HINT(h, pages_asked,
			 pages_of_range(REGS_READ(regs, REG_ARG2), REGS_READ(regs, REG_ARG3),
					BPF_CORE_READ(inode, i_size)));
	return 0;
}

SEC("fexit/" FADVISE_FUNCTION)
int count_hint_fexit(u64 *ctx)
{
	return count_hint_call(ctx[1]);
}

SEC("kretprobe/" FADVISE_FUNCTION)
int count_hint_kretprobe(struct pt_regs *ctx)
{
	return count_hint_call(ctx->REG_RESULT);
}

/* (registers, result): where there are neither trampolines nor kprobes. */
SEC("tp_btf/sys_exit")
int count_hint_sys_exit(u64 *ctx)
{
	struct pt_regs *regs = (struct pt_regs *)ctx[0];

	return regs->REG_SYSCALL == NR_fadvise64 ? count_hint_call(ctx[1]) : 0;
}

#endif /* HINT_CALLS_BPF_H */
