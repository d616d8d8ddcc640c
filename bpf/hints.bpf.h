/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What became of the pages that the target's own hints moved: dropped by DONTNEED and needed again
 * soon (the hint hurt), loaded by WILLNEED and used, evicted unused (wasted), or asked for and yet
 * missed (late). One bit per page in bounded maps of 512-page chunks; the kernel itself cannot
 * tell, for DONTNEED leaves no trace in it.
 */
#ifndef HINTS_BPF_H
#define HINTS_BPF_H

#include "deferred.bpf.h"
#include "kernel_types.h"
#include "maps.bpf.h"
#include "syscalls.bpf.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#define CHUNK_SHIFT 9
#define CHUNK_PAGES (1u << CHUNK_SHIFT)
#define CHUNK_WORDS (CHUNK_PAGES / 64)
/* A page that is needed again within this time was dropped too early. */
#define REFAULT_WINDOW_NS (60ull * 1000000000)
/* A read is looked at in as many chunks: 8 MiB. */
#define READ_CHUNKS_MAX 4

struct chunk_key {
	struct inode_key inode;
	u64 chunk;
};

struct chunk {
	u64 word[CHUNK_WORDS];
	u64 time_ns;
};

#define CHUNKS_MAX 4096

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, CHUNKS_MAX);
	__type(key, struct chunk_key);
	__type(value, struct chunk);
} dropped SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, CHUNKS_MAX);
	__type(key, struct chunk_key);
	__type(value, struct chunk);
} prefetched SEC(".maps");

/* The range of the latest WILLNEED of a file: the kernel loads only the beginning of a long one. */
struct asked_range {
	u64 begin;
	u64 end;
	u64 time_ns;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, struct inode_key);
	__type(value, struct asked_range);
} asked SEC(".maps");

/* [cpu][identity][advice], mapped by user space. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, PER_CPU(IDENTITIES_MAX *ADVICE_COUNT));
	__type(key, u32);
	__type(value, struct hints);
} hints SEC(".maps");

#define ADD_HINT(record, name, n) __sync_fetch_and_add(&(record)->value[HINT_##name], (n))

static __always_inline struct hints *hints_of(u32 identity, u32 advice)
{
	u32 row = bpf_get_smp_processor_id() * IDENTITIES_MAX + (identity & (IDENTITIES_MAX - 1));
	u32 key = row * ADVICE_COUNT + advice;

	return bpf_map_lookup_elem(&hints, &key);
}

/* Advice of the running hint as fadvise(2) numbers it; -1 for those that are no such advice. */
static __always_inline int running_advice(struct task_struct *task, long nr)
{
	struct pt_regs *regs = user_regs(task);

	switch (nr) {
	case NR_fadvise64:
		return REGS_READ(regs, REG_ARG4) < ADVICE_invalid ? (int)REGS_READ(regs, REG_ARG4)
								  : -1;
	case NR_readahead:
		return ADVICE_willneed;
	case NR_madvise:
		/* include/uapi/asm-generic/mman-common.h: MADV_WILLNEED; the others move no file
		 * pages at once. */
		return REGS_READ(regs, REG_ARG3) == ADVICE_willneed ? ADVICE_willneed : -1;
	}
	return -1;
}

/* Bits of one word of a chunk that the pages [first, last] of the chunk cover. Its branches would
 * multiply those of the loops. */
__noinline u64 word_mask(u32 word, u32 first, u32 last)
{
	u32 begin = word * 64;
	u64 mask = ~0ull;

	if (last < begin || first > begin + 63)
		return 0;
	if (first > begin)
		mask &= ~0ull << ((first - begin) & 63);
	if (last < begin + 63)
		mask &= ~0ull >> ((63 - (last - begin)) & 63);
	return mask;
}

