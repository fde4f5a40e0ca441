# Entry points for people; `make help` lists them.
SHELL := /bin/bash
BUILD ?= release
JOBS ?= $(shell nproc)

.PHONY: help deps build test lint fmt
help:  ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

deps:  ## install the Debian packages that are missing (asks for root when needed)
	@e2e/setup/install-packages deps.txt

build: deps  ## build everything in release mode (BUILD=debug|asan|tsan for the others)
	@cmake --preset $(BUILD) $(if $(VERBOSE),,> /dev/null)
	@cmake --build --preset $(BUILD) -j $(JOBS)

test: build  ## run every test that CI runs
	ctest --preset $(BUILD) -j $(JOBS)

lint: deps  ## formatting, layering, clang-tidy on what changed
	@e2e/tidy/check

fmt:  ## format the C++ sources in place
	@git ls-files '*.cc' '*.h' | xargs clang-format -i
