/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What differs between kernels, decided from the running kernel's BTF when the object is loaded.
 * Each flavour names the change that made it necessary.
 */
#ifndef COMPAT_BPF_H
#define COMPAT_BPF_H

#include "kernel_types.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

/* 6.18: folio->flags became a struct (memdesc_flags_t). */
struct memdesc_flags___new {
	unsigned long f;
};
struct folio___flags_struct {
	struct memdesc_flags___new flags;
};
struct folio___flags_word {
	unsigned long flags;
};

/* Number of pages of a large folio on 64 bit: _folio_nr_pages from 6.6 on, _nr_pages since 6.15. */
struct folio___nr_pages {
	unsigned int _nr_pages;
};
struct folio___folio_nr_pages {
	unsigned int _folio_nr_pages;
};

/* Before that the order: _folio_order from 5.19 on, compound_order of the second page in 5.x. */
struct folio___folio_order {
	unsigned char _folio_order;
};

/* 5.16: the page cache consists of folios; before, its tracepoints give pages. */
struct page___cache {
	struct address_space *mapping;
	unsigned long index;
	unsigned long flags;
	unsigned char compound_order;
};

/* 7.2: d_alias moved from the named union d_u into an anonymous one. */
struct dentry___anonymous {
	struct hlist_node d_alias;
};
union dentry_u___named {
	struct hlist_node d_alias;
};
struct dentry___named {
	union dentry_u___named d_u;
};

#pragma clang attribute pop

/* include/linux/page-flags.h; the value is the running kernel's. */
enum pageflags {
	PG_head = 0
};

static __always_inline bool folio_is_large(const void *folio)
{
	u64 flags = 0;

	if (!bpf_core_type_exists(struct folio))
		bpf_probe_read_kernel(&flags, sizeof(flags),
				      folio + bpf_core_field_offset(struct page___cache, flags));
	else if (bpf_core_field_exists(struct folio___flags_struct, flags.f))
		bpf_probe_read_kernel(&flags, sizeof(flags),
				      folio + bpf_core_field_offset(struct folio___flags_struct,
								    flags.f));
	else
		bpf_probe_read_kernel(&flags, sizeof(flags),
				      folio + bpf_core_field_offset(struct folio___flags_word,
								    flags));
	return flags & (1ull << bpf_core_enum_value(enum pageflags, PG_head));
}

/* Pages of a folio. A small folio has no second page, so the count may be read only where PG_head
 * is set. */
static __always_inline u64 folio_pages(const void *folio)
{
	u32 pages = 1;
	u8 order = 0;

	if (!folio_is_large(folio))
		return 1;
	if (bpf_core_field_exists(struct folio___nr_pages, _nr_pages)) {
		bpf_probe_read_kernel(&pages, sizeof(pages),
				      folio + bpf_core_field_offset(struct folio___nr_pages,
								    _nr_pages));
	} else if (bpf_core_field_exists(struct folio___folio_nr_pages, _folio_nr_pages)) {
		bpf_probe_read_kernel(&pages, sizeof(pages),
				      folio + bpf_core_field_offset(struct folio___folio_nr_pages,
								    _folio_nr_pages));
	} else {
		if (bpf_core_field_exists(struct folio___folio_order, _folio_order))
			folio += bpf_core_field_offset(struct folio___folio_order, _folio_order);
		else
			folio += bpf_core_type_size(struct page) +
				 bpf_core_field_offset(struct page___cache, compound_order);
		bpf_probe_read_kernel(&order, sizeof(order), folio);
		pages = 1u << (order & 31);
	}
	return pages;
}

static __always_inline struct address_space *folio_mapping(const void *folio)
{
	struct address_space *mapping = NULL;
	u32 offset = bpf_core_type_exists(struct folio)
			     ? bpf_core_field_offset(struct folio, mapping)
			     : bpf_core_field_offset(struct page___cache, mapping);

	bpf_probe_read_kernel(&mapping, sizeof(mapping), folio + offset);
	return mapping;
}

static __always_inline u64 folio_index(const void *folio)
{
	u64 index = 0;
	u32 offset = bpf_core_type_exists(struct folio)
			     ? bpf_core_field_offset(struct folio, index)
			     : bpf_core_field_offset(struct page___cache, index);

	bpf_probe_read_kernel(&index, sizeof(index), folio + offset);
	return index;
}

/* Where in a dentry the node is by which its inode lists it. */
static __always_inline u32 dentry_alias_offset(void)
{
	if (bpf_core_field_exists(struct dentry___anonymous, d_alias))
		return bpf_core_field_offset(struct dentry___anonymous, d_alias);
	return bpf_core_field_offset(struct dentry___named, d_u.d_alias);
}

#endif /* COMPAT_BPF_H */
