/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory pressure: who has to free memory before it may go on, and for how long. Direct reclaim and
 * the reclaim of a cgroup that is at its limit are different tracepoints (a pod with a memory limit
 * sees only the second).
 */
#ifndef PRESSURE_BPF_H
#define PRESSURE_BPF_H

#include "kernel_types.h"
#include "maps.bpf.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

static __always_inline struct pressure *pressure_of(u32 scope)
{
	u32 key = bpf_get_smp_processor_id() * SCOPE_COUNT + scope;

	return bpf_map_lookup_elem(&pressure, &key);
}

/* Where a task's reclaim is counted besides the node: NULL where it is no target's. */
static __always_inline struct pressure *pressure_of_target(void)
{
	u32 target = target_identity(current_tgid());

	return target ? pressure_of(target - 1) : NULL;
}

static __always_inline void begin_reclaim(bool direct)
{
	struct task_struct *task = current_task();
	struct pressure *node = pressure_of(SCOPE_NODE), *target = pressure_of_target();
	struct reclaim_state *state = THREAD_STATE(reclaimers, task, true);
	bool new_task = false;

	if (!node || !is_counting())
		return;
	if (state) {
		state->begin_ns = bpf_ktime_get_ns();
		/* Interval + 1, so that a fresh state differs from the first interval. */
		new_task = direct && state->interval != control.interval + 1;
		if (direct)
			state->interval = control.interval + 1;
	}
	if (direct) {
		ADD_PRESSURE(node, direct_reclaims, 1);
		ADD_PRESSURE(node, direct_reclaim_tasks, new_task);
		if (target) {
			ADD_PRESSURE(target, direct_reclaims, 1);
			ADD_PRESSURE(target, direct_reclaim_tasks, new_task);
		}
	} else {
		ADD_PRESSURE(node, memcg_reclaims, 1);
		if (target)
			ADD_PRESSURE(target, memcg_reclaims, 1);
	}
}

static __always_inline void end_reclaim(void)
{
	struct task_struct *task = current_task();
	struct pressure *node = pressure_of(SCOPE_NODE), *target = pressure_of_target();
	struct reclaim_state *state = THREAD_STATE(reclaimers, task, false);

	if (!node || !state || !state->begin_ns || !is_counting())
		return;

	u64 stall_ns = bpf_ktime_get_ns() - state->begin_ns;

	state->begin_ns = 0;
	ADD_PRESSURE(node, reclaim_stall_ns, stall_ns);
	if (target)
		ADD_PRESSURE(target, reclaim_stall_ns, stall_ns);
}

SEC("tp_btf/mm_vmscan_direct_reclaim_begin")
int on_direct_reclaim_begin(u64 *ctx)
{
	begin_reclaim(true);
	return 0;
}

SEC("tp_btf/mm_vmscan_direct_reclaim_end")
int on_direct_reclaim_end(u64 *ctx)
{
	end_reclaim();
	return 0;
}

SEC("tp_btf/mm_vmscan_memcg_reclaim_begin")
int on_memcg_reclaim_begin(u64 *ctx)
{
	begin_reclaim(false);
	return 0;
}

SEC("tp_btf/mm_vmscan_memcg_reclaim_end")
int on_memcg_reclaim_end(u64 *ctx)
{
	end_reclaim();
	return 0;
}

/* (node, pages scanned, pages reclaimed, ...): once for each batch of an LRU list, kswapd's too. */
SEC("tp_btf/mm_vmscan_lru_shrink_inactive")
int on_shrink_inactive(u64 *ctx)
{
	struct pressure *node = pressure_of(SCOPE_NODE);
	struct pressure *target = pressure_of_target();

	if (!is_counting())
		return 0;
	if (node) {
		ADD_PRESSURE(node, pages_scanned, ctx[1]);
		ADD_PRESSURE(node, pages_reclaimed, ctx[2]);
	}
	if (target) {
		ADD_PRESSURE(target, pages_scanned, ctx[1]);
		ADD_PRESSURE(target, pages_reclaimed, ctx[2]);
	}
	return 0;
}

#endif /* PRESSURE_BPF_H */
