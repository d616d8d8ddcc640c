/* SPDX-License-Identifier: Apache-2.0 */
/* What user space fixes before it loads the programs. */
#ifndef SETTINGS_BPF_H
#define SETTINGS_BPF_H

#include "page_cache.h"
#include <bpf/bpf_helpers.h>

/* In a section of its own, where user space finds it. */
const volatile struct settings settings SEC(".rodata.settings");

#endif /* SETTINGS_BPF_H */
