// SPDX-License-Identifier: Apache-2.0
/*
 * A stranger that updates a BPF hash map of its own in a loop, which makes the
 * kernel skip programs on classic tracepoints and kprobes while it is preempted
 * in there. Prints "ready" and goes on until its standard input ends.
 */
#define _GNU_SOURCE
#include <linux/bpf.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#define THREADS 2
#define ENTRIES 1024

static int map;

static void *update(void *argument)
{
	unsigned int key = 0;
	unsigned long long value = 0;
	union bpf_attr attr = {
		.map_fd = map,
		.key = (unsigned long)&key,
		.value = (unsigned long)&value,
	};

	for (;; key = (key + 1) % ENTRIES, value++)
		if (syscall(SYS_bpf, BPF_MAP_UPDATE_ELEM, &attr, sizeof(attr)))
			return argument;
}

int main(void)
{
	union bpf_attr attr = {
		.map_type = BPF_MAP_TYPE_HASH,
		.key_size = sizeof(unsigned int),
		.value_size = sizeof(unsigned long long),
		.max_entries = ENTRIES,
	};
	pthread_t thread;
	char c;

	map = syscall(SYS_bpf, BPF_MAP_CREATE, &attr, sizeof(attr));
	if (map < 0) {
		perror("BPF_MAP_CREATE");
		return 1;
	}
	for (int i = 0; i < THREADS; i++)
		if (pthread_create(&thread, NULL, update, NULL))
			return 1;
	puts("ready");
	fflush(stdout);
	while (read(0, &c, 1) == 1)
		;
	return 0;
}
