/* SPDX-License-Identifier: Apache-2.0 */
/* The state of the programs. Nothing grows with time: every map has a size that is fixed at load.
 */
#ifndef MAPS_BPF_H
#define MAPS_BPF_H

#include "kernel_types.h"
#include "page_cache.h"
#include <bpf/bpf_helpers.h>

/* In .bss, which user space maps: no syscall to change it, no lookup to read it. */
volatile struct targets targets;

/* [cpu][component]; user space maps it and sets max_entries to possible CPUs * COMPONENTS before
 * the load. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, COMPONENTS);
	__type(key, u32);
	__type(value, struct counters);
} counters SEC(".maps");

/* A file; the generation tells two files apart that got the same number one after the other. */
struct inode_key {
	u64 ino;
	u32 dev;
	u32 generation;
};

struct inode_class {
	u16 component;
	u16 reserved;
};

/* The target's files: whatever it read or added pages to. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, INODES_MAX);
	__type(key, struct inode_key);
	__type(value, struct inode_class);
} inodes SEC(".maps");

struct inode_slot {
	struct inode_key key;
	struct inode_class class;
	u32 uses;
};

/* [cpu][slot]: saves the hash on hot files (measured 55 ns a read); max_entries as for `counters`.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, INODE_CACHE_SLOTS);
	__type(key, u32);
	__type(value, struct inode_slot);
} inode_cache SEC(".maps");

#define RANGES_MAX 8

struct page_range {
	u64 begin;
	u64 end;
};

/* What a thread must remember between two events of one read. */
struct thread_state {
	/* The batch seen last: identity of its read, and where it began. */
	u64 mapping;
	u64 index;
	u64 last_index;
	u64 read_id;
	/* Read (+ 1) that was counted as missed. */
	u64 missed_read;
	/* Pages added by a read whose range is not known yet. */
	u64 ranges_mapping;
	u64 range_count;
	struct page_range range[RANGES_MAX];
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct thread_state);
} threads SEC(".maps");

#endif /* MAPS_BPF_H */
