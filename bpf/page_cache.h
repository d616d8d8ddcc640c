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
	X(events_without_state)                                                                   \
	/* Missed within a minute after the target's DONTNEED had dropped them. */                \
	X(pages_refaulted)                                                                        \
	/* That direct reads had the storage fetch. */                                            \
	X(direct_bytes)                                                                           \
	/* Bytes that ended processes of the target had read from and written to storage in their \
	 * lives, less what those counted from their execve on had before; may be negative. */    \
	X(ended_storage_read_bytes)                                                               \
	X(ended_storage_write_bytes)

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

/* Targets that are counted apart, each under an identity of its own: BanyanDB servers of one node.
 */
#define IDENTITIES_MAX 8

/*
 * Counter array: [cpu][component]. A component is a part of one target that user space gave a
 * number: a directory's base plus the kind of the file. The first IDENTITIES_MAX are the files of
 * unknown component, one for each identity; what is counted for no file is counted there too.
 */
#define COMPONENTS 256
/* Bases are multiples of this, so that the kind fits below. */
#define FILE_KINDS 4
_Static_assert(IDENTITIES_MAX % FILE_KINDS == 0, "the first base is no multiple of the kinds");

/* Memory pressure, of each target alone and of the whole machine. */
#define FOR_EACH_PRESSURE_COUNTER(X)                                       \
	X(direct_reclaims)                                                 \
	/* Tasks that began a direct reclaim, each once in an interval. */ \
	X(direct_reclaim_tasks)                                            \
	X(memcg_reclaims)                                                  \
	X(reclaim_stall_ns)                                                \
	X(pages_scanned)                                                   \
	X(pages_reclaimed)

enum pressure_counter {
#define X(name) PRESSURE_##name,
	FOR_EACH_PRESSURE_COUNTER(X)
#undef X
	PRESSURE_COUNT
};

#define PRESSURE_SLOTS 8
struct pressure {
	unsigned long long value[PRESSURE_SLOTS];
};
_Static_assert(PRESSURE_COUNT <= PRESSURE_SLOTS, "the pressure counters outgrew their slots");

/* What hints did, by advice as posix_fadvise(2) numbers it but on s390; the last is any other
 * number. */
#define FOR_EACH_ADVICE(X) \
	X(normal) X(random) X(sequential) X(willneed) X(dontneed) X(noreuse) X(invalid)

enum advice {
#define X(name) ADVICE_##name,
	FOR_EACH_ADVICE(X)
#undef X
	ADVICE_COUNT
};

#define FOR_EACH_HINT_COUNTER(X)                       \
	X(calls)                                       \
	X(errors)                                      \
	/* That succeeded and moved no page. */        \
	X(calls_without_effect)                        \
	X(pages_asked)                                 \
	/* Dropped by DONTNEED, loaded by WILLNEED. */ \
	X(pages_affected)                              \
	X(pages_refaulted)                             \
	X(pages_used)                                  \
	X(pages_late)                                  \
	X(pages_wasted)

enum hint_counter {
#define X(name) HINT_##name,
	FOR_EACH_HINT_COUNTER(X)
#undef X
	HINT_COUNT
};

#define HINT_SLOTS 16
struct hints {
	unsigned long long value[HINT_SLOTS];
};
_Static_assert(HINT_COUNT <= HINT_SLOTS, "the hint counters outgrew their slots");

/* How long reads took: by whether all their pages were in memory when they came. */
#define FOR_EACH_READ_OUTCOME(X) X(hit) X(missed)

enum read_outcome {
#define X(name) READ_##name,
	FOR_EACH_READ_OUTCOME(X)
#undef X
	READ_OUTCOMES
};

/*
 * Bucket i counts what took more than 2^(i-1) and at most 2^i microseconds, the first all up to 1,
 * the last (from 67 s on) all beyond; behind them the sum.
 */
#define LATENCY_BUCKETS 28
#define LATENCY_SUM_NS	LATENCY_BUCKETS
#define LATENCY_VALUES	(LATENCY_BUCKETS + 1)
#define LATENCY_SLOTS	32
struct latency {
	unsigned long long value[LATENCY_SLOTS];
};
_Static_assert(LATENCY_VALUES <= LATENCY_SLOTS, "the latency buckets outgrew their slots");

/* Pressure array: [cpu][scope]; the scopes are the identities, then the machine. */
#define SCOPE_NODE  IDENTITIES_MAX
#define SCOPE_COUNT (IDENTITIES_MAX + 1)

/* Processes that may be counted at a time, and devices that their data directories are on. */
#define TARGETS_MAX 32
#define DEVICES_MAX 8
#define COMM_BYTES  16

/*
 * A counted process in one word, so that it is taken and freed at once: its tgid, which has 22 bits
 * (include/linux/threads.h, PID_MAX_LIMIT), and above it its identity + 1. A free slot is 0.
 */
#define SLOT_TGID_BITS		24
#define SLOT_TGID(slot)		((slot) & ((1u << SLOT_TGID_BITS) - 1))
#define SLOT_OF(tgid, identity) ((tgid) | ((identity) + 1u) << SLOT_TGID_BITS)

/* Where the slot of a process is found at once: 2^32 / golden ratio spreads numbers at any distance
 * (Knuth, The Art of Computer Programming 3, 6.4). */
#define PLACES	       256
#define PLACE_OF(tgid) ((unsigned int)(tgid)*0x9e3779b1u >> 24)
#define PLACE_SHARED   (TARGETS_MAX + 1)
/* What a place says is in its lowest bits. The others count its changes, so that user space, which
 * sets a place by what it saw before, never undoes what a program has said meanwhile. */
#define PLACE_SLOT   0xff
#define PLACE_CHANGE 0x100

