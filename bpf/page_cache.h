/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the BPF programs and the addon share: the counters, their layout in memory, and the records
 * that cross the border. Compiled by clang for BPF and by the C++ compiler in one build, so the two
 * cannot drift. Plain C types only; sizes are asserted below and compared with the loaded maps once
 * more at run time.
 */
#ifndef PAGE_CACHE_H
#define PAGE_CACHE_H

#ifdef __cplusplus
#define _Static_assert static_assert
#endif

/*
 * The counters: cumulative, never reset, in pages unless the name says otherwise. A folio of order
 * n is 2^n pages. docs/METRICS.md says what each means.
 */
#define FOR_EACH_COUNTER(X)                                                                       \
	X(reads)                                                                                  \
	X(reads_missed)                                                                           \
	X(read_bytes)                                                                             \
	X(pages_requested)                                                                        \
	X(pages_missed)                                                                           \
	X(pages_readahead)                                                                        \
	X(pages_prefetched)                                                                       \
	X(pages_faulted)                                                                          \
	X(pages_written)                                                                          \
	X(pages_added)                                                                            \
	X(pages_evicted_kswapd)                                                                   \
	X(pages_evicted_direct)                                                                   \
	X(pages_evicted_foreign)                                                                  \
	X(pages_evicted_hint)                                                                     \
	X(pages_evicted_truncate)                                                                 \
	X(pages_evicted_other)                                                                    \
	/* Pages of reads of unknown range that no record could keep apart; counted as readahead. \
	 */                                                                                       \
	X(pages_unsorted)                                                                         \
	/* Events that were not counted because the thread's state could not be allocated. */     \
	X(events_without_state)

enum counter {
#define X(name) COUNTER_##name,
	FOR_EACH_COUNTER(X)
#undef X
	COUNTER_COUNT
};

/* Counters of one (CPU, component); a multiple of a cache line, so that CPUs do not share one. */
#define COUNTER_SLOTS 24
struct counters {
	unsigned long long value[COUNTER_SLOTS];
};
_Static_assert(COUNTER_COUNT <= COUNTER_SLOTS, "the counters outgrew their slots");
_Static_assert(sizeof(struct counters) % 64 == 0, "a counter record must fill whole cache lines");

/*
 * Counter array: [cpu][component]. Component 0 holds what could not be attributed to a part of the
 * target.
 */
#define COMPONENTS	  256
#define COMPONENT_UNKNOWN 0

/* Processes that are counted. Written by user space through the mapped memory, read by every event.
 */
#define TARGETS_MAX 32
struct targets {
	/* Bit (tgid & 63) is set for every tgid below: turns everybody else away with one test. */
	unsigned long long filter;
	/* Number of entries that may be in use; those beyond are 0. */
	unsigned int count;
	unsigned int reserved;
	unsigned int tgid[TARGETS_MAX];
};
_Static_assert(sizeof(struct targets) == 16 + 4 * TARGETS_MAX, "struct targets has a hole");

/* One process as the task iterator shows it. */
struct task_record {
	/* Process id in the pid namespace of the reader. */
	unsigned int pid;
	/* Process id in the initial pid namespace: what the events are compared with. */
	unsigned int tgid;
	/* Boot-based start time of the group leader in ns: tells two lives of one pid apart. */
	unsigned long long start_time_ns;
	char comm[16];
};
_Static_assert(sizeof(struct task_record) == 32, "struct task_record has a hole");

/* Files whose class is remembered; a bounded LRU, about 100 bytes each. */
#define INODES_MAX 16384

/* Direct-mapped cache in front of it: slots for each CPU. */
#define INODE_CACHE_SLOTS 64

#ifdef __cplusplus
#undef _Static_assert
#endif

#endif /* PAGE_CACHE_H */
