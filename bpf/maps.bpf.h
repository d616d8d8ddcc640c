/* SPDX-License-Identifier: Apache-2.0 */
/* The state of the programs. Nothing grows with time: every map has a size that is fixed at load.
 */
#ifndef MAPS_BPF_H
#define MAPS_BPF_H

#include "kernel_types.h"
#include "page_cache.h"
#include "settings.bpf.h"
#include "task.bpf.h"
#include <bpf/bpf_helpers.h>

/* Maps of [cpu][...] get their max_entries from user space, which knows the possible CPUs. */
#define PER_CPU(n) (n)

/* In .bss, which user space maps: no syscall to change it, no lookup to read it. */
volatile struct control control;

/* [cpu][component], mapped by user space. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, PER_CPU(COMPONENTS));
	__type(key, u32);
	__type(value, struct counters);
} counters SEC(".maps");

/* [cpu][scope], mapped by user space. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, PER_CPU(SCOPE_COUNT));
	__type(key, u32);
	__type(value, struct pressure);
} pressure SEC(".maps");

/* The targets' directories, filled by user space. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, DIRECTORIES_MAX);
	__type(key, struct directory_key);
	__type(value, struct directory_class);
} directories SEC(".maps");

/* Kinds of files by their names and those of their directories, filled by user space. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, NAMES_MAX);
	__type(key, struct name_key);
	__type(value, u32);
} names SEC(".maps");

/* The targets' files: those in their directories, and whatever else they read or added pages to. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, INODES_MAX);
	__type(key, struct inode_key);
	__type(value, struct inode_class);
} inodes SEC(".maps");

/* A file as it was when pages were added to it last. */
struct seen_inode {
	struct inode_class class;
	/* Address; by now it may be another one's. */
	u64 inode;
};

/* The same by number alone, for records that have no more; generation is 0. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, INODES_MAX);
	__type(key, struct inode_key);
	__type(value, struct seen_inode);
} inodes_by_number SEC(".maps");

struct inode_slot {
	struct inode_key key;
	struct inode_class class;
	u32 uses;
	u32 reserved;
};

/* [cpu][slot]: saves the hash on hot files (measured 55 ns a read). */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, PER_CPU(INODE_CACHE_SLOTS));
	__type(key, u32);
	__type(value, struct inode_slot);
} inode_cache SEC(".maps");

#define RANGES_MAX 8

struct page_range {
	u64 begin;
	u64 end;
};

/* What a thread of the target must remember between two events of one read. */
struct thread_state {
	/* The batch seen last: identity of its read, and where it began. */
	u64 file;
	u64 index;
	u64 last_index;
	u64 read_id;
	/* Read (+ 1) that was counted as missed. */
	u64 missed_read;
	/* A call that copies: where in the file it began, and how far it has come, in bytes. */
	u64 copy_begin;
	u64 copy_end;
	/* What a read has said when it began that it asks for, in pages, and whether it will not
	 * ask for more. */
	u64 told_file;
	u64 told_begin;
	u64 told_end;
	u64 told_all;
	/* The running direct read, and the thread's count of storage bytes when it began. */
	u64 direct_iocb;
	u64 direct_begin;
	/* Pages added by a read of which is not known yet how far it will come; `ranges_call` tells
	 * the calls that copy apart. */
	u64 ranges_file;
	u64 ranges_call;
	u64 range_count;
	struct page_range range[RANGES_MAX];
	/* The read that is being timed: when it began, else 0; during which timing; whether it has
	 * missed. */
	u64 read_begin_ns;
	u32 read_timing;
	u32 read_missed;
	/* Pages that the running fadvise has dropped or loaded. */
	u64 hint_pages;
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct thread_state);
} threads SEC(".maps");

/* The same where there is no task storage (before 5.11): by thread id, forgotten when it is not
 * used. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, u64);
	__type(value, struct thread_state);
} threads_by_id SEC(".maps");

/* What any thread of the machine must remember between begin and end of a reclaim. */
struct reclaim_state {
	u64 begin_ns;
	/* Interval in which the thread was last counted. */
	u32 interval;
	u32 reserved;
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct reclaim_state);
} reclaimers SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, u64);
	__type(value, struct reclaim_state);
} reclaimers_by_id SEC(".maps");