/* Who is counted from his execve on: the first entry that matches says under which identity. */
struct exec_entry {
	/* Of the process, or of one of the cgroups above its own; 0: any. */
	unsigned long long cgroup;
	/* Name as its threads have it right after execve; empty: any. */
	char name[COMM_BYTES];
	unsigned int identity;
	unsigned int reserved;
};
#define EXEC_ENTRIES_MAX 16

/* The self-test: who reads, and what was seen of preemption while a program ran. */
struct self_test {
	unsigned int tgid;
	unsigned int result;
};

enum self_test_result {
	SELF_TEST_NOT_RUN,
	SELF_TEST_UNKNOWN,
	SELF_TEST_ON,
	SELF_TEST_OFF
};

/* Earlier than any time that a program tells. */
#define TAKEN_BY_USER_SPACE 1

/*
 * What user space tells the programs, and they each other; in mapped memory. A slot is taken by
 * user space or, the moment the target is executed, by a program; it is freed by user space or when
 * the process ends.
 */
struct control {
	/* Of pinned programs, and therefore in the same place in every layout: monotonic time from
	 * which on they do not count, for nobody reads them; and the generation that counts. */
	unsigned long long deadline_ns;
	unsigned int generation;
	/* Whether the deadline had passed when it was last looked at, and when that was. */
	unsigned int orphaned;
	unsigned int looked;
	/* Raised when directories are added: files of unknown component are looked at again. */
	unsigned int epoch;
	/* Raised once a tick: tells the intervals of distinct tasks apart. */
	unsigned int interval;
	/* Whether a hint of the target has ever dropped or loaded a page: else nobody looks for
	 * marks. */
	unsigned int dropping;
	unsigned int prefetching;
	unsigned int exec_count;
	unsigned int device_count;
	/* Whether the classic tracepoints count, instead of the raw ones. */
	unsigned int count_records;
	/* Whether a read is seen at its end, and not before. */
	unsigned int sees_ends;
	/* Raised whenever reads begin to be timed. */
	unsigned int timing;
	/* Where on its stack a thread's user registers are; 0: not known yet. */
	unsigned int regs_offset;
	/* Raised with every execve, and when a target ends: user space looks again. */
	unsigned int process_changes;
	unsigned int device[DEVICES_MAX];
	struct exec_entry exec[EXEC_ENTRIES_MAX];
	/* By PLACE_OF(tgid): 1 + the only slot that such a process may have, PLACE_SHARED where it
	 * may have any of them, or 0: none. */
	unsigned int place[PLACES];
	unsigned int slot[TARGETS_MAX];
	/* Monotonic time at which a program took the slot, TAKEN_BY_USER_SPACE, or 0: the slot is
	 * free, or taken this moment by a program that has not yet said so here. */
	unsigned long long taken_ns[TARGETS_MAX];
};
_Static_assert(sizeof(struct control) ==
		       64 + 4 * DEVICES_MAX + 32 * EXEC_ENTRIES_MAX + 4 * PLACES + 12 * TARGETS_MAX,
	       "struct control has a hole");

/* Fixed when the programs are loaded: the verifier removes what it switches off. */
struct settings {
	/* Of these programs; 0: they are not pinned, and count as long as they live. */
	unsigned int generation;
	/* Of a page: 12 for 4 KiB. Only used where a kernel may have another one. */
	unsigned int page_shift;
};

/* A directory of a target; dev as the kernel encodes it (major << 20 | minor). */
struct directory_key {
	unsigned long long ino;
	unsigned int dev;
	unsigned int reserved;
};
#define DIRECTORIES_MAX 1024

/* What its files are. */
struct directory_class {
	/* Component of its files of kind 0. */
	unsigned short base;
	unsigned short identity;
};

/* Names that tell the kind of a file: a tag, then the name cut to what fits, zero-padded. */
#define NAME_BYTES	  32
#define NAME_IS_FILE	  'f'
#define NAME_IS_EXTENSION 'e'
#define NAME_IS_DIRECTORY 'd'
struct name_key {
	char text[NAME_BYTES];
};
#define NAMES_MAX 128

/* A file; the generation tells two files apart that got the same number one after the other. */
struct inode_key {
	unsigned long long ino;
	unsigned int dev;
	unsigned int generation;
};

struct inode_class {
	unsigned short component;
	/* Whether the component was found; else `epoch` says when it was last looked for. */
	unsigned char found;
	/* Whose file it is; of an unknown file, who touched it first. */
	unsigned char identity;
	unsigned int epoch;
};

/* __NEW_UTS_LEN of include/uapi/linux/utsname.h; a longer name is cut by one byte, for the zero. */
#define HOST_NAME_BYTES 64

/* One process as the task iterator shows it. */
struct task_record {
	/* Process id in the pid namespace of the reader. */
	unsigned int pid;
	/* Process id in the initial pid namespace: what the events are compared with. */
	unsigned int tgid;
	/* Boot-based start time of the group leader in ns: tells two lives of one pid apart. */
	unsigned long long start_time_ns;
	/* Its cgroup and the one above, by their kernfs id; 0 where there is none. Of the hierarchy
	 * that the memory controller is in. */
	unsigned long long cgroup;
	unsigned long long parent_cgroup;
	char comm[COMM_BYTES];
	/* As uname(2) tells it to the process. */
	char host_name[HOST_NAME_BYTES];
};
_Static_assert(sizeof(struct task_record) == 112, "struct task_record has a hole");

/* Files whose class is remembered; a bounded LRU, about 100 bytes each. */
#define INODES_MAX 16384

/* Direct-mapped cache in front of it: slots for each CPU. */
#define INODE_CACHE_SLOTS 64

#ifdef __cplusplus
#undef _Static_assert
#endif

#endif /* PAGE_CACHE_H */
