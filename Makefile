# Every target that needs something installed runs Scripts/bootstrap first, which skips what is
# already there; the binary is rebuilt only when a source is newer than the last good build.

SHELL := /bin/bash
MAKEFLAGS += --no-builtin-rules

PREFIX ?= /usr/local
DESTDIR ?=
ARGS ?=

binary := .build/release/plumbline
# Folders count too: removing a file changes its folder's date only.
inputs := $(shell find Sources) Package.swift .deps/stamps/mlx .deps/stamps/swift
formatted := Sources Tests Benchmarks Package.swift
libraries := Statistics Digests Lab Tensors LanguageModels Training Organisms Instruments Trials Studio

# Without --disable-testable-imports the tests want other compiler flags than the program, and
# each of the two would rebuild the whole package after the other.
test_flags := --disable-testable-imports --disable-xctest

.PHONY: help bootstrap build test audit bench install uninstall format lint docs clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo '  Variables: ARGS="…" for audit, bench and test, PREFIX and DESTDIR for install.'

bootstrap: ## install what is missing: Debian packages, MLX, the default model
	@Scripts/bootstrap

build: bootstrap ## build the release binary, .build/release/plumbline
	@$(MAKE) --silent .build/release/built

# The stamp is dated at the start of the build, so a source saved during it counts as newer; it
# lies beside the binary, so `swift package clean` removes both.
.build/release/built: $(inputs)
	@echo 'build: swift build -c release (minutes the first time, seconds after)' >&2
	@mkdir -p .build && touch .build/building
	swift build -c release --product plumbline
	@mv .build/building $@

test: bootstrap ## run the whole test suite
	swift test -c release $(test_flags) $(ARGS)

audit: build ## run the main job: plant, hand over blind, detect, unseal, report
	@$(binary) audit $(ARGS)

bench: build ## measure against PyTorch, TransformerLens and llama.cpp, installed under .deps/bench
	swift build -c release --product plumbline-bench
	@Benchmarks/setup
	@.deps/bench/bin/python Benchmarks/bench.py $(ARGS)

install: build ## leave a plumbline under PREFIX that needs neither this folder nor a toolchain
	@Scripts/bootstrap patchelf
	@PREFIX="$(PREFIX)" DESTDIR="$(DESTDIR)" Scripts/install

uninstall: ## remove what install left under PREFIX
	rm -rf "$(DESTDIR)$(PREFIX)/bin/plumbline" "$(DESTDIR)$(PREFIX)/lib/plumbline" \
	  "$(DESTDIR)$(PREFIX)/share/plumbline"

format: ## rewrite the sources in the project's format
	swift format --in-place --parallel --recursive $(formatted)

lint: ## check the format and the style rules
	swift format lint --strict --parallel --recursive $(formatted)

docs: bootstrap ## build the reference of every library; a warning is an error
	@for library in $(libraries); do \
	  swift package generate-documentation --target "$$library" --warnings-as-errors || exit 1; \
	done

clean: ## remove what was built, and keep .deps and runs
	rm -rf .build
