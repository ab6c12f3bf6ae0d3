// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The members of a catalog and what they cost together, of one moment, in C++:
 *
 *	sections SHELF CATALOG
 *
 * Both maps are read in one section, so the sum is right even while commits change the
 * catalog and its products at once. No lock, no system call, no copy but of what is used.
 */
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>

#include <shelf/shelf.h>

namespace {

struct close_shelf {
	void operator()(shelf *s) const { shelf_close(s); }
};

using shelf_ptr = std::unique_ptr<shelf, close_shelf>;

shelf_ptr open(const char *name)
{
	shelf *s = nullptr;
	int ret = shelf_open(name, 0, &s);

	if (ret)
		throw std::runtime_error(std::string(name) + ": " + std::strerror(-ret));
	shelf_ptr owned(s);
	if (!shelf_is_mapped(s))
		throw std::runtime_error(std::string(name) + ": sections need a mapping");
	return owned;
}

/*
 * Calls @read until what it read was of one generation, which is returned. It may be
 * called on garbage, so it copies and does not act: it must not throw or allocate by it.
 */
template <typename Read> __u64 in_section(const shelf &s, Read read)
{
	shelf_section section;

	do {
		shelf_begin(&s, &section);
		read(section);
	} while (shelf_retry(&s, &section));
	return section.generation;
}

struct total {
	__u64 members = 0;
	__u64 priced = 0;
	__s64 price = 0;
};

total sum(const shelf &s, const shelf_section &section, __s64 catalog)
{
	const shelf_view &view = section.view;
	const shelf_catalog *there = shelf_view_catalog(&view, catalog);
	bool more = there != nullptr, from_start = true;
	shelf_catalog copy;
	__s64 ids[64];
	total t;

	if (there)
		shelf_copy(&copy, there, sizeof(copy));
	/* Garbage may go on for ever, so what is long looks on the way whether it still counts. */
	while (more && !shelf_retry(&s, &section)) {
		__s64 after = from_start ? 0 : ids[63];
		__u32 n = shelf_catalog_copy(&view, &copy, from_start, after, ids, 64, &more);

		from_start = false;
		t.members += n;
		for (__u32 i = 0; i < n; i++) {
			const shelf_product *p = shelf_view_product(&view, ids[i]);

			if (p) {
				/* In unsigned, where even garbage does not overflow. */
				t.price = __s64(__u64(t.price) + __u64(SHELF_LOAD(p->price)));
				t.priced++;
			}
		}
	}
	return t;
}

} // namespace

int main(int argc, char **argv)
try {
	if (argc != 3) {
		std::cerr << "usage: sections SHELF CATALOG\n";
		return 2;
	}
	shelf_ptr s = open(argv[1]);
	__s64 catalog = std::strtoll(argv[2], nullptr, 10);
	total t;
	__u64 generation = in_section(*s, [&](const shelf_section &c) { t = sum(*s, c, catalog); });

	std::cout << "generation " << generation << ": " << t.members << " members, " << t.priced
		  << " with a price, in all " << t.price << '\n';
	return 0;
} catch (const std::exception &e) {
	std::cerr << e.what() << '\n';
	return 1;
}
