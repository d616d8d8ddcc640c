// SPDX-License-Identifier: Apache-2.0
/*
 * A stand-in for the usual way to watch the page cache, as another collector for BanyanDB does it:
 * classic tracepoints on the syscalls themselves, the begin of each in a hash by thread, latencies
 * and events in per-CPU hashes by process, the target known by the first letters of its name.
 * Written from the description of its programs and maps, to cost the same; what it counts is looked
 * at by nobody.
 */
#include <linux/bpf.h>
#include <linux/types.h>
#include <bpf/bpf_helpers.h>
#include <stdbool.h>

typedef __u32 u32;
typedef __u64 u64;

#define PROCESSES_MAX 8192
#define CALLS_MAX     10240
#define BUCKETS	      32

/* 280 bytes for each process and CPU. */
struct latency {
	u64 bucket[BUCKETS];
	u64 sum_ns;
	u64 calls;
	u64 bytes;
};

struct hint {
	int descriptor;
	u64 offset;
	u64 bytes;
	int advice;
};

struct hints {
	u64 calls;
	u64 dontneed;
};

struct cache_events {
	u64 lookups;
	u64 adds;
	u64 deletes;
};

struct scans {
	u64 scanned;
	u64 reclaimed;
	u64 events;
};

#define HASH(name, kind, entries, key_type, value_type) \
	struct {                                        \
		__uint(type, kind);                     \
		__uint(max_entries, entries);           \
		__type(key, key_type);                  \
		__type(value, value_type);              \
	} name SEC(".maps")

HASH(wanted_cgroup, BPF_MAP_TYPE_ARRAY, 1, u32, u64);
HASH(read_begins, BPF_MAP_TYPE_HASH, CALLS_MAX, u64, u64);
HASH(pread_begins, BPF_MAP_TYPE_HASH, CALLS_MAX, u64, u64);
HASH(running_hints, BPF_MAP_TYPE_HASH, PROCESSES_MAX, u64, struct hint);
HASH(read_latencies, BPF_MAP_TYPE_PERCPU_HASH, PROCESSES_MAX, u32, struct latency);
HASH(pread_latencies, BPF_MAP_TYPE_PERCPU_HASH, PROCESSES_MAX, u32, struct latency);
HASH(hint_counts, BPF_MAP_TYPE_PERCPU_HASH, PROCESSES_MAX, u32, struct hints);
HASH(cache_counts, BPF_MAP_TYPE_PERCPU_HASH, PROCESSES_MAX, u32, struct cache_events);
HASH(scan_counts, BPF_MAP_TYPE_PERCPU_HASH, 1, u32, struct scans);
HASH(reclaim_counts, BPF_MAP_TYPE_PERCPU_HASH, 1, u32, u64);

static const struct latency no_latency;

/* Records of the classic tracepoints, behind their 8 common bytes. */
struct syscall_enter {
	u64 common;
	u64 number;
	u64 argument[6];
};

struct syscall_exit {
	u64 common;
	u64 number;
	long result;
};

/* events/vmscan/mm_vmscan_lru_shrink_inactive/format */
struct shrink_inactive {
	u64 common;
	int node;
	u64 scanned;
	u64 reclaimed;
};

static __always_inline bool is_wanted(void)
{
	static const char prefix[] = "banyand";
	char name[16];
	u32 zero = 0;
	u64 cgroup = bpf_get_current_cgroup_id();
	u64 *wanted = bpf_map_lookup_elem(&wanted_cgroup, &zero);

	if (wanted && *wanted && cgroup != *wanted)
		return false;
	if (bpf_get_current_comm(name, sizeof(name)))
		return false;
#pragma unroll
	for (u32 i = 0; i < sizeof(prefix) - 1; i++) {
		if (name[i] != prefix[i])
			return false;
	}
	return true;
}

/* The value of a key, made when it is not there. */
#define VALUE_OF(map, key, zero)                                      \
	({                                                            \
		void *value = bpf_map_lookup_elem(map, key);          \
		if (!value) {                                         \
			bpf_map_update_elem(map, key, zero, BPF_ANY); \
			value = bpf_map_lookup_elem(map, key);        \
		}                                                     \
		value;                                                \
	})

static __always_inline u32 floor_log2(u64 n)
{
	u32 result = 0;

#pragma unroll
	for (u32 bits = 32; bits > 0; bits /= 2) {
		if (n >> bits) {
			n >>= bits;
			result += bits;
		}
	}
	return result;
}

