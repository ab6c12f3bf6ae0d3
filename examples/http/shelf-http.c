// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * A shelf over HTTP, as JSON:
 *
 *	shelf-http SHELF [ADDRESS PORT]		127.0.0.1 8080; port 0: any that is free
 *
 *	/product/ID
 *	/catalog/ID[?after=ID][&limit=N][&products=1]
 *	/healthz
 *
 * There is a thread for each processor; they share nothing but the mapping, so they don't
 * meet. What is answered has the generation that it was read from in Shelf-Generation, and
 * an ETag of the commit that last changed it: who asks again with If-None-Match hears 304
 * until it changes. Ids and amounts are integers of 64 bits, which clients in JavaScript
 * must not read as doubles.
 */
#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "answer.h"

#define CONNECTIONS	10000U
#define IDLE_SECONDS	30U

/* @epoch: see etag(). */
struct service {
	struct shelf *shelf;
	__u64 epoch;
};

static enum MHD_Result reply(struct MHD_Connection *to, unsigned int status,
			     struct MHD_Response *r)
{
	enum MHD_Result ret;

	if (!r)
		return MHD_NO;	/* closes the connection */
	MHD_add_response_header(r, "Content-Type", "application/json");
	/* May be kept, but not used again without asking. */
	MHD_add_response_header(r, "Cache-Control", status < 400 ? "no-cache" : "no-store");
	if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
		MHD_add_response_header(r, "Allow", "GET, HEAD");
	ret = MHD_queue_response(to, status, r);
	MHD_destroy_response(r);
	return ret;
}

/* @what is ours: nothing of a request goes back unless it is a number. */
static enum MHD_Result refuse(struct MHD_Connection *to, unsigned int status, const char *what)
{
	char body[128];
	int n = snprintf(body, sizeof(body), "{\"error\":\"%s\"}\n", what);

	return reply(to, status, MHD_create_response_from_buffer((size_t)n, body,
								 MHD_RESPMEM_MUST_COPY));
}

/*
 * Generations count from 1 in each shelf, so when a shelf is made anew one of its
 * versions could pass for another. Hence the time of the last commit as this service
 * began: after a restart caches ask once more, and that is all.
 */
static void etag(const struct service *s, __u64 version, char to[64])
{
	snprintf(to, 64, "\"%llx-%llx\"", s->epoch, version);
}

static bool has_it(struct MHD_Connection *to, const char *tag)
{
	const char *have = MHD_lookup_connection_value(to, MHD_HEADER_KIND, "If-None-Match");

	return have && (!strcmp(have, "*") || strstr(have, tag));
}

static enum MHD_Result answer(struct service *s, struct MHD_Connection *to, int ret,
			      const struct answer *a)
{
	char tag[64], generation[32];
	struct MHD_Response *r;
	bool same;

	if (ret == 0)
		return refuse(to, MHD_HTTP_NOT_FOUND, "no such id");
	if (ret < 0)
		return refuse(to, MHD_HTTP_SERVICE_UNAVAILABLE, strerror(-ret));
	etag(s, a->version, tag);
	same = has_it(to, tag);
	r = MHD_create_response_from_buffer(same ? 0 : a->len, a->body, MHD_RESPMEM_MUST_FREE);
	if (!r) {
		free(a->body);
		return MHD_NO;
	}
	snprintf(generation, sizeof(generation), "%llu", a->generation);
	MHD_add_response_header(r, "ETag", tag);
	MHD_add_response_header(r, "Shelf-Generation", generation);
	return reply(to, same ? MHD_HTTP_NOT_MODIFIED : MHD_HTTP_OK, r);
}

/* An integer in decimal, all of @text; strtoll() alone takes blanks and a + too. */
static bool integer(const char *text, __s64 *out)
{
	char *end;

	if (!strchr("-0123456789", *text) || !*text)
		return false;
	errno = 0;
	*out = strtoll(text, &end, 10);
	return !errno && !*end && end[-1] != '-';
}

/* True also if there is none, and then @out is left alone. */
static bool argument(struct MHD_Connection *from, const char *name, __s64 *out)
{
	const char *text = NULL;
	size_t n = 0;

	if (MHD_lookup_connection_value_n(from, MHD_GET_ARGUMENT_KIND, name, strlen(name),
					  &text, &n) == MHD_NO)
		return true;
	return text && strlen(text) == n && integer(text, out);
}

static enum MHD_Result product(struct service *s, struct MHD_Connection *to, __s64 id)
{
	struct answer a;

	return answer(s, to, answer_product(s->shelf, id, &a), &a);
}

static enum MHD_Result catalog(struct service *s, struct MHD_Connection *to, __s64 id)
{
	__s64 limit = 100, products = 0;
	struct page page = { 0 };
	struct answer a;

