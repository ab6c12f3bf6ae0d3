// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "probe.h"

#define MARK		0x6b72616d2a6b7261ULL
#define MARKED_BYTES	((size_t)64 << 20)
#define KEPT_BYTES	((size_t)8 << 20)
/* Where a kernel's addresses begin; the last page has only errors, and -1. */
#define KERNEL_BEGIN	0xffff800000000000ULL
#define KERNEL_END	0xfffffffffffff000ULL
/* The two words that change have a line of the control page to themselves. */
#define LINE_BEGIN	64U
#define LINE_END	128U

static sigjmp_buf back;
static volatile sig_atomic_t probing;

static void caught(int sig)
{
	if (probing)
		siglongjmp(back, sig);
	signal(sig, SIG_DFL);
	raise(sig);
}

void probe_init(void)
{
	const struct sigaction act = { .sa_handler = caught, .sa_flags = SA_NODEFER };

	sigaction(SIGSEGV, &act, NULL);
	sigaction(SIGBUS, &act, NULL);
}

static void look(const volatile __u8 *at)
{
	*at;
}

static void put_back(volatile __u8 *at)
{
	*at = *at;
}

bool readable(const void *at)
{
	bool ok = !sigsetjmp(back, 0);

	probing = 1;
	if (ok)
		look(at);
	probing = 0;
	return ok;
}

bool writable(void *at)
{
	bool ok = !sigsetjmp(back, 0);

	probing = 1;
	if (ok)
		put_back(at);
	probing = 0;
	return ok;
}

bool mapped(const void *at)
{
	unsigned char in_core;

	return !mincore((void *)at, PAGE, &in_core);
}

static size_t free_bytes(void)
{
	FILE *f = fopen("/proc/meminfo", "re");
	unsigned long kib = 0;
	char line[128];

	while (f && !kib && fgets(line, sizeof(line), f))
		if (sscanf(line, "MemFree: %lu kB", &kib) != 1)
			kib = 0;
	if (f)
		fclose(f);
	return (size_t)kib << 10;
}

static bool mark(size_t bytes)
{
	__u64 *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	size_t i;

	if (at == MAP_FAILED)
		return false;
	madvise(at, bytes, MADV_HUGEPAGE);
	for (i = 0; i < bytes / sizeof(*at); i++)
		at[i] = MARK;
	return true;
}

static int mark_and_end(void *bytes)
{
	return !mark(*(size_t *)bytes);
}

/* Dies with the test. */
static int mark_and_stay(void)
{
	pid_t pid = fork();

	if (pid)
		return pid < 0 ? -errno : 0;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (mark(KEPT_BYTES))
		for (;;)
			pause();
	_exit(1);
}

int mark_memory(void)
{
	size_t half = free_bytes() / 2 & ~(CHUNK - 1);
	size_t bytes = half < MARKED_BYTES ? half : MARKED_BYTES;

	if (in_child(mark_and_end, &bytes))
		return -ENOMEM;
	return mark_and_stay() ?: (int)(bytes >> 20);
}

size_t alien_words(const void *at, size_t bytes)
{
	const __u64 *p = at;
	size_t i, n = 0;

	for (i = 0; i < bytes / sizeof(*p); i++)
		n += p[i] == MARK || (p[i] >= KERNEL_BEGIN && p[i] < KERNEL_END);
	return n;
}

int sight_map(struct sight *s, const struct kit *k)
{
	s->bytes = k->arena_bytes;
	s->control = mmap(NULL, 2 * PAGE, PROT_READ, MAP_SHARED, k->fd,
			  SHELF_MMAP_CONTROL);
	s->arena = map_arena(k->fd, s->bytes);
	return s->control == MAP_FAILED || s->arena == MAP_FAILED ? -errno : 0;
}

bool sight_copy(struct sight *to, const struct sight *from)
{
	to->bytes = from->bytes;
	to->control = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	to->arena = mmap(NULL, to->bytes, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (to->control == MAP_FAILED || to->arena == MAP_FAILED)
		return false;
	memcpy(to->control, from->control, 2 * PAGE);
	memcpy(to->arena, from->arena, to->bytes);
	return true;
}

void sight_unmap(struct sight *s)
{
	munmap(s->control, 2 * PAGE);
	munmap(s->arena, s->bytes);
}

static bool control_same(const void *a, const void *b, size_t bytes)
{
	const struct shelf_control *x = a, *y = b;

	return !memcmp(a, b, LINE_BEGIN) && x->current_word == y->current_word &&
	       !memcmp(a + LINE_END, b + LINE_END, bytes - LINE_END);
}

bool sight_same(const struct sight *a, const struct sight *b)
{
	return control_same(a->control, b->control, 2 * PAGE) &&
	       !memcmp(a->arena, b->arena, a->bytes) &&
	       !alien_words(a->control + LINE_BEGIN, 2 * PAGE - LINE_BEGIN) &&
	       !alien_words(a->arena, a->bytes);
}

bool page_same(const struct sight *s, const void *at, __u64 offset)
{
	if (offset >= SHELF_MMAP_ARENA)
		return !memcmp(at, s->arena + (offset - SHELF_MMAP_ARENA), PAGE);
	return offset ? !memcmp(at, s->control + PAGE, PAGE) :
			control_same(at, s->control, PAGE);
}

__u64 walk_next(__u64 *seed)
{
	__u64 x = *seed += 0x9e3779b97f4a7c15ULL;

	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
	return x ^ (x >> 31);
}

__u64 walk_seed(int *argc, char **argv)
{
	__u64 seed = now_ns() % 1000000;
	int i, to = 1;

	for (i = 1; i < *argc; i++) {
		if (!strcmp(argv[i], "--seed") && i + 1 < *argc)
			seed = strtoull(argv[++i], NULL, 0);
		else
			argv[to++] = argv[i];
	}
	argv[to] = NULL;
	*argc = to;
	printf("# --seed %llu\n", (unsigned long long)seed);
	fflush(stdout);
	return seed;
}
