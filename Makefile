# SPDX-License-Identifier: GPL-2.0
# `make help` tells the targets.

.DEFAULT_GOAL := all

# Building the module for one kernel; any machine with its headers can. Objects
# go to build/<release>/, which mirrors the sources: before 6.13 Kbuild cannot
# keep the two apart.
KDIR ?= /lib/modules/$(shell uname -r)/build
release = $(shell $(MAKE) -s -C $(KDIR) kernelrelease)
objects = $(CURDIR)/build/$(release)

.PHONY: modules
modules:
	@mkdir -p $(objects)
	@cp -rsf $(CURDIR)/Kbuild $(CURDIR)/ws_ulp $(objects)
	@find $(objects) -xtype l -delete
	$(MAKE) -C $(KDIR) M=$(objects) W=1 modules

# What a guest gets of one kernel: selftests/vm/run asks for it, in the base root.
.PHONY: guest
guest: modules
