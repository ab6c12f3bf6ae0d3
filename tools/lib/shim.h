/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The few kernel primitives that the pure files use, on C11 atomics and the C
 * library. If a pure file needs a new line here, ask first whether the call
 * belongs in the glue.
 */
#ifndef SHELF_SHIM_H
#define SHELF_SHIM_H

#include <errno.h>
#include <linux/types.h>
#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;
typedef __s64 s64;

#define U32_MAX			UINT32_MAX
#define U64_MAX			UINT64_MAX

#define __rcu
#define __aligned(n)		__attribute__((aligned(n)))
#define __must_check		__attribute__((warn_unused_result))
#define BIT(n)			(1U << (n))
#define ALIGN(x, a)		(((x) + (a) - 1) & ~((__typeof__(x))(a) - 1))
#define DIV_ROUND_UP(n, d)	(((n) + (d) - 1) / (d))
#define ARRAY_SIZE(a)		(sizeof(a) / sizeof((a)[0]))
#define min(a, b)		((a) < (b) ? (a) : (b))
#define max(a, b)		((a) > (b) ? (a) : (b))
#define S64_MAX		INT64_MAX
#define max3(a, b, c)		max(max(a, b), c)
#define min_t(t, a, b)		((t)(a) < (t)(b) ? (t)(a) : (t)(b))
#define max_t(t, a, b)		((t)(a) > (t)(b) ? (t)(a) : (t)(b))
#define swap(a, b)		do { __typeof__(a) t_ = (a); (a) = (b); (b) = t_; } while (0)
#define likely(x)		__builtin_expect(!!(x), 1)
#define unlikely(x)		__builtin_expect(!!(x), 0)
#define hweight64(x)		((unsigned int)__builtin_popcountll(x))
#define __ffs64(x)		((unsigned int)__builtin_ctzll(x))
#define static_assert		_Static_assert

#define MAX_ERRNO		4095
#define ERR_PTR(e)		((void *)(intptr_t)(e))
#define PTR_ERR(p)		((int)(intptr_t)(p))
#define IS_ERR(p)		((uintptr_t)(p) >= (uintptr_t)-MAX_ERRNO)

#ifdef SHELF_TSAN
#define READ_ONCE(x)		__atomic_load_n(&(x), __ATOMIC_RELAXED)
#define WRITE_ONCE(x, v)	__atomic_store_n(&(x), (v), __ATOMIC_RELAXED)
#else
#define READ_ONCE(x)		(*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, v)	(*(volatile __typeof__(x) *)&(x) = (v))
#endif
#define smp_wmb()		__atomic_thread_fence(__ATOMIC_RELEASE)
#define smp_store_release(p, v)	__atomic_store_n((p), (v), __ATOMIC_RELEASE)
#define rcu_assign_pointer(p, v) __atomic_store_n(&(p), (v), __ATOMIC_RELEASE)
#define smp_load_acquire(p)	__atomic_load_n((p), __ATOMIC_ACQUIRE)
#define rcu_dereference_protected(p, c) (p)
#define RCU_INIT_POINTER(p, v)	__atomic_store_n(&(p), (v), __ATOMIC_RELAXED)
#define lockdep_assert_held(l)	do { } while (0)
#define prefetch(p)		__builtin_prefetch(p)
#define cond_resched()		do { } while (0)

/* Fair, as the kernel's: who takes it all the time starves nobody. */
typedef struct {
	u32 next;
	u32 owner;
} spinlock_t;

#define spin_lock_init(l)	((l)->next = (l)->owner = 0)

static inline void spin_lock(spinlock_t *l)
{
	u32 mine = __atomic_fetch_add(&l->next, 1, __ATOMIC_RELAXED), spins = 0;

	while (__atomic_load_n(&l->owner, __ATOMIC_ACQUIRE) != mine)
		if (++spins % 64 == 0)
			sched_yield();
}

static inline void spin_unlock(spinlock_t *l)
{
	__atomic_store_n(&l->owner, l->owner + 1, __ATOMIC_RELEASE);
}

/*
 * No reader here is RCU's, so a grace period is over as soon as it begins. Tests
 * that ask what is done before it is over hold it open: shim_grace_held; who
 * waits for it nevertheless lets it end, and is counted. shim_grace_slow: each one
 * that is begun is held.
 */
extern bool shim_grace_held;
extern bool shim_grace_slow;
extern unsigned long shim_grace_waits;

static inline u64 start_poll_synchronize_rcu(void)
{
	if (shim_grace_slow)
		shim_grace_held = true;
	return shim_grace_held;
}

static inline bool poll_state_synchronize_rcu(u64 cookie)
{
	return !cookie || !shim_grace_held;
}

static inline void cond_synchronize_rcu(u64 cookie)
{
	if (poll_state_synchronize_rcu(cookie))
		return;
	shim_grace_held = false;
	shim_grace_waits++;
}

typedef unsigned int gfp_t;
#define GFP_KERNEL		0U
#define GFP_KERNEL_ACCOUNT	0U
#define __GFP_ZERO		1U
#define __GFP_NOWARN		0U
#define __GFP_RETRY_MAYFAIL	0U

/*
 * Tests make the n-th allocation fail: shim_fail_in counts down, 0 is off. It
 * is the only thing here that the kernel has no word for.
 */
extern long shim_fail_in;

static inline void *kvmalloc(size_t bytes, gfp_t gfp)
{
	if (shim_fail_in && --shim_fail_in == 0)
		return NULL;
	return gfp & __GFP_ZERO ? calloc(1, bytes) : malloc(bytes);
}

#define kvzalloc(bytes, gfp)		kvmalloc(bytes, (gfp) | __GFP_ZERO)
#define kvmalloc_array(n, size, gfp)	kvmalloc((size_t)(n) * (size), gfp)
#define kvcalloc(n, size, gfp)		kvzalloc((size_t)(n) * (size), gfp)
#define kvfree(p)			free(p)
#define kmalloc(bytes, gfp)		kvmalloc(bytes, gfp)
#define kzalloc(bytes, gfp)		kvzalloc(bytes, gfp)
#define kfree(p)			free(p)

#endif /* SHELF_SHIM_H */
