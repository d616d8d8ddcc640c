// SPDX-License-Identifier: Apache-2.0
/*
 * Writes a byte into the memory of another process as a debugger does for a breakpoint: also where
 * the process itself may not write, and by ptrace(2), for a kernel may refuse to write there
 * through /proc/PID/mem (CONFIG_PROC_MEM_FORCE_PTRACE, 6.12).
 *
 *   poke PID ADDRESS BYTE
 */
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include "workload.h"

int main(int argc, char **argv)
{
	if (argc != 4) {
		fprintf(stderr, "usage: poke PID ADDRESS BYTE\n");
		return 2;
	}
	pid_t pid = atoi(argv[1]);
	unsigned long address = strtoul(argv[2], NULL, 0);
	char *word = (char *)(address & -sizeof(long));
	long value;

	if (ptrace(PTRACE_ATTACH, pid, NULL, NULL) || waitpid(pid, NULL, __WALL) != pid)
		die("PTRACE_ATTACH");
	value = ptrace(PTRACE_PEEKDATA, pid, word, NULL);
	((char *)&value)[address % sizeof(long)] = (char)strtol(argv[3], NULL, 0);
	if (ptrace(PTRACE_POKEDATA, pid, word, value))
		die("PTRACE_POKEDATA");
	if (ptrace(PTRACE_DETACH, pid, NULL, NULL))
		die("PTRACE_DETACH");
	return 0;
}