static __always_inline u64 popcount(u64 x)
{
	x -= x >> 1 & 0x5555555555555555ull;
	x = (x & 0x3333333333333333ull) + (x >> 2 & 0x3333333333333333ull);
	x = (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0full;
	return x * 0x0101010101010101ull >> 56;
}

static const struct chunk empty_chunk;

/* Marks the pages of a folio, which never crosses a chunk: folios are aligned to their size. */
static __always_inline void mark(void *map, const struct inode_key *inode, u64 index, u64 pages)
{
	struct chunk_key key = { .inode = *inode, .chunk = index >> CHUNK_SHIFT };
	u32 first = index & (CHUNK_PAGES - 1);
	u32 last = MIN(first + pages, CHUNK_PAGES) - 1;
	struct chunk *chunk = bpf_map_lookup_elem(map, &key);

	if (!chunk) {
		bpf_map_update_elem(map, &key, &empty_chunk, BPF_NOEXIST);
		chunk = bpf_map_lookup_elem(map, &key);
		if (!chunk)
			return;
	}
	chunk->time_ns = bpf_ktime_get_ns();
	for (u32 i = 0; i < CHUNK_WORDS; i++)
		chunk->word[i] |= word_mask(i, first, last);
}

/* Clears the marks of the pages [first, last] of one chunk and says how many there were; 0 where
 * they are old. */
static __always_inline u64 take_marks(void *map, const struct inode_key *inode, u64 index, u64 last,
				      u64 window_ns)
{
	struct chunk_key key = { .inode = *inode, .chunk = index >> CHUNK_SHIFT };
	struct chunk *chunk = bpf_map_lookup_elem(map, &key);
	u64 taken = 0, chunk_end = (key.chunk + 1) << CHUNK_SHIFT;

	if (!chunk)
		return 0;

	u32 begin = index & (CHUNK_PAGES - 1);
	u32 end = MIN(last, chunk_end - 1) & (CHUNK_PAGES - 1);

	for (u32 i = 0; i < CHUNK_WORDS; i++) {
		u64 bits = chunk->word[i] & word_mask(i, begin, end);

		taken += popcount(bits);
		chunk->word[i] &= ~bits;
	}
	if (window_ns && bpf_ktime_get_ns() - chunk->time_ns > window_ns)
		return 0;
	return taken;
}

/* What the call did is asked for at its end (hint_calls.bpf.h). */
static __always_inline void remember_effect(struct task_struct *task, long nr, u64 pages)
{
	struct thread_state *thread = nr == NR_fadvise64 ? THREAD_STATE(threads, task, true) : NULL;

	if (thread)
		thread->hint_pages += pages;
}

/* A target's WILLNEED has loaded pages. */
__noinline int hint_loaded(u64 ino, u64 dev_and_generation, u64 index, u64 pages, u32 identity)
{
	struct inode_key inode = key_of(ino, dev_and_generation);
	struct task_struct *task = current_task();
	long nr = syscall_nr(task);
	struct hints *h = hints_of(identity, ADVICE_willneed);

	if (!h || running_advice(task, nr) != ADVICE_willneed)
		return 0;
	ADD_HINT(h, pages_affected, pages);
	remember_effect(task, nr, pages);
	mark(&prefetched, &inode, index, pages);
	if (nr == NR_fadvise64 || nr == NR_readahead) {
		struct pt_regs *regs = user_regs(task);
		u64 offset = REGS_READ(regs, REG_ARG2), length = REGS_READ(regs, REG_ARG3);
		struct asked_range range = {
			.begin = offset >> PAGE_SHIFT,
			/* Length 0 means to the end of the file. */
			.end = length ? (offset + length - 1) >> PAGE_SHIFT : ~0ull,
			.time_ns = bpf_ktime_get_ns(),
		};

		bpf_map_update_elem(&asked, &inode, &range, BPF_ANY);
	}
	control.prefetching = 1;
	return 0;
}

/* A target's DONTNEED has dropped pages. */
__noinline int hint_dropped(u64 ino, u64 dev_and_generation, u64 index, u64 pages, u32 identity)
{
	struct inode_key inode = key_of(ino, dev_and_generation);
	struct task_struct *task = current_task();
	long nr = syscall_nr(task);
	struct hints *h = hints_of(identity, ADVICE_dontneed);

	if (!h || running_advice(task, nr) != ADVICE_dontneed)
		return 0;
	ADD_HINT(h, pages_affected, pages);
	remember_effect(task, nr, pages);
	mark(&dropped, &inode, index, pages);
	/* What is dropped again is no longer asked for. */
	if (control.prefetching)
		bpf_map_delete_elem(&asked, &inode);
	control.dropping = 1;
	return 0;
}

/*
 * Pages [begin, end) were missed by a read or a fault. A function of its own, like others that are
 * rare: deferred.bpf.h says why.
 * @row: component and identity, as a part has them
 */
__noinline int look_for_hints(u64 ino, u64 dev_and_generation, u64 begin, u64 end, u32 row)
{
	struct inode_key inode = key_of(ino, dev_and_generation);
	u32 identity = row >> 16;

	if (control.dropping) {
		struct counters *c = counters_of(row & 0xffff);
		struct hints *h = hints_of(identity, ADVICE_dontneed);
		u64 pages = take_marks(&dropped, &inode, begin, end - 1, REFAULT_WINDOW_NS);

		if (pages && h && c) {
			ADD_HINT(h, pages_refaulted, pages);
			ADD(c, pages_refaulted, pages);
		}
	}
	if (control.prefetching) {
		struct hints *h = hints_of(identity, ADVICE_willneed);
		struct asked_range *range = bpf_map_lookup_elem(&asked, &inode);

		if (!h || !range || bpf_ktime_get_ns() - range->time_ns > REFAULT_WINDOW_NS)
			return 0;
		begin = MAX(begin, range->begin);
		end = MIN(end, range->end + (range->end != ~0ull));
		if (begin < end)
			ADD_HINT(h, pages_late, end - begin);
	}
	return 0;
}

static __always_inline void hints_at_miss(const struct subject *file, u64 begin, u64 end)
{
	if (control.dropping || control.prefetching)
		look_for_hints(file->inode.ino, inode_tail(&file->inode), begin, end,
			       (u32)file->identity << 16 | file->component);
}

__noinline int take_used(u64 ino, u64 dev_and_generation, u64 first, u64 last, u32 identity)
{
	struct inode_key inode = key_of(ino, dev_and_generation);
	struct hints *h = hints_of(identity, ADVICE_willneed);
	u64 used = 0;

	for (u32 i = 0; i < READ_CHUNKS_MAX; i++) {
		if (first > last)
			break;
		used += take_marks(&prefetched, &inode, first, last, 0);
		first = ((first >> CHUNK_SHIFT) + 1) << CHUNK_SHIFT;
	}
	if (h && used)
		ADD_HINT(h, pages_used, used);
	return 0;
}

/* Pages [first, last] were read: those that a WILLNEED had loaded were of use. */
static __always_inline void hints_at_read(const struct subject *file, u64 first, u64 last)
{
	if (control.prefetching)
		take_used(file->inode.ino, inode_tail(&file->inode), first, last, file->identity);
}

/* Pages of a folio have left: those that a WILLNEED had loaded and nobody read were wasted. */
__noinline int take_wasted(u64 ino, u64 dev_and_generation, u64 index, u64 pages, u32 identity)
{
	struct inode_key inode = key_of(ino, dev_and_generation);
	struct hints *h = hints_of(identity, ADVICE_willneed);
	u64 wasted = take_marks(&prefetched, &inode, index, index + pages - 1, 0);

	if (h && wasted)
		ADD_HINT(h, pages_wasted, wasted);
	return 0;
}

static __always_inline void hints_at_eviction(u32 identity, const struct inode_key *inode,
					      u64 index, u64 pages)
{
	if (control.prefetching)
		take_wasted(inode->ino, inode_tail(inode), index, pages, identity);
}

#endif /* HINTS_BPF_H */
