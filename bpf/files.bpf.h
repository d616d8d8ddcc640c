/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which component a file belongs to. The kernel knows no names of ours: user space has filled in
 * directories and names, and at the first sight of a file its directories are walked upwards until
 * a known one is met. The answer is remembered, about 1 us once for each file.
 */
#ifndef FILES_BPF_H
#define FILES_BPF_H

#include "compat.bpf.h"
#include "kernel_types.h"
#include "maps.bpf.h"
#include "syscalls.bpf.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

/* A cached file is looked up in the LRU this often, lest the LRU takes a hot file for an unused
 * one. */
#define INODE_REFRESH_USES 256
/* <root>/<catalog>/data/<group>/seg-N/shard-N/sidx/<rule>/<part>/<file>: 9 levels below the root.
 */
#define DIRECTORY_LEVELS_MAX 12

/* An inode key in two numbers: its ino, and this. */
static __always_inline u64 inode_tail(const struct inode_key *key)
{
	return (u64)key->dev << 32 | key->generation;
}

static __always_inline struct inode_key key_of(u64 ino, u64 dev_and_generation)
{
	return (struct inode_key){
		.ino = ino,
		.dev = dev_and_generation >> 32,
		.generation = dev_and_generation,
	};
}

/* Identity of a file; false for block devices and the like. */
static __always_inline bool regular_file(struct inode *inode, struct inode_key *key)
{
	if ((BPF_CORE_READ(inode, i_mode) & S_IFMT) != S_IFREG)
		return false;
	key->ino = BPF_CORE_READ(inode, i_ino);
	key->dev = BPF_CORE_READ(inode, i_sb, s_dev);
	key->generation = BPF_CORE_READ(inode, i_generation);
	return true;
}

/*
 * Whether an inode is a file that somebody can open. What a file system keeps in pages of an inode
 * of its own has no name: ext4 has its bitmaps of free blocks there (ext4_mb_init_backend).
 */
static __always_inline bool has_name(struct inode *inode)
{
	return BPF_CORE_READ(inode, i_dentry.first) != NULL;
}

static __always_inline bool on_known_device(u32 dev)
{
	for (u32 i = 0; i < DEVICES_MAX; i++) {
		if (i >= control.device_count)
			return false;
		if (control.device[i] == dev)
			return true;
	}
	return false;
}

static __always_inline u32 *kind_by_name(char tag, const void *name)
{
	struct name_key key = { .text = { tag } };

	bpf_probe_read_kernel_str(key.text + 1, sizeof(key.text) - 1, name);
	return bpf_map_lookup_elem(&names, &key);
}

/* Kind by the whole name of a file, else by what follows its last dot. */
static __always_inline u32 *kind_of_file(const void *name)
{
	struct name_key key = { .text = { NAME_IS_FILE } };
	u32 *kind, dot = 0;

	bpf_probe_read_kernel_str(key.text + 1, sizeof(key.text) - 1, name);
	kind = bpf_map_lookup_elem(&names, &key);
	if (kind)
		return kind;
		/* Without a branch, which would double the work of the verifier each time. */
#pragma unroll
	for (u32 i = 1; i < NAME_BYTES; i++) {
		/* 1 or 0. */
		u32 differs = ((u8)(key.text[i] ^ '.') + 255u) >> 8;

		dot += (i - dot) * (1 - differs);
	}
	return dot ? kind_by_name(NAME_IS_EXTENSION, name + dot) : NULL;
}

/* A class as one number, which is what a function of its own can return. */
union class_word {
	struct inode_class class;
	u64 word;
};

/*
 * Looks for the file's component; not found is an answer too, until the directories change.
 * @identity: whose file it is where that does not tell
 */
