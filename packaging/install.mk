# SPDX-License-Identifier: GPL-2.0-only
# What is installed and where: one list for the install targets and for the uninstall targets.
# usage: make -f packaging/install.mk TARGET [VARIABLE=VALUE...], from the top folder

VERSION		:= $(shell cat VERSION)

prefix		= /usr/local
exec_prefix	= $(prefix)
bindir		= $(exec_prefix)/bin
libdir		= $(exec_prefix)/lib
includedir	= $(prefix)/include
datarootdir	= $(prefix)/share
mandir		= $(datarootdir)/man
pkgconfigdir	= $(libdir)/pkgconfig
completionsdir	= $(datarootdir)/bash-completion/completions
zshdir		= $(datarootdir)/zsh/site-functions
fishdir		= $(datarootdir)/fish/vendor_completions.d
udevdir		= $(prefix)/lib/udev
modulesloaddir	= $(prefix)/lib/modules-load.d
# The kernel and DKMS look in these alone.
moddir		= /lib/modules
srcdir		= /usr/src

CC		?= cc
PKG_CONFIG	?= pkg-config
CFLAGS		?= -O2 -g

# The tool of the build tree has libctxfd in it; this one wants the library installed.
CTX		:= build/install/ctx
CTX_PACKAGES	:= libtracefs ncursesw smartcols
KO		:= kmod/ctx.ko
RELEASE		= $(shell PATH=$$PATH:/sbin:/usr/sbin modinfo -F vermagic $(KO) | cut -d ' ' -f 1)
dkmsdir		= $(srcdir)/ctx-$(VERSION)

# A word for each file, HOW:FROM:TO, where HOW is a mode, "link" or "fill" (in the @words@).
files = $(foreach file,$(2),$(1):$(file):$(3)/$(notdir $(file)))
# Pages with several names have links.
page = $(if $(2),link:$(2):$(mandir)/$(3)/$(notdir $(1)),$(call files,644,$(1),$(mandir)/$(3)))
man = $(foreach n,$(1),$(foreach file,$(wildcard libctxfd/man/*.$(n) tools/man/*.$(n)), \
	$(call page,$(file),$(shell readlink $(file)),man$(n))))

install_files = \
	$(call files,755,$(CTX),$(bindir)) \
	644:tools/ctx.bash:$(completionsdir)/ctx \
	644:tools/ctx.zsh:$(zshdir)/_ctx \
	644:tools/ctx.fish:$(fishdir)/ctx.fish \
	$(call files,644,libctxfd/libctxfd.a,$(libdir)) \
	644:libctxfd/libctxfd.so.0:$(libdir)/libctxfd.so.$(VERSION) \
	link:libctxfd.so.$(VERSION):$(libdir)/libctxfd.so.0 \
	link:libctxfd.so.0:$(libdir)/libctxfd.so \
	fill:packaging/libctxfd.pc.in:$(pkgconfigdir)/libctxfd.pc \
	$(call files,644,libctxfd/include/ctxfd.h,$(includedir)) \
	$(call files,644,uapi/linux/ctx.h,$(includedir)/linux) \
	$(call man,1 3 4 7)

system_files = \
	644:packaging/udev.rules:$(udevdir)/rules.d/70-ctx.rules \
	644:packaging/modules-load.conf:$(modulesloaddir)/ctx.conf

modules_files = $(system_files) \
	$(call files,644,$(KO),$(moddir)/$(RELEASE)/updates)

dkms_files = $(system_files) \
	fill:packaging/dkms.conf.in:$(dkmsdir)/dkms.conf \
	$(foreach file,$(wildcard Kbuild kmod/Kbuild $(addsuffix /*.h,kmod kmod/include/linux uapi/linux)) \
		$(filter-out %.mod.c,$(wildcard kmod/*.c)),644:$(file):$(dkmsdir)/$(file))

# Recipes: a line for each file.
define newline


endef
put-link = mkdir -p '$(DESTDIR)$(dir $(2))' && ln -sf $(1) '$(DESTDIR)$(2)'
put-fill = sed 's,@VERSION@,$(VERSION),; s,@prefix@,$(prefix),; s,@libdir@,$(libdir),; s,@includedir@,$(includedir),' \
	$(1) | install -D -m 644 /dev/stdin '$(DESTDIR)$(2)'
put-644 = install -D -m 644 $(1) '$(DESTDIR)$(2)'
put-755 = install -D -m 755 $(1) '$(DESTDIR)$(2)'
quiet = $(findstring s,$(filter-out --%,$(firstword $(MAKEFLAGS))))
put-word = @$(if $(quiet),,echo '  INSTALL $(DESTDIR)$(3)'; )$(call put-$(1),$(2),$(3))$(newline)
drop-word = @rm -f '$(DESTDIR)$(3)'$(newline)
apply = $(call $(1)-word,$(word 1,$(2)),$(word 2,$(2)),$(word 3,$(2)))
each = $(foreach file,$(2),$(call apply,$(1),$(subst :, ,$(file))))

build: $(CTX)
	@:

$(CTX): $(patsubst %.c,%.o,$(wildcard tools/*.c)) libctxfd/libctxfd.so
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(filter %.o,$^) -Llibctxfd -lctxfd \
		$$($(PKG_CONFIG) --libs $(CTX_PACKAGES))

# The linker's cache is the machine's: not for a DESTDIR, nor where the user may not.
ldconfig = @[ -n '$(DESTDIR)' ] || [ ! -w /etc ] || PATH=$$PATH:/sbin:/usr/sbin ldconfig
depmod = @[ -n '$(DESTDIR)' ] || PATH=$$PATH:/sbin:/usr/sbin depmod $(RELEASE)

install: $(CTX)
	$(call each,put,$(install_files))
	$(ldconfig)

uninstall:
	$(call each,drop,$(install_files))
	$(ldconfig)

modules_install: $(KO)
	$(if $(RELEASE),,$(error cannot read $(KO): is modinfo there?))
	$(call each,put,$(modules_files))
	$(depmod)

modules_uninstall: $(KO)
	$(call each,drop,$(modules_files))
	$(depmod)

$(KO):
	@echo 'there is no $@: make module makes it' >&2; exit 1

dkms_install:
	$(call each,put,$(dkms_files))

dkms_uninstall:
	$(call each,drop,$(dkms_files))
	@[ ! -d '$(DESTDIR)$(dkmsdir)' ] || find '$(DESTDIR)$(dkmsdir)' -depth -type d -empty -delete

.PHONY: build install uninstall modules_install modules_uninstall dkms_install dkms_uninstall