	page.from_start = !MHD_lookup_connection_value(to, MHD_GET_ARGUMENT_KIND, "after");
	if (!argument(to, "after", &page.after))
		return refuse(to, MHD_HTTP_BAD_REQUEST, "after: not an id");
	if (!argument(to, "limit", &limit) || limit < 1 || limit > LIMIT_MAX)
		return refuse(to, MHD_HTTP_BAD_REQUEST, "limit: not from 1 to 1000");
	if (!argument(to, "products", &products) || products < 0 || products > 1)
		return refuse(to, MHD_HTTP_BAD_REQUEST, "products: not 0 or 1");
	page.limit = (__u32)limit;
	page.products = products;
	return answer(s, to, answer_catalog(s->shelf, id, &page, &a), &a);
}

/* A shelf that was destroyed can be read on, but is not what others see any more. */
static enum MHD_Result health(struct service *s, struct MHD_Connection *to)
{
	struct shelf_ioc_info info;
	char body[64];
	int n;

	if (shelf_info(s->shelf, &info))
		return refuse(to, MHD_HTTP_SERVICE_UNAVAILABLE, "the shelf can't be read");
	if (info.dead)
		return refuse(to, MHD_HTTP_SERVICE_UNAVAILABLE, "the shelf was destroyed");
	n = snprintf(body, sizeof(body), "{\"generation\":%llu}\n", info.generation);
	return reply(to, MHD_HTTP_OK, MHD_create_response_from_buffer((size_t)n, body,
								      MHD_RESPMEM_MUST_COPY));
}

static enum MHD_Result request(void *arg, struct MHD_Connection *to, const char *url,
			       const char *method, const char *version, const char *upload,
			       size_t *upload_size, void **state)
{
	struct service *s = arg;
	bool of_product = !strncmp(url, "/product/", 9);
	__s64 id;

	(void)version;
	(void)upload;
	/* The first call is of the headers; answers to these would close the connection. */
	if (!*state) {
		*state = s;
		return MHD_YES;
	}
	if (*upload_size) {
		*upload_size = 0;
		return MHD_YES;
	}
	if (strcmp(method, "GET") && strcmp(method, "HEAD"))
		return refuse(to, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET and HEAD");
	if (!strcmp(url, "/healthz"))
		return health(s, to);
	if (!of_product && strncmp(url, "/catalog/", 9))
		return refuse(to, MHD_HTTP_NOT_FOUND, "no such path");
	if (!integer(url + 9, &id))
		return refuse(to, MHD_HTTP_BAD_REQUEST, "not an id");
	return of_product ? product(s, to, id) : catalog(s, to, id);
}

static int fail(const char *what, const char *why)
{
	fprintf(stderr, "shelf-http: %s: %s\n", what, why);
	return 1;
}

static int serve(struct service *s, const struct addrinfo *at)
{
	unsigned int flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ERROR_LOG;
	struct MHD_Daemon *daemon;
	sigset_t end;
	int signal;

	/* Before there are threads, so that none of them is told of the end. */
	sigemptyset(&end);
	sigaddset(&end, SIGINT);
	sigaddset(&end, SIGTERM);
	sigprocmask(SIG_BLOCK, &end, NULL);
	if (at->ai_family == AF_INET6)
		flags |= MHD_USE_IPv6;
	daemon = MHD_start_daemon(flags, 0, NULL, NULL, request, s,
				  MHD_OPTION_SOCK_ADDR, at->ai_addr,
				  MHD_OPTION_THREAD_POOL_SIZE,
				  (unsigned int)sysconf(_SC_NPROCESSORS_ONLN),
				  MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS,
				  MHD_OPTION_CONNECTION_TIMEOUT, IDLE_SECONDS, MHD_OPTION_END);
	if (!daemon)
		return fail("can't listen", strerror(errno));
	printf("port %u\n", MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT)->port);
	fflush(stdout);
	sigwait(&end, &signal);
	MHD_stop_daemon(daemon);
	return 0;
}

int main(int argc, char **argv)
{
	const struct addrinfo hints = { .ai_flags = AI_PASSIVE, .ai_socktype = SOCK_STREAM };
	struct shelf_ioc_info info;
	struct addrinfo *at;
	struct service s;
	int ret;

	if (argc != 2 && argc != 4)
		return fail("usage", "shelf-http SHELF [ADDRESS PORT]");
	ret = shelf_open(argv[1], 0, &s.shelf);
	if (!ret)
		ret = shelf_info(s.shelf, &info);
	if (ret)
		return fail(argv[1], strerror(-ret));
	if (!shelf_is_mapped(s.shelf))
		return fail(argv[1], "it can't be mapped here");
	s.epoch = info.committed_ns;
	ret = getaddrinfo(argc == 4 ? argv[2] : "127.0.0.1", argc == 4 ? argv[3] : "8080",
			  &hints, &at);
	if (ret)
		return fail("address", gai_strerror(ret));
	ret = serve(&s, at);
	freeaddrinfo(at);
	shelf_close(s.shelf);
	return ret;
}