__noinline u64 resolve(u64 inode, u32 dev, u32 identity)
{
	union class_word found = {
		.class = { .component = identity, .identity = identity, .epoch = control.epoch }
	};
	const void *alias = BPF_CORE_READ((struct inode *)inode, i_dentry.first);
	struct directory_class *known;
	u32 *kind, kind_value = 0;
	bool by_directory = false;

	if (!alias || !on_known_device(dev))
		return found.word;

	struct dentry *dentry = (struct dentry *)(alias - dentry_alias_offset());

	kind = kind_of_file(BPF_CORE_READ(dentry, d_name.name));
	if (kind)
		kind_value = *kind;
	for (u32 i = 0; i < DIRECTORY_LEVELS_MAX; i++) {
		struct dentry *parent = BPF_CORE_READ(dentry, d_parent);

		if (!parent || parent == dentry)
			break;
		dentry = parent;

		struct directory_key key = { .ino = BPF_CORE_READ(dentry, d_inode, i_ino),
					     .dev = dev };

		known = bpf_map_lookup_elem(&directories, &key);
		if (known) {
			found.class.component = known->base + (kind_value & (FILE_KINDS - 1));
			found.class.identity = known->identity;
			found.class.found = true;
			break;
		}
		/* A directory's name says more than that of the file: sidx/0001/primary.bin is an
		 * index. */
		kind = by_directory ? NULL
				    : kind_by_name(NAME_IS_DIRECTORY,
						   BPF_CORE_READ(dentry, d_name.name));
		if (kind) {
			kind_value = *kind;
			by_directory = true;
		}
	}
	return found.word;
}

static __always_inline bool is_current(const struct inode_class *class)
{
	return class->found || class->epoch == control.epoch;
}

/* Class of a file that a target touches; a file seen for the first time is remembered. */
__noinline u64 find_class(u64 inode, u64 ino, u64 dev_and_generation, u32 identity)
{
	struct inode_key key = key_of(ino, dev_and_generation);
	struct inode_class *known = bpf_map_lookup_elem(&inodes, &key);
	union class_word class;

	if (known) {
		class.class = *known;
		if (is_current(&class.class))
			return class.word;
		identity = class.class.identity;
	}
	class.word = resolve(inode, key.dev, identity);
	bpf_map_update_elem(&inodes, &key, &class, BPF_ANY);
	return class.word;
}

static __always_inline struct inode_class class_in_lru(struct inode *inode,
						       const struct inode_key *key, u32 identity)
{
	union class_word class = { .word = find_class(address_of(inode), key->ino, inode_tail(key),
						      identity) };

	return class.class;
}

static __always_inline struct inode_class class_of(struct inode *inode, const struct inode_key *key,
						   u32 identity)
{
	u32 index = bpf_get_smp_processor_id() * INODE_CACHE_SLOTS +
		    (key->ino & (INODE_CACHE_SLOTS - 1));
	struct inode_slot *slot = bpf_map_lookup_elem(&inode_cache, &index);

	if (!slot)
		return class_in_lru(inode, key, identity);
	if (slot->key.ino == key->ino && slot->key.generation == key->generation &&
	    slot->key.dev == key->dev && is_current(&slot->class) &&
	    ++slot->uses % INODE_REFRESH_USES)
		return slot->class;

	struct inode_class class = class_in_lru(inode, key, identity);

	/* Invalid while it changes, for whoever interrupts this program on its CPU. */
	slot->key.ino = 0;
	barrier();
	slot->key.generation = key->generation;
	slot->key.dev = key->dev;
	slot->class = class;
	slot->uses = 0;
	barrier();
	slot->key.ino = key->ino;
	return class;
}

/*
 * Where a target's own doing is counted: under the component of its file; under its unknown files
 * where the file is not its own.
 */
static __always_inline u32 component_for(struct inode_class class, u32 identity)
{
	return class.identity == identity ? class.component : identity;
}

/*
 * Class of a file whose pages leave, which concerns every file of the machine: false for one that
 * is neither remembered nor in a directory of a target.
 */
static __always_inline bool class_if_ours(struct inode *inode, const struct inode_key *key,
					  struct inode_class *class)
{
	struct inode_class *known = bpf_map_lookup_elem(&inodes, key);

	if (known) {
		*class = is_current(known) ? *known : class_in_lru(inode, key, known->identity);
		return true;
	}
	if (!on_known_device(key->dev))
		return false;

	union class_word found = { .word = resolve(address_of(inode), key->dev, 0) };

	*class = found.class;
	return class->found;
}

#endif /* FILES_BPF_H */
