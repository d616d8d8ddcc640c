/* SPDX-License-Identifier: Apache-2.0 */
/* All calls by which the reader can read a part of its file. */
#ifndef READING_CALLS_H
#define READING_CALLS_H

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/io_uring.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "workload.h"

#define BUFFER_BYTES (1L << 20)

/* See do_read(). */
static const char *call;
static char *buffer;
/* Of the file, and of /dev/null. */
static int fd;
static int null_fd;

/* Entries of the ring: as many reads may be under way. */
#define DEPTH 16

static struct {
	int fd;
	char *sq, *cq;
	struct io_uring_sqe *sqes;
	struct io_uring_params params;
} ring = { .fd = -1 };

static void open_ring(void)
{
	struct io_uring_params *params = &ring.params;
	struct iovec whole = { buffer, BUFFER_BYTES };
	int protection = PROT_READ | PROT_WRITE;

	if (ring.fd >= 0)
		return;
	ring.fd = syscall(SYS_io_uring_setup, DEPTH, params);
	if (ring.fd < 0)
		die("io_uring_setup");
	ring.sq = mmap(0, params->sq_off.array + params->sq_entries * 4, protection, MAP_SHARED,
		       ring.fd, IORING_OFF_SQ_RING);
	ring.cq = mmap(0, params->cq_off.cqes + params->cq_entries * sizeof(struct io_uring_cqe),
		       protection, MAP_SHARED, ring.fd, IORING_OFF_CQ_RING);
	ring.sqes = mmap(0, params->sq_entries * sizeof(*ring.sqes), protection, MAP_SHARED,
			 ring.fd, IORING_OFF_SQES);
	if (ring.sq == MAP_FAILED || ring.cq == MAP_FAILED || ring.sqes == MAP_FAILED)
		die("mmap of the ring");
	if (syscall(SYS_io_uring_register, ring.fd, IORING_REGISTER_BUFFERS, &whole, 1) ||
	    syscall(SYS_io_uring_register, ring.fd, IORING_REGISTER_FILES, &fd, 1))
		die("io_uring_register");
}

/*
 * @opcode: IORING_OP_READ, or READV with two buffers, or READ_FIXED into a registered one
 * @flags: IOSQE_ASYNC for a worker to do it, IOSQE_FIXED_FILE for a registered file
 */
static void queue_read(long pos, long bytes, int opcode, int flags)
{
	static struct iovec halves[2];
	unsigned *tail = (unsigned *)(ring.sq + ring.params.sq_off.tail);
	unsigned slot = *tail & *(unsigned *)(ring.sq + ring.params.sq_off.ring_mask);
	struct io_uring_sqe *sqe = &ring.sqes[slot];

	halves[0] = (struct iovec){ buffer, bytes / 2 };
	halves[1] = (struct iovec){ buffer + bytes / 2, bytes - bytes / 2 };
	memset(sqe, 0, sizeof(*sqe));
	sqe->opcode = opcode;
	sqe->flags = flags;
	sqe->fd = flags & IOSQE_FIXED_FILE ? 0 : fd;
	sqe->off = pos;
	sqe->addr = (unsigned long)(opcode == IORING_OP_READV ? (void *)halves : buffer);
	sqe->len = opcode == IORING_OP_READV ? 2 : bytes;
	((unsigned *)(ring.sq + ring.params.sq_off.array))[slot] = slot;
	__atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
}

/* Submits what is queued and waits for all of it; the sum of what the reads returned. */
static long submit_and_wait(int count)
{
	unsigned *head = (unsigned *)(ring.cq + ring.params.cq_off.head);
	unsigned mask = *(unsigned *)(ring.cq + ring.params.cq_off.ring_mask);
	struct io_uring_cqe *cqes = (struct io_uring_cqe *)(ring.cq + ring.params.cq_off.cqes);
	long sum = 0;

	if (syscall(SYS_io_uring_enter, ring.fd, count, count, IORING_ENTER_GETEVENTS, NULL, 0) < 0)
		die("io_uring_enter");
	for (int i = 0; i < count; i++)
		sum += cqes[(*head + i) & mask].res;
	__atomic_store_n(head, *head + count, __ATOMIC_RELEASE);
	return sum;
}

