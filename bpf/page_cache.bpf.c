// SPDX-License-Identifier: Apache-2.0
/*
 * All programs in one object, each optional. Nothing leaves the kernel per event: user space maps
 * the counters.
 */
#include "direct.bpf.h"
#include "evictions.bpf.h"
#include "hint_calls.bpf.h"
#include "latency.bpf.h"
#include "pressure.bpf.h"
#include "reads_filemap.bpf.h"
#include "reads_tracing.bpf.h"
#include "targets.bpf.h"

char LICENSE[] SEC("license") = "GPL";
