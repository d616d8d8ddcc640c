/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which processes are targets, between two looks of user space: a process is counted from its
 * execve on, and no longer than it lives. So no second of a new life is lost, and no process that
 * gets the number of a dead one is counted.
 */
#ifndef TARGETS_BPF_H
#define TARGETS_BPF_H

#include "kernel_types.h"
#include "maps.bpf.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

/* A process may be found by its own cgroup or by one of so many above: a pod's, a slice's. */
#define CGROUP_LEVELS_MAX 8

/* Adds what a process has read from and written to storage, as /proc/PID/io has it. */
static __always_inline void add_storage_bytes(u32 identity, u64 read_bytes, u64 write_bytes)
{
	struct counters *c = counters_of(identity);

	if (!c)
		return;
	ADD(c, ended_storage_read_bytes, read_bytes);
	ADD(c, ended_storage_write_bytes, write_bytes);
}

/*
 * State of a task in the hierarchy that tells containers apart: that of the memory controller where
 * it has one of its own (cgroup v1), else the one of v2. NULL where the kernel has no cgroups.
 */
static __always_inline struct cgroup_subsys_state *cgroup_state(struct task_struct *task)
{
	if (!bpf_core_field_exists(task->cgroups))
		return NULL;

	struct css_set *set = BPF_CORE_READ(task, cgroups);
	struct cgroup *unified = BPF_CORE_READ(set, dfl_cgrp);
	struct cgroup_subsys_state *memory = NULL;

	if (!unified)
		return NULL;
	if (bpf_core_enum_value_exists(enum cgroup_subsys_id, memory_cgrp_id)) {
		u32 number = bpf_core_enum_value(enum cgroup_subsys_id, memory_cgrp_id);

		bpf_probe_read_kernel(&memory, sizeof(memory),
				      (const void *)set +
					      bpf_core_field_offset(struct css_set, subsys) +
					      number * sizeof(memory));
	}
	if (memory && BPF_CORE_READ(memory, cgroup, root) != BPF_CORE_READ(unified, root))
		return memory;
	return (void *)unified + bpf_core_field_offset(struct cgroup, self);
}

/* 0 where there is none: a read at no address gives 0. */
static __always_inline u64 cgroup_id(struct cgroup_subsys_state *state)
{
	return BPF_CORE_READ(state, cgroup, kn, id);
}

/* The cgroups of a task, its own first; 0 above the highest. */
struct cgroup_ids {
	u64 id[CGROUP_LEVELS_MAX];
};

static __always_inline void cgroups_of(struct task_struct *task, struct cgroup_ids *ids)
{
	struct cgroup_subsys_state *state = cgroup_state(task);

	/* Without a branch, which would double the work of the verifier each time. */
#pragma unroll
	for (u32 i = 0; i < CGROUP_LEVELS_MAX; i++) {
		ids->id[i] = cgroup_id(state);
		state = BPF_CORE_READ(state, parent);
	}
}

/* Whether an entry is for a task of this name in these cgroups. */
static __always_inline bool entry_matches(const volatile struct exec_entry *entry, const u64 *name,
					  const struct cgroup_ids *ids)
{
	const volatile u64 *wanted = (const volatile u64 *)entry->name;
	u64 first = wanted[0], cgroup = entry->cgroup;
	/* 0 where it matches: of bits, since each branch costs the verifier another way. */
	u64 other_name = ((name[0] ^ first) | (name[1] ^ wanted[1])) & -(u64) !!first;
	u64 other_cgroup = cgroup;

#pragma unroll
	for (u32 i = 0; i < CGROUP_LEVELS_MAX; i++)
		other_cgroup &= -(u64)(ids->id[i] != cgroup);
	return !(other_name | other_cgroup);
}

