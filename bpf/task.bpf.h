/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The current task on every kernel. From 5.11 on the verifier knows its type and its members are
 * plain loads; before, each is a probe read. Which one it is, is known when the object is loaded:
 * the other branch is dead.
 */
#ifndef TASK_BPF_H
#define TASK_BPF_H

#include "kernel_types.h"
#include "settings.bpf.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

/* 5.11: bpf_get_current_task_btf, task storage. 5.15: bpf_task_pt_regs. */
#define has_helper(name) bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_##name)

#define TASK_READ(task, member) \
	(has_helper(get_current_task_btf) ? (task)->member : BPF_CORE_READ(task, member))

#define REGS_READ(regs, member) \
	(has_helper(task_pt_regs) ? (regs)->member : BPF_CORE_READ(regs, member))

static __always_inline struct task_struct *current_task(void)
{
	if (has_helper(get_current_task_btf))
		return bpf_get_current_task_btf();
	return (struct task_struct *)bpf_get_current_task();
}

static __always_inline u32 current_tgid(void)
{
	return bpf_get_current_pid_tgid() >> 32;
}

/* The registers that were saved when the task entered the kernel; they lie at the end of its stack.
 */
static __always_inline struct pt_regs *user_regs(struct task_struct *task)
{
	if (has_helper(task_pt_regs))
		return (struct pt_regs *)bpf_task_pt_regs(task);
	return (struct pt_regs *)(BPF_CORE_READ(task, stack) + THREAD_SIZE -
				  bpf_core_type_size(struct pt_regs));
}

/*
 * An address as the number that a function of its own takes: to the verifier it is a pointer
 * otherwise, which 5.10 lets no such function have.
 */
static __always_inline u64 address_of(const void *object)
{
	u64 address = 0;

	bpf_probe_read_kernel(&address, sizeof(address), &object);
	return address;
}

#endif /* TASK_BPF_H */
