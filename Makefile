# Entry points for people; `make help` lists them.
SHELL := /bin/bash
BUILD ?= release
JOBS ?= $(shell nproc)
SANITIZERS ?= asan
DATA ?= data
PREFIX ?= /usr/local

.PHONY: help run deps test-deps build unit e2e test sanitize bench bench-report lint fmt install clean
help:  ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: build  ## start one PD and three stores on this machine (data in ./data, or DATA=folder)
	@exec build/$(BUILD)/bin/tikv-ctl playground --data-dir $(DATA)

deps:
	@e2e/setup/install-packages deps.txt

test-deps: deps
	@e2e/setup/install-packages e2e/setup/test-deps.txt

build: deps  ## build everything in release mode (BUILD=debug, asan or tsan for the others)
	@mkdir -p build && cmake --preset $(BUILD) >build/configure.log 2>&1 || { cat build/configure.log; exit 1; }
	@cmake --build --preset $(BUILD) -j $(JOBS)

unit: build  ## the unit tests of that build
	@ctest --preset $(BUILD) -L unit -j $(JOBS)

e2e: build test-deps  ## real servers against real clients
	@tools=$$(e2e/setup/toolchains) && eval "$$tools" && ctest --preset $(BUILD) -L e2e -j 2

test: build test-deps  ## every test that CI runs
	@tools=$$(e2e/setup/toolchains) && eval "$$tools" && ctest --preset $(BUILD) -j 2 && $(MAKE) -s sanitize

sanitize: test-deps  ## the unit tests under ASan+UBSan (SANITIZERS='asan tsan': under TSan too)
	@tools=$$(e2e/setup/toolchains) && eval "$$tools" && mkdir -p build && for preset in $(SANITIZERS); do \
	  cmake --preset $$preset >build/configure.log 2>&1 || { cat build/configure.log; exit 1; }; \
	  cmake --build --preset $$preset --target unit_tests -j $(JOBS) && \
	  ctest --preset $$preset -L unit -j $(JOBS) || exit 1; done

bench: deps  ## measure against the original's figures (ARGS=--help tells more)
	@mkdir -p build/bench && cmake --preset $(BUILD) >build/configure.log 2>&1 || { cat build/configure.log; exit 1; }
	@cmake --build --preset $(BUILD) -j $(JOBS) --target tikv-server pd-server tikv-ctl
	@tools=$$(e2e/setup/toolchains) && eval "$$tools" && go build -C e2e -o ../build/bench/bench ./bench && \
	  build/bench/bench --bin build/$(BUILD)/bin $(ARGS)

bench-report:  ## one page with plots of the newest figures (ARGS="FILE..." for others)
	@tools=$$(e2e/setup/toolchains) && eval "$$tools" && go build -C e2e -o ../build/bench/bench ./bench && \
	  build/bench/bench report $(ARGS)

lint: deps  ## formatting, the tree's rules, clang-tidy on what changed
	@e2e/tidy/check

fmt:  ## format the C++ sources in place
	@git ls-files '*.cc' '*.h' | xargs clang-format -i

install: build  ## the programs and the C++ driver to PREFIX=/usr/local
	@cmake --install build/$(BUILD) --prefix $(PREFIX) >build/install.log || { cat build/install.log; exit 1; }
	@echo "Installed to $(PREFIX)."

clean:  ## remove what was built
	@rm -rf build
