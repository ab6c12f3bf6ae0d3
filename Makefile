# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# A few obvious targets; `make help` lists them. What is built lies in build/.

O := build
CC ?= gcc
CFLAGS ?= -O2 -g
JOBS := $(shell nproc)

# Kernels whose headers are here. Sources are copied to a directory for each,
# so that their objects stay apart.
KERNELS := $(notdir $(patsubst %/build/,%,$(wildcard /lib/modules/*/build/)))
KERNEL ?= $(shell uname -r)
MODULES := $(KERNELS:%=$(O)/kmod/%/shelf.ko)

all: modules tools

help:
	@echo 'make            build the module for every kernel with headers here, and the tools'
	@echo 'make demo       the main job on this machine'"'"'s own Debian archive, in a VM'
	@echo 'make check      the tests that fit into some 40 minutes, on both kernels, in VMs'
	@echo 'make check-hosted  the tests that need no VM'
	@echo 'make check-guest   the tests in VMs'
	@echo 'make check-static  sparse, coccinelle, checkpatch, clang-tidy, shellcheck, the ABI page'
	@echo 'make check-debug  guest tests and every failing allocation, on kernels that check themselves'
	@echo 'make coverage   what the hosted tests leave out of the pure files'
	@echo 'make bench      measure the hosted twin beside other maps; writes bench/'
	@echo 'make bench-guest  the ways to read a product, in VMs: by the clock, in instructions'
	@echo 'make bench-http  examples/http under load, beside commits and without'
	@echo 'make bench-follow  shelf-follow: messages a second, and from produce to visible'
	@echo 'make bench-uml  the module beside the hosted twin, under user-mode Linux'
	@echo 'make examples   what examples/ has, with a library that is installed below build/'
	@echo 'make soak       the torture test, hosted, at length: READS=10^9 COMMITS=10^5'
	@echo 'make crash      writers killed at 1000 points, the power failing at 200, guests killed'
	@echo 'make sweep      every allocation of commits, trims and openings fails: FAILURES=10^6'
	@echo 'make fuzz       decoder and commits, damaged files, apply'"'"'s lines: SECONDS=600'
	@echo 'make fuzz-long  decoder and commits, without sanitizers: EXECUTIONS=10^8'
	@echo 'make fuzz-guest  calls of all interfaces, guided by coverage, in a VM: CALLS=10^6'
	@echo 'make check-planted  bugs put in on purpose, one at a time: does a test notice?'
	@echo 'make follow-long  a follower killed 100 times, its broker cut off 20 times: MESSAGES=250000'
	@echo 'make cycles     load, create, read, destroy, unload, over and over: CYCLES=5000'
	@echo 'make check-trace  the bpftrace scripts, on both kernels, in VMs'
	@echo 'make check-long  all of these at length, and check-debug, soak, coverage: many hours'
	@echo 'make install    module for the running kernel, tools, library, tracing scripts, man pages (DESTDIR, PREFIX)'
	@echo 'make deb        Debian packages, in build/deb/'
	@echo 'make check-deb  install them in clean guests on both kernels, restart, remove them'
	@echo 'make clean      remove build/'

modules: $(MODULES)

$(O)/kmod/%/shelf.ko: FORCE
	@mkdir -p $(@D)/uapi
	@cp -pu kmod/*.[ch] kmod/Kbuild $(@D)/
	@cp -pu kmod/uapi/*.h $(@D)/uapi/
	@$(MAKE) -s -C /lib/modules/$*/build M=$(CURDIR)/$(@D) W=1 modules

tools:
	@$(MAKE) -s -C tools O=$(CURDIR)/$(O)/tools

# The hosted tests, with sanitizers: they link a library that is built with
# them as well, the core inside it.
SAN := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
HOSTED_FLAGS := -std=gnu11 -g -O1 -Wall -Wextra -Wshadow $(SAN)
LIBS = $$(pkg-config --libs libnl-genl-3.0) -lpthread

tools-san:
	@$(MAKE) -s -C tools O=$(CURDIR)/$(O)/tools SAN=address,undefined

MODEL := selftests/hosted/model.c selftests/hosted/account.c selftests/hosted/digest.c
$(O)/hosted/%: selftests/hosted/%.c $(MODEL) $(wildcard selftests/hosted/*.h) tools-san
	@mkdir -p $(@D)
	@$(CC) $(HOSTED_FLAGS) -o $@ $< $(MODEL) $(CASE) $(O)/tools-address-undefined/libshelf.a \
		-lcmocka $(LIBS) $(WRAP)

$(O)/hosted/model-test: CASE := selftests/hosted/case.c selftests/hosted/shrink.c
$(O)/hosted/model-test: selftests/hosted/case.c selftests/hosted/shrink.c

# Whatever the library allocates can fail as well; at length without sanitizers.
$(O)/hosted/sweep $(O)/sweep: WRAP := -Wl,--wrap=malloc,--wrap=calloc
$(O)/sweep: selftests/hosted/sweep.c $(MODEL) $(wildcard selftests/hosted/*.h) tools FORCE
	@$(CC) $(CFLAGS) -std=gnu11 -Wall -Wextra -o $@ $< $(MODEL) $(O)/tools/libshelf.a $(LIBS) $(WRAP)

# Threads that count, under the sanitizer for threads; and in a plugin that goes.
$(O)/hosted/unit-count-thread: selftests/hosted/unit-count.c tools/lib/count.c $(wildcard tools/lib/*.h)
	@mkdir -p $(@D)
	@$(CC) -std=gnu11 -g -O1 -Wall -Wextra -Wshadow -fsanitize=thread -o $@ $(filter %.c,$^) \
		-lcmocka -lpthread

$(O)/hosted/count-plugin.so: selftests/hosted/count-plugin.c tools
	@mkdir -p $(@D)
	@$(CC) $(CFLAGS) -std=gnu11 -Wall -Wextra -shared -fPIC -o $@ $< $(O)/tools/libshelf.a

UNITS := $(patsubst selftests/%.c,$(O)/%,$(wildcard selftests/hosted/unit-*.c)) \
	$(O)/hosted/unit-count-thread $(O)/hosted/count-plugin.so

hosted-tests: $(UNITS) $(O)/hosted/abi-check $(O)/hosted/model-test $(O)/hosted/sweep $(O)/torture/torture \
	$(O)/torture/torture-tsan

# At full speed, and under the thread sanitizer, with a library for each.
TORTURE := $(wildcard selftests/torture/*.c) selftests/hosted/account.c
TORTURE_FLAGS := -std=gnu11 -Wall -Wextra -Wshadow

$(O)/torture/torture: $(TORTURE) $(wildcard selftests/torture/*.h) tools FORCE
	@mkdir -p $(@D)
	@$(CC) $(CFLAGS) $(TORTURE_FLAGS) -o $@ $(TORTURE) $(O)/tools/libshelf.a $(LIBS)

tools-tsan:
	@$(MAKE) -s -C tools O=$(CURDIR)/$(O)/tools SAN=thread

$(O)/torture/torture-tsan: $(TORTURE) $(wildcard selftests/torture/*.h) tools-tsan FORCE
	@mkdir -p $(@D)
	@$(CC) $(CFLAGS) $(TORTURE_FLAGS) -fsanitize=thread -DSHELF_TSAN -Wno-tsan -o $@ $(TORTURE) \
		$(O)/tools-thread/libshelf.a $(LIBS)

# Guest tests are kselftest programs; the harness is the kernel's own.
KSELFTEST := $(O)/kernel/tools/testing/selftests
GUEST_SRC := $(wildcard selftests/guest/*.c)
GUEST_LIB := $(wildcard selftests/guest/lib/*.c)
GUEST := $(GUEST_SRC:selftests/guest/%.c=$(O)/guest/%)

$(O)/kernel/.stamp: tools/kernel-files
	@echo '  extracting what tests need from the kernel source'
	@tools/kernel-files $(O)/kernel
	@touch $@

$(O)/guest/%: selftests/guest/%.c $(wildcard selftests/guest/lib/*) $(O)/kernel/.stamp tools FORCE
	@mkdir -p $(@D)
	@$(CC) $(CFLAGS) -std=gnu11 -D_GNU_SOURCE -Wall -Wextra -I$(KSELFTEST) \
		-o $@ $< $(GUEST_LIB) \
		$(O)/tools/libshelf.a $(LIBS)

# The fuzzer is several files.
FUZZ_GUEST := $(wildcard selftests/fuzz/guest/*.c)
$(O)/guest/fuzz: selftests/guest/fuzz.c $(FUZZ_GUEST) $(GUEST_LIB) tools \
		$(wildcard selftests/guest/lib/*.h selftests/fuzz/guest/*.h) FORCE
	@mkdir -p $(@D)
	@$(CC) $(CFLAGS) -std=gnu11 -D_GNU_SOURCE -Wall -Wextra -o $@ $(filter %.c,$^) \
		$(O)/tools/libshelf.a $(LIBS)

CALLS ?= 1000000
fuzz-guest:
	@selftests/fuzz/guest/run $(CALLS)

guest-tests: $(GUEST) $(O)/torture/torture follow-tests

# What only a kernel that checks itself can tell.
$(O)/debug/sweep: $(wildcard selftests/debug/*.[ch]) $(GUEST_LIB) $(wildcard selftests/guest/lib/*.h) tools FORCE
	@mkdir -p $(@D)
	@$(CC) $(CFLAGS) -std=gnu11 -D_GNU_SOURCE -Wall -Wextra -Wno-unused-parameter -Wno-sign-compare \
		-Wno-missing-field-initializers -o $@ $(wildcard selftests/debug/*.c) $(GUEST_LIB) \
		$(O)/tools/libshelf.a $(LIBS)

# On kernels that are built for it once, and kept in ~/.cache/shelf.
check-debug:
	@selftests/debug/run

check:
	@selftests/run all

check-hosted:
	@selftests/run hosted

check-guest:
	@selftests/run guest

check-static:
	@selftests/run static

# Lines and branches of the pure files that the hosted tests leave out.
coverage:
	@selftests/coverage/run

.PHONY: coverage

# Bugs put into copies of the tree, one at a time: does a test notice?
check-planted:
	@selftests/planted/run

READS ?= 1000000000
COMMITS ?= 100000
soak: $(O)/torture/torture
	$(O)/torture/torture --reads $(READS) --commits $(COMMITS) hosted:$(O)/torture/soak.shelf

CYCLES ?= 5000
cycles: $(O)/guest/cycles modules
	CYCLES=$(CYCLES) LIMIT=86000 selftests/guest/in 6.1 cycles

# The scripts in tools/trace, beside a load of which it is known what it does.
check-trace:
	@tools/deps build vm test
	@$(MAKE) -s guest-tests modules
	selftests/guest/in 6.1 bpftrace
	selftests/guest/in 6.12 bpftrace

# A writer or the host dies, at more points than a test run has time for.
CRASH := $(addprefix $(O)/crash/,killed torn writer powerloss)
CRASH_SRC := $(addprefix selftests/crash/,kill.c tool.c state.c checkpoint.c log.c)
$(CRASH): $(O)/crash/%: selftests/crash/%.c $(CRASH_SRC) $(wildcard selftests/crash/*.h) tools FORCE
	@mkdir -p $(@D)
	@$(CC) $(CFLAGS) -std=gnu11 -D_GNU_SOURCE -Wall -Wextra -Wshadow -o $@ $< $(CRASH_SRC) \
		$(O)/tools/libshelf.a $(LIBS) -lxxhash

crash-tests: $(CRASH)

crash: crash-tests modules
	@selftests/crash/run
FAILURES ?= 1000000
sweep: $(O)/sweep
	$(O)/sweep --failures $(FAILURES)

# Deltas from a broker in a process of its own.
FOLLOW := $(addprefix $(O)/follow/,broker stream)
$(FOLLOW): $(O)/follow/%: selftests/follow/%.c tools FORCE
	@mkdir -p $(@D)
	@$(CC) $(CFLAGS) -std=gnu11 -Wall -Wextra -o $@ $< $(O)/tools/libshelf.a $(LIBS) \
		$$(pkg-config --cflags --libs rdkafka)

follow-tests: $(FOLLOW)

MESSAGES ?= 250000
follow-long: follow-tests modules
	@selftests/follow/long $(MESSAGES)

# As programs of others see the library: installed, and found by pkg-config.
INSTALLED := $(CURDIR)/$(O)/installed
EXAMPLES_ENV = PKG_CONFIG_SYSROOT_DIR=$(INSTALLED) PKG_CONFIG_PATH=$(INSTALLED)/usr/lib/pkgconfig
installed: tools
	@$(MAKE) -s -C tools O=$(CURDIR)/$(O)/tools DESTDIR=$(INSTALLED) PREFIX=/usr install

examples: installed
	@$(EXAMPLES_ENV) $(MAKE) -s -C examples O=$(CURDIR)/$(O)/examples

demo:
	@tools/demo/demo

$(O)/demo/debian-catalogue: $(wildcard tools/demo/*.c tools/demo/*.h)
	@mkdir -p $(@D)
	@$(CC) $(CFLAGS) -std=gnu11 -Wall -Wextra -o $@ $(addprefix tools/demo/,debian-catalogue.c \
		membership.c registry.c batchfile.c debindex.c aptsource.c debversion.c die.c) -ljansson -lxxhash

$(O)/demo/reader: tools/demo/reader.c tools FORCE
	@mkdir -p $(@D)
	@$(CC) $(CFLAGS) -std=gnu11 -Wall -Wextra -o $@ $< $(O)/tools/libshelf.a \
		$(LIBS) -lxxhash

demo-programs: $(O)/demo/debian-catalogue $(O)/demo/reader

BENCH_FLAGS := -std=gnu11 -O2 -g -Wall -Wextra
$(O)/bench/commit: tools/bench/commit.c tools FORCE
	@mkdir -p $(@D)
	@$(CC) $(BENCH_FLAGS) -o $@ $< $(O)/tools/libshelf.a $(LIBS)

# What needs the peers: $(O)/bench/peers.a has bench.o in it.
bench-peers:
	@$(MAKE) -s -C tools/bench/peers O=$(CURDIR)/$(O)/bench

BENCH := $(addprefix $(O)/bench/,reads disturb costs hold)
$(BENCH): $(O)/bench/%: tools/bench/%.c tools/bench/shelf-map.c tools/bench/sets.c tools/bench/machine.c \
		$(wildcard tools/bench/*.h) tools bench-peers FORCE
	@$(CC) $(BENCH_FLAGS) -o $@ $(filter %.c,$^) $(O)/bench/peers.a \
		$(O)/tools/libshelf.a $(LIBS) $$(cat $(O)/bench/peers.libs) -lm

bench-programs: $(O)/bench/commit $(BENCH)

bench:
	@tools/bench/run

# In guests, beside what a kernel offers without a shelf.
$(O)/bench/guest: $(wildcard tools/bench/guest/*.[ch] tools/bench/bench.[ch]) tools FORCE
	@mkdir -p $(@D)
	@$(CC) $(BENCH_FLAGS) -o $@ $(filter %.c,$^) $(O)/tools/libshelf.a $(LIBS)

bench-guest:
	@tools/bench/guest/run

# The module at the processor's own speed, beside the hosted twin.
$(O)/bench/uml: tools/bench/uml/uml.c $(wildcard tools/bench/bench.[ch]) tools FORCE
	@mkdir -p $(@D)
	@$(CC) $(BENCH_FLAGS) -o $@ $(filter %.c,$^) $(O)/tools/libshelf.a $(LIBS)

bench-uml:
	@tools/bench/uml/run

bench-http:
	@tools/bench/http/run

# From a topic to a shelf: how many, and how soon.
$(O)/bench/delay: tools/bench/follow/delay.c tools/bench/bench.c tools/bench/bench.h tools FORCE
	@mkdir -p $(@D)
	@$(CC) $(BENCH_FLAGS) -o $@ $(filter %.c,$^) $(O)/tools/libshelf.a $(LIBS) \
		$$(pkg-config --cflags --libs rdkafka)

bench-follow:
	@tools/bench/follow/run

# Fuzzers, by clang: see selftests/fuzz/run. Coverage is of our files alone; what
# judges them runs without sanitizers, at speed.
FUZZ := $(O)/fuzz
FUZZ_PURE := arena slab sort table leaf merge directory attrs product source catalog idset batch snapshot guard \
	reclaim pin retain trim
FUZZ_GLUE := netlink decode stage message
FUZZ_NAMES := $(addprefix linux/,cdev device fs idr kref memcontrol module mutex notifier percpu \
	random sizes wait workqueue) net/genetlink net/net_namespace \
	trace/define_trace
FUZZ_SAN := -fsanitize=address,undefined -fno-sanitize-recover=all
FUZZ_COV := -fsanitize-coverage=inline-8bit-counters,pc-table
FUZZ_CC := clang -std=gnu11 -O2 -g -fno-omit-frame-pointer -Wall -Wno-c2x-extensions -MMD -MP
FUZZ_HOST := alloc kernel host
FUZZ_JUDGE := account digest
FUZZ_CTL := line/json line/scan line/base64 shelfctl/print
fuzz_objs = $(1:%=$(FUZZ)/%.o)

$(FUZZ)/kernel/.stamp: Makefile
	@mkdir -p $(@D)/linux $(@D)/net $(@D)/trace
	@for name in $(FUZZ_NAMES); do echo '#include "kernel.h"' >$(@D)/$$name.h; done
	@touch $@

$(FUZZ)/kmod/%.o: kmod/%.c $(FUZZ)/kernel/.stamp
	@mkdir -p $(@D)
	@$(FUZZ_CC) $(FUZZ_SAN) $(FUZZ_COV) -I$(FUZZ)/kernel -Iselftests/fuzz \
		-include selftests/fuzz/alloc.h -c -o $@ $<

$(FUZZ)/tools/%.o: tools/%.c
	@mkdir -p $(@D)
	@$(FUZZ_CC) $(FUZZ_SAN) -fsanitize=fuzzer-no-link -include selftests/fuzz/alloc.h -c -o $@ $<

$(FUZZ)/hosted/%.o: selftests/hosted/%.c
	@mkdir -p $(@D)
	@$(FUZZ_CC) -include selftests/fuzz/alloc.h -c -o $@ $<

$(FUZZ)/%.o: selftests/fuzz/%.c $(FUZZ)/kernel/.stamp
	@mkdir -p $(@D)
	@$(FUZZ_CC) -Wextra $(if $(filter oracle oracle-source,$*),,$(FUZZ_SAN)) -I$(FUZZ)/kernel -Iselftests/fuzz \
		-c -o $@ $<

$(FUZZ)/apply: $(call fuzz_objs,apply-fuzz program sender oracle oracle-source $(FUZZ_HOST) \
		$(FUZZ_JUDGE:%=hosted/%) $(FUZZ_PURE:%=kmod/%) $(FUZZ_GLUE:%=kmod/%))
	@clang $(FUZZ_SAN) -fsanitize=fuzzer -o $@ $^

$(FUZZ)/file: $(call fuzz_objs,file-fuzz tools/lib/adopt $(FUZZ_HOST) $(FUZZ_JUDGE:%=hosted/%) \
		$(FUZZ_PURE:%=kmod/%) $(FUZZ_GLUE:%=kmod/%))
	@clang $(FUZZ_SAN) -fsanitize=fuzzer -o $@ $^

$(FUZZ)/lines: $(call fuzz_objs,lines-fuzz alloc $(FUZZ_CTL:%=tools/%))
	@clang $(FUZZ_SAN) -fsanitize=fuzzer -o $@ $^ $$(pkg-config --libs jansson)

fuzz-programs: $(FUZZ)/apply $(FUZZ)/file $(FUZZ)/lines
.SECONDARY:
-include $(wildcard $(FUZZ)/*.d $(FUZZ)/*/*.d $(FUZZ)/tools/*/*.d)

SECONDS ?= 600
fuzz: fuzz-programs
	@selftests/fuzz/run $(SECONDS)

EXECUTIONS ?= 100000000
fuzz-long:
	@selftests/fuzz/long $(EXECUTIONS)

# What a test run has no time for.
check-long: check-debug check-trace coverage soak sweep crash cycles follow-long fuzz fuzz-long fuzz-guest check-planted

install: $(O)/kmod/$(KERNEL)/shelf.ko tools
	$(MAKE) -C /lib/modules/$(KERNEL)/build M=$(CURDIR)/$(O)/kmod/$(KERNEL) modules_install
	depmod $(KERNEL)
	$(MAKE) -C tools O=$(CURDIR)/$(O)/tools install
	$(if $(DESTDIR),,ldconfig)

# From a copy, so that nothing of the build comes into the tree, nor the other way.
deb:
	@tools/deps deb
	@rm -rf $(O)/deb && mkdir -p $(O)/deb/shelf
	@git ls-files -z kmod tools debian Documentation LICENSES README.md Makefile | \
		tar -cf - --null -T - | tar -xf - -C $(O)/deb/shelf
	@cd $(O)/deb/shelf && dpkg-buildpackage -b -us -uc
	@rm -rf $(O)/deb/shelf

check-deb:
	@selftests/deb/run

clean:
	rm -rf $(O)

FORCE:
.PHONY: all help modules tools tools-san hosted-tests guest-tests check check-debug \
	check-hosted check-guest check-static soak tools-tsan demo demo-programs bench \
	bench-peers bench-programs bench-guest bench-uml bench-http bench-follow examples installed install clean crash-tests crash fuzz \
	fuzz-programs sweep fuzz-guest fuzz-long check-planted \
	cycles check-trace follow-tests follow-long check-long deb check-deb \
	FORCE
