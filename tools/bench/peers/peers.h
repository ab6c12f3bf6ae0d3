/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef SHELF_BENCH_PEERS_H
#define SHELF_BENCH_PEERS_H

#include "../bench.h"

#ifdef __cplusplus
extern "C" {
#endif

extern const struct bench_map bench_absl, bench_absl_inline, bench_std;
extern const struct bench_map bench_lfht, bench_rwlock, bench_sharded, bench_swap;
extern const struct bench_map bench_lmdb, bench_lmdb_txn;
extern const struct bench_map bench_redis, bench_memcached;

#ifdef __cplusplus
}
#endif

#endif /* SHELF_BENCH_PEERS_H */
