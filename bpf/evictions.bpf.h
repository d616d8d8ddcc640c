/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pages that leave the page cache. An eviction belongs to a target because of the file, whoever
 * runs the reclaim or removes the file.
 */
#ifndef EVICTIONS_BPF_H
#define EVICTIONS_BPF_H

#include "compat.bpf.h"
#include "files.bpf.h"
#include "hints.bpf.h"
#include "kernel_types.h"
#include "maps.bpf.h"
#include "syscalls.bpf.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

/* Sees every deletion of the machine; those of other files leave at the lookup. */
SEC("tp_btf/mm_filemap_delete_from_page_cache")
int on_delete(u64 *ctx)
{
	void *folio = (void *)ctx[0];
	struct inode *inode = BPF_CORE_READ(folio_mapping(folio), host);
	struct inode_key key = {};

	if (!regular_file(inode, &key))
		return 0;
	struct inode_class class;

	if (!class_if_ours(inode, &key, &class) || !is_counting())
		return 0;
	struct counters *c = counters_of(class.component);
	if (!c)
		return 0;

	struct task_struct *task = current_task();
	u32 target = target_identity(current_tgid());
	u64 pages = folio_pages(folio);

	u32 flags = TASK_READ(task, flags);
	u64 index = folio_index(folio);

	hints_at_eviction(class.identity, &key, index, pages);
	if (flags & PF_KSWAPD) {
		ADD(c, pages_evicted_kswapd, pages);
	} else if (flags & PF_MEMALLOC) {
		if (target == class.identity + 1u)
			ADD(c, pages_evicted_direct, pages);
		else
			ADD(c, pages_evicted_foreign, pages);
	} else {
		long nr = syscall_nr(task);

		if (is_hint(nr)) {
			ADD(c, pages_evicted_hint, pages);
			if (target)
				hint_dropped(key.ino, inode_tail(&key), index, pages, target - 1);
		} else if (is_truncation(nr) || BPF_CORE_READ(inode, i_nlink) == 0) {
			ADD(c, pages_evicted_truncate, pages);
		} else {
			ADD(c, pages_evicted_other, pages);
		}
	}
	return 0;
}

#endif /* EVICTIONS_BPF_H */
