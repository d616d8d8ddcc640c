/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The few kernel types and members that the programs touch. Offsets are not taken from here: every
 * access is relocated against the running kernel's BTF when the object is loaded (CO-RE), so only
 * names and types matter. Flavours (___suffix) name the same kernel type at another age;
 * compat.bpf.h says when which holds.
 */
#ifndef KERNEL_TYPES_H
#define KERNEL_TYPES_H

#include "arch.bpf.h"
#include <linux/types.h>
#include <linux/bpf.h>
#include <stdbool.h>

typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;

#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct hlist_node {
	struct hlist_node *next;
};

struct hlist_head {
	struct hlist_node *first;
};

struct super_block {
	u32 s_dev;
	unsigned long s_magic;
};

struct address_space;

struct inode {
	u16 i_mode;
	u64 i_ino; /* unsigned long up to 7.0, u64 since */
	u32 i_generation;
	u32 i_nlink;
	long long i_size;
	struct super_block *i_sb;
	struct hlist_head i_dentry;
	struct address_space *i_mapping;
	u8 i_blkbits;
};

struct qstr {
	const unsigned char *name;
};

struct dentry {
	struct dentry *d_parent;
	struct qstr d_name;
	struct inode *d_inode;
};

struct address_space {
	struct inode *host;
	unsigned long nrpages;
};

struct folio {
	struct address_space *mapping;
	unsigned long index;
};

struct page {
	unsigned long flags;
};

struct file {
	unsigned int f_flags;
	long long f_pos;
	struct address_space *f_mapping;
	struct inode *f_inode;
	void *private_data;
};

/* Slots of a pipe: head - tail of max_usage are taken; one holds at most a page. */
struct pipe_inode_info {
	unsigned int head;
	unsigned int tail;
	unsigned int max_usage;
};

struct fdtable {
	unsigned int max_fds;
	struct file **fd;
};

struct files_struct {
	struct fdtable *fdt;
};

struct task_io_accounting {
	u64 syscr;
	u64 read_bytes;
	u64 write_bytes;
};

typedef struct {
	int counter;
} atomic_t;

struct signal_struct {
	atomic_t live;
	struct task_io_accounting ioac;
};

struct upid {
	int nr;
};

struct pid {
	unsigned int level;
	struct upid numbers[1];
};

struct kernfs_node {
	u64 id;
};

struct cgroup;

struct cgroup_subsys_state {
	struct cgroup *cgroup;
	struct cgroup_subsys_state *parent;
};

struct cgroup_root;

struct cgroup {
	struct cgroup_subsys_state self;
	struct kernfs_node *kn;
	struct cgroup_root *root;
};

/* The number of a controller differs from kernel to kernel. */
enum cgroup_subsys_id {
	memory_cgrp_id = 0,
	CGROUP_SUBSYS_COUNT = 64,
};

struct css_set {
	struct cgroup_subsys_state *subsys[CGROUP_SUBSYS_COUNT];
	struct cgroup *dfl_cgrp;
};

struct new_utsname {
	char nodename[65];
};

struct uts_namespace {
	struct new_utsname name;
};

struct nsproxy {
	struct uts_namespace *uts_ns;
};

struct task_struct {
	void *stack;
	unsigned int flags;
	int pid;
	int tgid;
	u64 start_boottime;
	struct pid *thread_pid;
	struct files_struct *files;
	struct nsproxy *nsproxy;
	struct css_set *cgroups;
	struct signal_struct *signal;
	struct task_struct *group_leader;
	struct task_io_accounting ioac;
	/* Of a worker of io_uring. */
	void *worker_private;
	char comm[16];
};

struct iovec {
	void *iov_base;
	u64 iov_len;
};

struct kiocb {
	struct file *ki_filp;
	long long ki_pos;
	/* NULL where the caller waits. */
	void *ki_complete;
};

struct iov_iter {
	u64 count;
};

/* Records of the classic tracepoints (include/trace/events/filemap.h); 7.1 moved i_ino and made it
 * u64. */
struct trace_event_raw_mm_filemap_op_page_cache {
	u64 i_ino;
	unsigned long index;
	u32 s_dev;
	unsigned char order;
};

struct trace_event_raw_mm_filemap_op_page_cache_range {
	u64 i_ino;
	u32 s_dev;
	unsigned long index;
	unsigned long last_index;
};

struct seq_file;

struct bpf_iter_meta {
	struct seq_file *seq;
};

struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
};

#pragma clang attribute pop

#endif /* KERNEL_TYPES_H */