static __always_inline int begin_call(void *begins)
{
	if (!is_wanted())
		return 0;

	u64 thread = bpf_get_current_pid_tgid(), now = bpf_ktime_get_ns();

	bpf_map_update_elem(begins, &thread, &now, BPF_ANY);
	return 0;
}

static __always_inline int end_call(void *begins, void *latencies, long result)
{
	if (!is_wanted())
		return 0;

	u64 thread = bpf_get_current_pid_tgid();
	u64 *begin = bpf_map_lookup_elem(begins, &thread);

	if (!begin)
		return 0;
	if (result >= 0) {
		u64 ns = bpf_ktime_get_ns() - *begin;
		u32 process = thread >> 32;
		struct latency *latency = VALUE_OF(latencies, &process, &no_latency);

		if (latency) {
			latency->sum_ns += ns;
			latency->calls++;
			latency->bytes += result;
			latency->bucket[floor_log2(ns / 1000) % BUCKETS]++;
		}
	}
	bpf_map_delete_elem(begins, &thread);
	return 0;
}

SEC("tracepoint/syscalls/sys_enter_read")
int peer_read_enter(void *ctx)
{
	return begin_call(&read_begins);
}

SEC("tracepoint/syscalls/sys_exit_read")
int peer_read_exit(struct syscall_exit *ctx)
{
	return end_call(&read_begins, &read_latencies, ctx->result);
}

SEC("tracepoint/syscalls/sys_enter_pread64")
int peer_pread_enter(void *ctx)
{
	return begin_call(&pread_begins);
}

SEC("tracepoint/syscalls/sys_exit_pread64")
int peer_pread_exit(struct syscall_exit *ctx)
{
	return end_call(&pread_begins, &pread_latencies, ctx->result);
}

SEC("tracepoint/syscalls/sys_enter_fadvise64")
int peer_hint_enter(struct syscall_enter *ctx)
{
	if (!is_wanted())
		return 0;

	u64 thread = bpf_get_current_pid_tgid();
	u32 process = thread >> 32;
	struct hint hint = {
		.descriptor = ctx->argument[0],
		.offset = ctx->argument[1],
		.bytes = ctx->argument[2],
		.advice = ctx->argument[3],
	};
	struct hints none = {}, *counts;

	bpf_map_update_elem(&running_hints, &thread, &hint, BPF_ANY);
	counts = VALUE_OF(&hint_counts, &process, &none);
	if (counts) {
		counts->calls++;
		counts->dontneed += hint.advice == 4;
	}
	return 0;
}

SEC("tracepoint/syscalls/sys_exit_fadvise64")
int peer_hint_exit(void *ctx)
{
	u64 thread = bpf_get_current_pid_tgid();

	if (is_wanted())
		bpf_map_delete_elem(&running_hints, &thread);
	return 0;
}

static __always_inline struct cache_events *cache_events_of_process(void)
{
	struct cache_events none = {};
	u32 process = bpf_get_current_pid_tgid() >> 32;

	return is_wanted() ? VALUE_OF(&cache_counts, &process, &none) : NULL;
}

SEC("tracepoint/filemap/mm_filemap_get_pages")
int peer_lookup(void *ctx)
{
	struct cache_events *counts = cache_events_of_process();

	if (counts)
		counts->lookups++;
	return 0;
}

SEC("tracepoint/filemap/mm_filemap_add_to_page_cache")
int peer_add(void *ctx)
{
	struct cache_events *counts = cache_events_of_process();

	if (counts)
		counts->adds++;
	return 0;
}

SEC("tracepoint/filemap/mm_filemap_delete_from_page_cache")
int peer_delete(void *ctx)
{
	struct cache_events *counts = cache_events_of_process();

	if (counts)
		counts->deletes++;
	return 0;
}

SEC("tracepoint/vmscan/mm_vmscan_direct_reclaim_begin")
int peer_reclaim(void *ctx)
{
	u32 zero = 0;
	u64 none = 0, *count;

	if (!is_wanted())
		return 0;
	count = VALUE_OF(&reclaim_counts, &zero, &none);
	if (count)
		++*count;
	return 0;
}

SEC("tracepoint/vmscan/mm_vmscan_lru_shrink_inactive")
int peer_scan(struct shrink_inactive *ctx)
{
	u32 zero = 0;
	struct scans none = {}, *counts;

	if (!is_wanted())
		return 0;
	counts = VALUE_OF(&scan_counts, &zero, &none);
	if (counts) {
		counts->scanned += ctx->scanned;
		counts->reclaimed += ctx->reclaimed;
		counts->events++;
	}
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
