// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../bench.h"
#include "server.h"

#define START_MS	10000U

static bool wait_for(pid_t pid, const char *path, bool (*answers)(const char *path))
{
	unsigned int i;

	for (i = 0; i < START_MS && !waitpid(pid, NULL, WNOHANG); i++) {
		if (answers(path))
			return true;
		usleep(1000);
	}
	return false;
}

bool server_start(struct server *s, const char *name, uint64_t products,
		  void (*run)(const char *path, uint64_t products),
		  bool (*answers)(const char *path))
{
	char dir[] = "/tmp/bench-server-XXXXXX", path[SERVER_PATH_MAX];
	bool started;

	if (!mkdtemp(dir))
		bench_die(name, "no directory in /tmp");
	snprintf(path, sizeof(path), "%s/socket", dir);
	s->pid = fork();
	if (!s->pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		bench_pin(1);
		run(path, products);
		fprintf(stderr, "bench: %s: %s\n", name, strerror(errno));
		_exit(127);
	}
	started = wait_for(s->pid, path, answers);
	s->socket = open(path, O_PATH | O_CLOEXEC);
	unlink(path);
	rmdir(dir);
	if (!started) {
		fprintf(stderr, "bench: %s: the server didn't start\n", name);
		server_stop(s);
	}
	return started;
}

/* There is nothing to save. */
void server_stop(struct server *s)
{
	close(s->socket);
	kill(s->pid, SIGKILL);
	waitpid(s->pid, NULL, 0);
}

void server_path(const struct server *s, char path[SERVER_PATH_MAX])
{
	snprintf(path, SERVER_PATH_MAX, "/proc/self/fd/%d", s->socket);
}
