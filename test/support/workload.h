/* SPDX-License-Identifier: Apache-2.0 */
/* What the workloads of the tests have in common. */
#ifndef WORKLOAD_H
#define WORKLOAD_H

#include <stdio.h>
#include <stdlib.h>

static inline void die(const char *what)
{
	perror(what);
	exit(1);
}

/* Xorshift; the state must not be 0. */
static inline unsigned long next_random(unsigned long *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

#endif /* WORKLOAD_H */