/* Identity + 1 of who is to be counted from his execve on; 0 for anybody else. */
static __always_inline u32 executed_identity(struct task_struct *task)
{
	u64 name[COMM_BYTES / sizeof(u64)] = {};
	struct cgroup_ids ids = {};

	bpf_probe_read_kernel_str(name, sizeof(name), &task->comm);
	cgroups_of(task, &ids);
	for (u32 i = 0; i < EXEC_ENTRIES_MAX; i++) {
		if (i >= control.exec_count)
			break;
		if (entry_matches(&control.exec[i], name, &ids))
			return control.exec[i].identity + 1;
	}
	return 0;
}

/* Lets a process of a slot be found there. */
static __always_inline void show_slot(u32 tgid, u32 i)
{
	volatile u32 *place = &control.place[PLACE_OF(tgid)];
	u32 old = *place, other = old & PLACE_SLOT, changes = (old & ~PLACE_SLOT) + PLACE_CHANGE;
	u32 wanted = other && other != i + 1 ? PLACE_SHARED : i + 1;

	/* Shared is right whoever else has changed it meanwhile. */
	if (__sync_val_compare_and_swap(place, old, changes | wanted) != old)
		*place = changes + PLACE_CHANGE | PLACE_SHARED;
}

/*
 * Takes a free slot; where there is none, user space will say so when it looks. Programs and user
 * space take slots at the same time, so this needs compare-and-swap, which BPF has from 5.12 on;
 * before, on_exec does not load, and a process is counted from the next look on.
 */
static __always_inline bool take_slot(u32 tgid, u32 identity)
{
	for (u32 i = 0; i < TARGETS_MAX; i++) {
		if (control.slot[i])
			continue;
		if (__sync_val_compare_and_swap(&control.slot[i], 0, SLOT_OF(tgid, identity)))
			continue;
		control.taken_ns[i] = bpf_ktime_get_ns();
		show_slot(tgid, i);
		return true;
	}
	return false;
}

/* (task, old pid, bprm); the thread already has the name of what it executes. */
SEC("tp_btf/sched_process_exec")
int on_exec(u64 *ctx)
{
	struct task_struct *task = (struct task_struct *)ctx[0];

	__sync_fetch_and_add(&control.process_changes, 1);
	/* Past the deadline too: slots must be right when somebody reads again. */
	if (!control.exec_count || !generation_counts() || slot_identity(task->tgid))
		return 0;

	u32 target = executed_identity(task);

	if (!target || !take_slot(task->tgid, target - 1))
		return 0;
	/* It is counted from here on, but its end will add its whole life. */
	add_storage_bytes(target - 1, -(task->signal->ioac.read_bytes + task->ioac.read_bytes),
			  -(task->signal->ioac.write_bytes + task->ioac.write_bytes));
	return 0;
}

/* (task): fires for each thread; the process ends with the last one. */
SEC("tp_btf/sched_process_exit")
int on_exit(u64 *ctx)
{
	struct task_struct *task = (struct task_struct *)ctx[0];
	u32 tgid = task->tgid, target = slot_identity(tgid);

	if (!target || !generation_counts() || BPF_CORE_READ(task, signal, live.counter))
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
	add_storage_bytes(target - 1, read_bytes, write_bytes);
	for (u32 i = 0; i < TARGETS_MAX; i++) {
		if (SLOT_TGID(control.slot[i]) != tgid)
			continue;
		control.taken_ns[i] = 0;
		control.slot[i] = 0;
	}
	__sync_fetch_and_add(&control.process_changes, 1);
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

	/* A process that is ending has no namespaces any more. */
	struct uts_namespace *names = BPF_CORE_READ(task, nsproxy, uts_ns);
	struct cgroup_subsys_state *state = cgroup_state(task);

	if (names)
		bpf_probe_read_kernel_str(record.host_name, sizeof(record.host_name),
					  &names->name.nodename);
	record.cgroup = cgroup_id(state);
	record.parent_cgroup = cgroup_id(BPF_CORE_READ(state, parent));
	bpf_seq_write(ctx->meta->seq, &record, sizeof(record));
	return 0;
}

#endif /* TARGETS_BPF_H */
