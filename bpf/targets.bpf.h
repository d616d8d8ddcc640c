/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which processes are the target, between two looks of user space: a process is counted from its
 * execve on, and no longer than it lives. So no second of a new life is lost, and no process that
 * gets the number of a dead one is counted.
 */
#ifndef TARGETS_BPF_H
#define TARGETS_BPF_H

#include "kernel_types.h"
#include "maps.bpf.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

/* Adds what a process has read from and written to storage, as /proc/PID/io has it. */
static __always_inline void add_storage_bytes(u64 read_bytes, u64 write_bytes)
{
	struct counters *c = counters_of(COMPONENT_UNKNOWN);

	if (!c)
		return;
	ADD(c, ended_storage_read_bytes, read_bytes);
	ADD(c, ended_storage_write_bytes, write_bytes);
}

static __always_inline bool has_target_name(struct task_struct *task)
{
	u64 name[COMM_BYTES / sizeof(u64)] = {};
	const volatile u64 *wanted = (const volatile u64 *)control.exec_name;

	if (!wanted[0])
		return false;
	bpf_probe_read_kernel_str(name, sizeof(name), &task->comm);
	return name[0] == wanted[0] && name[1] == wanted[1];
}

/*
 * Takes a free slot; where there is none, user space will say so when it looks. Programs and user
 * space take slots at the same time, so this needs compare-and-swap, which BPF has from 5.12 on;
 * before, on_exec does not load, and a process is counted from the next look on.
 */
static __always_inline bool take_slot(u32 tgid)
{
	for (u32 i = 0; i < TARGETS_MAX; i++) {
		if (control.tgid[i])
			continue;
		if (__sync_val_compare_and_swap(&control.tgid[i], 0, tgid))
			continue;
		control.taken_ns[i] = bpf_ktime_get_ns();
		__sync_fetch_and_or(&control.filter, 1ull << (tgid & 63));
		if (control.slots_used <= i)
			control.slots_used = i + 1;
		return true;
	}
	return false;
}

/* (task, old pid, bprm); the thread already has the name of what it executes. */
SEC("tp_btf/sched_process_exec")
int on_exec(u64 *ctx)
{
	struct task_struct *task = (struct task_struct *)ctx[0];

	if (!has_target_name(task) || is_target(task->tgid) || !take_slot(task->tgid))
		return 0;
	/* It is counted from here on, but its end will add its whole life. */
	add_storage_bytes(-(task->signal->ioac.read_bytes + task->ioac.read_bytes),
			  -(task->signal->ioac.write_bytes + task->ioac.write_bytes));
	return 0;
}

/* (task): fires for each thread; the process ends with the last one. */
SEC("tp_btf/sched_process_exit")
int on_exit(u64 *ctx)
{
	struct task_struct *task = (struct task_struct *)ctx[0];
	u32 tgid = task->tgid;

	if (!is_target(tgid) || BPF_CORE_READ(task, signal, live.counter))
		return 0;

	/* As /proc/PID/io would have it now: threads that are gone, this one, and the leader where
	 * it is another. */
	struct task_struct *leader = task->group_leader;
	u64 read_bytes = task->signal->ioac.read_bytes + task->ioac.read_bytes;
	u64 write_bytes = task->signal->ioac.write_bytes + task->ioac.write_bytes;

	if (leader->pid != task->pid) {
		read_bytes += leader->ioac.read_bytes;
		write_bytes += leader->ioac.write_bytes;
	}
	add_storage_bytes(read_bytes, write_bytes);
	for (u32 i = 0; i < TARGETS_MAX; i++) {
		if (control.tgid[i] == tgid)
			control.tgid[i] = 0;
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

	struct pid *reader = TASK_READ(current_task(), thread_pid);
	/* Read as a number: 6.1 lets no variable be added to a pointer that its verifier knows. */
	struct pid *pid = BPF_CORE_READ(task, thread_pid);

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

#endif /* TARGETS_BPF_H */
