/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef SHELF_BENCH_SERVER_H
#define SHELF_BENCH_SERVER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/**
 * struct server - a child on CPU 1 that dies with the benchmark
 * @socket: where it listens, O_PATH: its name is gone, so that nothing stays
 */
struct server {
	pid_t pid;
	int socket;
};

#define SERVER_PATH_MAX	64U

/* @run: becomes the server, or returns; @answers: whether one does at that path. */
bool server_start(struct server *s, const char *name, uint64_t products,
		  void (*run)(const char *path, uint64_t products),
		  bool (*answers)(const char *path));
void server_stop(struct server *s);

/* A path by which to connect to it. */
void server_path(const struct server *s, char path[SERVER_PATH_MAX]);

#endif /* SHELF_BENCH_SERVER_H */
