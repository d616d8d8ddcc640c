// SPDX-License-Identifier: Apache-2.0
/*
 * All programs in one object, each optional. Nothing leaves the kernel per event: user space maps
 * the counters.
 *
 *   reads      mm_filemap_add_to_page_cache: what the target brings in; mm_filemap_get_pages, or
 * filemap_read where the kernel has no such tracepoint: what it asks for evictions
 * mm_filemap_delete_from_page_cache: what leaves, by cause targets    sched_process_exec,
 * sched_process_exit, iter/task: which processes are counted pressure   mm_vmscan_*: who has to
 * free memory
 */
#include "direct.bpf.h"
#include "evictions.bpf.h"
#include "pressure.bpf.h"
#include "reads_filemap.bpf.h"
#include "reads_tracing.bpf.h"
#include "targets.bpf.h"

char LICENSE[] SEC("license") = "GPL";
