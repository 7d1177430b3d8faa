# SPDX-License-Identifier: GPL-2.0
# `make help` tells the targets.
#
# Nearly all is compiled and run in a root file system of our own (selftests/vm),
# with this same Makefile: the targets in the first half are its, and modules,
# tools and install are any machine's.

.DEFAULT_GOAL := all

# The module for one kernel. Objects go to build/<release>/, which mirrors the
# sources: before 6.13 Kbuild cannot keep the two apart.
KDIR	?= /lib/modules/$(shell uname -r)/build
release	= $(shell $(MAKE) -s --no-print-directory -C $(KDIR) kernelrelease)
objects	= $(CURDIR)/build/$(release)
W	?= 1

# What a root's compiler made is not for the machine around it.
root	:= $(wildcard /etc/ws-root)
tools	:= $(MAKE) -C tools OBJ=$(CURDIR)/build/$(if $(root),tools,host)

.PHONY: modules tools install clean
modules:
	@mkdir -p $(objects)
	@cp -rsf $(addprefix $(CURDIR)/,Kbuild VERSION ws_ulp) $(objects)
	@find $(objects) -xtype l -delete
	+$(MAKE) -C $(KDIR) M=$(objects) W=$(W) modules

tools:
	+$(tools)

install: modules
	+$(MAKE) -C $(KDIR) M=$(objects) modules_install
	depmod $(if $(INSTALL_MOD_PATH),-b $(INSTALL_MOD_PATH)) $(release)
	install -D -m 644 ws_ulp/include/uapi/linux/ws.h \
		$(DESTDIR)/usr/include/linux/ws.h
	+$(tools) install

clean:
	rm -rf build

SUITES	:= unit handshake fuzz

ifneq ($(root),)

# In the base root: linux-source has kselftest's own parts.
LINUX	:= /usr/src/linux
KSELFTEST := $(LINUX)/tools/testing/selftests
INSTALL	:= $(CURDIR)/build/kselftest

.PHONY: guest kselftest conformance handshake-plain lint fuzz-handshake \
	fuzz-kernel faults $(SUITES)
# What selftests/vm/run puts into a guest
guest: modules tools kselftest conformance handshake-plain

conformance:
	+$(MAKE) -C selftests/conformance

faults:
	+$(MAKE) -C selftests/faults

handshake-plain:
	+$(MAKE) -C selftests/handshake plain

kselftest:
	+$(MAKE) -C selftests/net -I $(KSELFTEST) OUTPUT=$(CURDIR)/build/net \
		INSTALL_PATH=$(INSTALL)/ws install
	cp -r $(KSELFTEST)/run_kselftest.sh $(KSELFTEST)/kselftest $(INSTALL)
	$(MAKE) -s -C selftests/net -I $(KSELFTEST) COLLECTION=ws emit_tests \
		>$(INSTALL)/kselftest-list.txt

$(SUITES):
	+$(MAKE) -C selftests/$@ check

# libwsup's fuzzer as well, for as long again
fuzz: fuzz-handshake
fuzz-handshake:
	+$(MAKE) -C selftests/handshake fuzz

fuzz-kernel:
	+$(MAKE) -C selftests/fuzz-kernel

lint:
	selftests/lint/all

else

VM	:= selftests/vm
KERNELS	:= stable backports

# Scripts of their own, which boot what they need
RUNS	:= demo conformance interop mutants bench coverage fuzz-kernel faults

.PHONY: all help check check-debug check-kernels deb check-packages shell lint peers machine \
	$(SUITES) $(RUNS)
all:
	@for kernel in $(KERNELS); do \
		$(VM)/build -k $$kernel guest || exit; \
	done

help:
	@sed -n 's/^#help //p' Makefile

#help make              build the module for both kernels, and the tools
#help make demo         watch other people's programs talk to it
#help make check        all tests, on both kernels: the verdict
#help make check-debug  the same in a guest whose kernel checks itself
#help make check-kernels  build for every kernel of Debian, boot the newest
#help make shell        a shell in a guest, module loaded
#help make unit         tests of the pure files alone
#help make handshake    tests of libwsup alone, by scripted peers
#help make peers        libwsup and other people's proxies, servers and clients
#help make machine      the cache of the test machine, used by several at once
#help make fuzz         a minute of fuzzing each of the two (FUZZ_SECONDS=60)
#help make fuzz-kernel  ten minutes of fuzzing the module in a kernel (T=600)
#help make conformance  RFC 6455 case by case, as server and as client
#help make interop      other people's programs, both ways
#help make mutants      one-line breaks of the module, each caught by a test
#help make faults       each allocation and copy of the module fails once
#help make bench        instructions and bytes, against their targets
#help make coverage     lines of the module that the kselftests execute
#help make lint         W=1, sparse, checkpatch, spelling, shellcheck, layers
#help make deb          Debian packages: module source, library, tools
#help make check-packages  install them in guests from nothing, and use them
#help make install      module, header and tools, on this machine (as root)
#help make clean        remove build/; the cache of the test machine stays
check:
	@selftests/check machine $(SUITES) peers $(KERNELS)

check-debug:
	@selftests/check debug

check-kernels:
	@selftests/kernels/run

deb:
	@selftests/packages/build

check-packages:
	@selftests/packages/run

$(RUNS):
	@IN="$(VM)/in base --" selftests/$@/run

peers:
	@$(VM)/in peers -- $(MAKE) -s -C selftests/handshake check TESTS=real \
		OBJ=/src/build/peers

machine:
	@$(VM)/test

shell:
	@$(VM)/run -i

$(SUITES):
	@$(VM)/build $@

lint:
	@mkdir -p build
	@git ls-files >build/lint.files
	@$(VM)/build $@

endif