/* State of the current thread in one of the two maps; NULL where it has none, or none could be
 * made. */
#define THREAD_STATE(map, task, create)                                                            \
	({                                                                                         \
		void *state_;                                                                      \
		if (has_helper(task_storage_get)) {                                                \
			state_ = bpf_task_storage_get(                                             \
				&map, task, NULL, (create) ? BPF_LOCAL_STORAGE_GET_F_CREATE : 0);  \
		} else {                                                                           \
			u64 id_ = bpf_get_current_pid_tgid();                                      \
			state_ = bpf_map_lookup_elem(&map##_by_id, &id_);                          \
			if (!state_ && (create)) {                                                 \
				bpf_map_update_elem(&map##_by_id, &id_, &zero_state, BPF_NOEXIST); \
				state_ = bpf_map_lookup_elem(&map##_by_id, &id_);                  \
			}                                                                          \
		}                                                                                  \
		state_;                                                                            \
	})

/* As large as the largest of the states. */
static const struct thread_state zero_state;

/* Atomic, because a preemptible program may be interleaved with another one on its CPU; costs
 * nothing here. */
#define ADD(record, name, n)	      __sync_fetch_and_add(&(record)->value[COUNTER_##name], (n))
#define ADD_PRESSURE(record, name, n) __sync_fetch_and_add(&(record)->value[PRESSURE_##name], (n))

#define barrier() asm volatile("" ::: "memory")

static __always_inline struct counters *counters_of(u32 component)
{
	u32 key = bpf_get_smp_processor_id() * COMPONENTS + (component & (COMPONENTS - 1));

	return bpf_map_lookup_elem(&counters, &key);
}

/*
 * Pinned programs outlive the process that loaded them. Of two generations of them, as there are
 * for a moment at an upgrade, one counts.
 */
static __always_inline bool generation_counts(void)
{
	return !settings.generation || control.generation == settings.generation;
}

/* Between two looks at the deadline: 2^7 ticks of the kernel's timer, a second at most. */
#define LOOK_SHIFT 7

/*
 * Whether to count: of pinned programs, while somebody reads. The clock would cost 20 ns an event;
 * the timer's ticks are one load, and say when to look at the clock.
 */
static __always_inline bool is_counting(void)
{
	if (!settings.generation)
		return true;
	if (control.generation != settings.generation)
		return false;

	u32 now = bpf_jiffies64() >> LOOK_SHIFT;

	if (control.looked != now) {
		control.looked = now;
		control.orphaned = bpf_ktime_get_ns() > control.deadline_ns;
	}
	return !control.orphaned;
}

/* The same as below, where targets share a place. Without a loop or a call, which would cost more.
 */
static __always_inline u32 search_slots(u32 tgid)
{
#pragma unroll
	for (u32 i = 0; i < TARGETS_MAX; i++) {
		u32 slot = control.slot[i];

		if (SLOT_TGID(slot) == tgid)
			return slot >> SLOT_TGID_BITS;
	}
	return 0;
}

/* Identity + 1 of a process that has a slot; 0 for any other. */
static __always_inline u32 slot_identity(u32 tgid)
{
	u32 place = control.place[PLACE_OF(tgid)] & PLACE_SLOT, slot;

	if (!place)
		return 0;
	if (place == PLACE_SHARED)
		return search_slots(tgid);
	slot = control.slot[(place - 1) & (TARGETS_MAX - 1)];
	return SLOT_TGID(slot) == tgid ? slot >> SLOT_TGID_BITS : 0;
}

/* Identity + 1 of a process whose events are to be counted now; 0 for any other. */
static __always_inline u32 target_identity(u32 tgid)
{
	u32 identity = slot_identity(tgid);

	return identity && is_counting() ? identity : 0;
}

#endif /* MAPS_BPF_H */