static long read_by_io_uring(long pos, long bytes, int opcode, int flags)
{
	open_ring();
	queue_read(pos, bytes, opcode, flags);
	return submit_and_wait(1);
}

/* Slots of a pipe as it is made; each takes a page or a part of one. */
#define PIPE_SLOTS 16

/* Copies into a pipe, and empties it. */
static long read_by_splice(int out, long pos, long bytes)
{
	static int pipe_fds[2];
	off_t offset = pos;

	if (!pipe_fds[1] && pipe(pipe_fds))
		die("pipe");
	long got = out ? sendfile(pipe_fds[1], fd, &offset, bytes)
		       : splice(fd, &offset, pipe_fds[1], NULL, bytes, 0);

	if (got > 0 && splice(pipe_fds[0], NULL, null_fd, NULL, got, 0) != got)
		die("splice to /dev/null");
	return got;
}

static long read_by_copy(long pos, long bytes)
{
	static int copy_fd;
	loff_t from = pos, to = 0;

	if (!copy_fd) {
		copy_fd = open("/var/tmp", O_TMPFILE | O_RDWR, 0600);
		if (copy_fd < 0)
			die("O_TMPFILE in /var/tmp");
	}
	/* A part of a page that is there already would have to be read first. */
	if (ftruncate(copy_fd, 0))
		die("ftruncate");
	return copy_file_range(fd, &from, copy_fd, &to, bytes, 0);
}

/* A vector of many small buffers. */
static long read_by_many(long pos, long bytes)
{
	static struct iovec vector[IOV_MAX];
	long n = bytes < IOV_MAX ? bytes : IOV_MAX, each = bytes / n;

	for (long i = 0; i < n; i++)
		vector[i] = (struct iovec){ buffer + i * each, each };
	vector[n - 1].iov_len += bytes - n * each;
	return preadv(fd, vector, n, pos);
}

static long do_read(long pos, long bytes)
{
	struct iovec halves[2] = { { buffer, bytes / 2 },
				   { buffer + bytes / 2, bytes - bytes / 2 } };
	off_t offset = pos;

	if (!strcmp(call, "pread"))
		return pread(fd, buffer, bytes, pos);
	if (!strcmp(call, "read"))
		return read(fd, buffer, bytes);
	if (!strcmp(call, "readv"))
		return readv(fd, halves, 2);
	if (!strcmp(call, "preadv"))
		return preadv(fd, halves, 2, pos);
	if (!strcmp(call, "preadv2"))
		return preadv2(fd, halves, 2, pos, 0);
	if (!strcmp(call, "preadv of 1024"))
		return read_by_many(pos, bytes);
	if (!strcmp(call, "sendfile"))
		return sendfile(null_fd, fd, &offset, bytes);
	if (!strcmp(call, "sendfile at position"))
		return sendfile(null_fd, fd, NULL, bytes);
	if (!strcmp(call, "sendfile to pipe"))
		return read_by_splice(1, pos, bytes);
	if (!strcmp(call, "splice"))
		return read_by_splice(0, pos, bytes);
	if (!strcmp(call, "copy_file_range"))
		return read_by_copy(pos, bytes);
	if (!strcmp(call, "io_uring"))
		return read_by_io_uring(pos, bytes, IORING_OP_READ, 0);
	if (!strcmp(call, "io_uring vector"))
		return read_by_io_uring(pos, bytes, IORING_OP_READV, 0);
	if (!strcmp(call, "io_uring fixed"))
		return read_by_io_uring(pos, bytes, IORING_OP_READ_FIXED, IOSQE_FIXED_FILE);
	if (!strcmp(call, "io_uring worker"))
		return read_by_io_uring(pos, bytes, IORING_OP_READ, IOSQE_ASYNC);
	errno = EINVAL;
	die(call);
	return -1;
}

#endif /* READING_CALLS_H */
