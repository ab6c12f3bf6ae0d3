// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "peers.h"

const struct bench_map *const bench_peers[] = {
	&bench_absl,
	&bench_absl_inline,
	&bench_std,
	&bench_lfht,
	&bench_rwlock,
	&bench_sharded,
	&bench_swap,
	&bench_lmdb,
	&bench_lmdb_txn,
	&bench_redis,
	&bench_memcached,
	NULL
};
