// SPDX-License-Identifier: Apache-2.0
/*
 * A program that does nothing: what it costs to be called at all, the unit of every comparison.
 * Compiled once for each kind of hook, with HOOK and PROGRAM given.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC(HOOK)
int PROGRAM(void *ctx)
{
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
