# SPDX-License-Identifier: GPL-2.0-only
# Cancellation contexts: everything from here; `make help` lists it.

KERNEL	?= 6.1
KERNELS	:= 6.1 6.12 6.12-rt latest-kasan latest-kcsan uml-kasan
KDIR	?=
TESTS	?=
DURATION ?= 60
PLANTED	?=
SAMPLE	?=
SCREENSHOT ?=
VERSION	:= $(shell cat VERSION)
INSTALL	:= install modules_install dkms_install uninstall modules_uninstall dkms_uninstall

all: module libctxfd tools samples selftests

help:
	@echo 'make                   build the module, the library, the ctx command, the samples and the tests'
	@echo 'make module            build kmod/ctx.ko'
	@echo 'make libctxfd, tools, samples, selftests   build that, and what it needs'
	@echo 'make integration       build the samples of event loops, with the libraries of those'
	@echo 'make programs          build the programs of samples/programs, with the libraries of those'
	@echo 'make run               boot a kernel in QEMU, load the module, run the demonstration;'
	@echo '                       SAMPLE=search: that of samples/programs/search'
	@echo 'make shell             the same guest with an interactive shell'
	@echo 'make check             run the tests in QEMU'
	@echo 'make check-library     run those of the library under ASan, UBSan, TSan and valgrind'
	@echo 'make check-browser     look at the page of samples/programs/search with Chromium;'
	@echo '                       SCREENSHOT=FILE: and draw it'
	@echo 'make check-all         run the tests on $(KERNELS), and the benchmark'
	@echo 'make bench             what contexts cost as a part of what eventfd, timerfd and others do'
	@echo 'make plots             draw what it costs to cancel, by how many there are'
	@echo 'make performance       take all figures and pictures of Documentation/performance.rst anew'
	@echo 'make profile           where ROW= of the benchmark spends its instructions; SIDE=peer: its peer'
	@echo 'make fuzz              make random calls and check what comes of them; on uml without KERNEL='
	@echo 'make check-planted     plant defects in a copy, and see that each is found'
	@echo 'make model             verify the model of the memory order, and that it needs each step'
	@echo 'make coverage          run them with gcov: the lines of kmod/ that they come by'
	@echo 'make lint              check the sources without running them'
	@echo 'make clean             remove what was built here; CTX_CACHE stays'
	@echo
	@echo 'make install           the library, its headers, the ctx command, the manual pages'
	@echo 'make modules_install   kmod/ctx.ko, for the kernel that it was built for'
	@echo 'make dkms_install      the module'"'"'s source, in /usr/src/ctx-$(VERSION), for DKMS'
	@echo 'make uninstall, modules_uninstall, dkms_uninstall   the reverse of each'
	@echo 'make deb               the Debian packages of all that, in build/deb'
	@echo 'make check-packages    test all that on a copy of this machine'
	@echo
	@echo 'KERNEL=   for run, shell, check and check-library: $(KERNELS),'
	@echo '          uml or uml-kcsan; $(KERNEL) without'
	@echo 'TESTS=    for check: programs of selftests/, as in TESTS="cancel deadline"; all without'
	@echo 'ROWS=     for bench: rows of selftests/bench/limits; ROUNDS= how often each is taken;'
	@echo '          SLACK= by how many percent one may be over and not fail'
	@echo 'DURATION= for fuzz: seconds; SEED= what to begin with; FUZZ= what it says to run again'
	@echo 'PLANTED=  for check-planted: numbers of selftests/planted/; all without, 00 is none'
	@echo 'KDIR=     for make: the kernel build folder; without, the running kernel'"'"'s, else the'
	@echo '          newest installed'
	@echo 'DESTDIR=, prefix=, libdir=...  for the install targets: see packaging/install.mk'
	@echo 'CTX_CACHE kernels and sources are kept there; ~/.cache/ctx without'

packages:
	@scripts/packages build

module: packages
	@ko=$$(scripts/module $(KDIR)) && cp "$$ko" kmod/ctx.ko

libctxfd: packages
	@$(MAKE) -C libctxfd

tools: libctxfd
	@$(MAKE) -C tools
	@$(MAKE) --no-print-directory -f packaging/install.mk build

samples: libctxfd
	@$(MAKE) -C samples

integration: samples
	@scripts/packages integration
	@$(MAKE) -C samples integration

programs: libctxfd
	@scripts/packages programs
	@$(MAKE) -C samples/programs

selftests: libctxfd tools
	@scripts/packages tests
	@mkdir -p build/selftests
	@ksft=$$(scripts/kernel-source) && \
		$(MAKE) -C selftests KSFT=$$ksft/tools/testing/selftests \
			OUTPUT=$(CURDIR)/build/selftests

run:
	@selftests/qemu/guest run $(KERNEL) $(SAMPLE)

shell:
	@selftests/qemu/guest shell $(KERNEL)

check:
	@selftests/qemu/guest check $(KERNEL) $(TESTS)

export ROWS ROUNDS SLACK
bench:
	@selftests/bench/run $(if $(filter file,$(origin KERNEL)),6.1 6.12,$(KERNEL))

export SIZES
plots:
	@selftests/bench/plots $(if $(filter file,$(origin KERNEL)),6.12,$(KERNEL))

performance:
	@selftests/bench/performance

SIDE	?= ctx
profile:
	@selftests/qemu/guest profile $(KERNEL) $(ROW) $(SIDE)

export SEED FUZZ
fuzz:
	@selftests/qemu/guest fuzz $(if $(filter file,$(origin KERNEL)),uml,$(KERNEL)) $(DURATION)

check-library:
	@selftests/qemu/guest check $(KERNEL) libctxfd_asan.sh libctxfd_tsan.sh libctxfd_valgrind.sh

check-browser:
	@samples/tests/browser $(SCREENSHOT)

check-all:
	@selftests/qemu/check-all $(KERNELS)

check-planted:
	@selftests/planted/run $(PLANTED)

model:
	@selftests/model/run

coverage:
	@selftests/coverage/coverage $(if $(filter file,$(origin KERNEL)),uml,$(KERNEL)) $(TESTS)

lint:
	@scripts/lint

install: tools
$(INSTALL):
	@$(MAKE) --no-print-directory -f packaging/install.mk $@

deb:
	@packaging/deb

check-packages:
	@packaging/check

clean:
	rm -rf build
	rm -f kmod/ctx.ko
	$(MAKE) -C libctxfd clean
	$(MAKE) -C tools clean
	$(MAKE) -C samples clean

.PHONY: all help packages module libctxfd tools samples integration programs selftests run shell check \
	check-library check-browser check-all check-planted bench plots performance profile coverage fuzz lint model clean deb check-packages $(INSTALL)
