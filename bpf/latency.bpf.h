/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long the target's reads take, apart for those that found all their pages in memory and those
 * that brought some. It takes two hooks on the way of a read, so these programs are attached for a
 * part of the time only; a read that one of them did not see is a sample less, and no count is
 * wrong for it.
 */
#ifndef LATENCY_BPF_H
#define LATENCY_BPF_H

#include "files.bpf.h"
#include "kernel_types.h"
#include "maps.bpf.h"
#include "syscalls.bpf.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

/* include/uapi/linux/magic.h */
#define TMPFS_MAGIC 0x01021994
/* include/uapi/asm-generic/fcntl.h; arch/arm64/include/uapi/asm/fcntl.h */
#ifdef __TARGET_ARCH_arm64
#define O_DIRECT 0200000
#else
#define O_DIRECT 040000
#endif

/* [cpu][identity][outcome], mapped by user space. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, PER_CPU(IDENTITIES_MAX *READ_OUTCOMES));
	__type(key, u32);
	__type(value, struct latency);
} latencies SEC(".maps");

static __always_inline u32 bucket_of(u64 ns)
{
	u64 us = (ns + 999) / 1000;
	/* The bits of what is below the bound: ceil(log2(us)). */
	u64 rest = us ? us - 1 : 0;
	u32 bits = 0;

	if (rest >> LATENCY_BUCKETS)
		return LATENCY_BUCKETS - 1;
#pragma unroll
	for (u32 step = 16; step; step >>= 1) {
		if (rest >> step) {
			rest >>= step;
			bits += step;
		}
	}
	return MIN(bits + (u32)rest, LATENCY_BUCKETS - 1);
}

/* @timed: whether it may be a read of pages; else what was begun before is forgotten */
static __always_inline void begin_read(bool timed)
{
	struct thread_state *thread = THREAD_STATE(threads, current_task(), true);

	if (!thread)
		return;
	thread->read_missed = 0;
	thread->read_timing = control.timing;
	thread->read_begin_ns = timed ? bpf_ktime_get_ns() : 0;
}

static __always_inline void end_read(u32 identity, bool counts)
{
	u64 end_ns = bpf_ktime_get_ns();
	struct thread_state *thread = THREAD_STATE(threads, current_task(), false);

	if (!thread || !thread->read_begin_ns)
		return;

	u64 ns = end_ns - thread->read_begin_ns;
	u32 outcome = thread->read_missed ? READ_missed : READ_hit;

	thread->read_begin_ns = 0;
	/* Its begin may be from an earlier time at which these programs were attached. */
	if (!counts || thread->read_timing != control.timing)
		return;

	u32 row = bpf_get_smp_processor_id() * IDENTITIES_MAX + (identity & (IDENTITIES_MAX - 1));
	u32 key = row * READ_OUTCOMES + outcome;
	struct latency *latency = bpf_map_lookup_elem(&latencies, &key);

	if (!latency)
		return;
	__sync_fetch_and_add(&latency->value[bucket_of(ns)], 1);
	__sync_fetch_and_add(&latency->value[LATENCY_SUM_NS], ns);
}

/*
 * Calls that read for the caller alone: each is one read, and what it misses is known as it is
 * added. A copy comes here once for each portion, and a read of io_uring that misses comes twice:
 * the second time it finds what it waited for elsewhere.
 * @already: bytes that O_DIRECT has read before, past the page cache
 */
static __always_inline int on_read_begin(struct kiocb *iocb, long already)
{
	if (!target_identity(current_tgid()))
		return 0;

	u16 mode = BPF_CORE_READ(iocb, ki_filp, f_mapping, host, i_mode);

	begin_read(!already && (mode & S_IFMT) == S_IFREG &&
		   is_plain_read(syscall_nr(current_task())));
	return 0;
}

static __always_inline int on_read_end(long result)
{
	u32 target = target_identity(current_tgid());

	if (target)
		end_read(target - 1, result > 0);
	return 0;
}

SEC("fentry/filemap_read")
int time_read_fentry(u64 *ctx)
{
	return on_read_begin((struct kiocb *)ctx[0], ctx[2]);
}

SEC("fexit/filemap_read")
int time_read_fexit(u64 *ctx)
{
	return on_read_end(ctx[3]);
}

SEC("kprobe/filemap_read")
int time_read_kprobe(struct pt_regs *ctx)
{
	return on_read_begin((struct kiocb *)ctx->REG_PARAM1, ctx->REG_PARAM3);
}

SEC("kretprobe/filemap_read")
int time_read_kretprobe(struct pt_regs *ctx)
{
	return on_read_end(ctx->REG_RESULT);
}

/*
 * The same before 5.12. No trampoline there: a program that was detached from one could not be
 * attached again (until 5.13, commit f3a95075549e).
 */
SEC("kprobe/generic_file_buffered_read")
int time_buffered_read_kprobe(struct pt_regs *ctx)
{
	return on_read_begin((struct kiocb *)ctx->REG_PARAM1, ctx->REG_PARAM3);
}

SEC("kretprobe/generic_file_buffered_read")
int time_buffered_read_kretprobe(struct pt_regs *ctx)
{
	return on_read_end(ctx->REG_RESULT);
}

/* Whether a read of the file goes through the page cache and is counted; it has just been read. */
static __always_inline bool is_read_by_pages(struct file *file)
{
	struct address_space *mapping = BPF_CORE_READ(file, f_mapping);
	u64 magic = BPF_CORE_READ(mapping, host, i_sb, s_magic);

	if ((BPF_CORE_READ(mapping, host, i_mode) & S_IFMT) != S_IFREG ||
	    BPF_CORE_READ(file, f_flags) & O_DIRECT)
		return false;
	/* Its pages are those of another file. */
	if (magic == OVERLAYFS_SUPER_MAGIC)
		return true;
	return magic != TMPFS_MAGIC && BPF_CORE_READ(mapping, nrpages);
}

/* (registers, number): where there are neither trampolines nor kprobes. */
SEC("tp_btf/sys_enter")
int time_read_sys_enter(u64 *ctx)
{
	if (is_plain_read(ctx[1]) && target_identity(current_tgid()))
		begin_read(true);
	return 0;
}

/* (registers, result) */
SEC("tp_btf/sys_exit")
int time_read_sys_exit(u64 *ctx)
{
	struct pt_regs *regs = (struct pt_regs *)ctx[0];
	u32 target = is_plain_read(regs->REG_SYSCALL) ? target_identity(current_tgid()) : 0;

	if (!target)
		return 0;

	struct file *file = (long)ctx[1] > 0 ? file_of(current_task(), regs->REG_ARG1) : NULL;

	end_read(target - 1, file && is_read_by_pages(file));
	return 0;
}

#endif /* LATENCY_BPF_H */
