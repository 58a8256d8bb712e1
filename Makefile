# `make test` and `make demo` install by themselves; a second run skips that.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

export NO_ALBUMENTATIONS_UPDATE := 1

.PHONY: install demo test test-slow check format docs bench clean

install: $(STAMP)

$(STAMP): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	touch $@

demo: $(STAMP)
	$(BIN)/python scripts/demo.py

test: $(STAMP)
	$(BIN)/python -m pytest -q -n auto -m "not slow"

test-slow: $(STAMP)
	$(BIN)/python -m pytest -q -m slow

check: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# The site, from pages and docstrings, into site/; needs no network once the tools are installed.
docs: $(STAMP)
	test -x $(BIN)/mkdocs || $(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[docs]'
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

# Writes the figures of this machine and puts their tables into docs/speed.md: a quarter of an hour, on an idle machine.
FIGURES := docs/benchmarks
PHOTOS ?= samples
BENCH := $(BIN)/python scripts/benchmark.py

bench: $(STAMP)
	$(BENCH) forward --size 256 --rounds 12 --against port --profile --json $(FIGURES)/deepfill_forward_256_port.json
	$(BENCH) forward --size 256 --rounds 8 --against reference --json $(FIGURES)/deepfill_forward_256_reference.json
	$(BENCH) forward --size 256 --rounds 8 --dtype bfloat16 --against float32 --json $(FIGURES)/deepfill_forward_256_bfloat16.json
	$(BENCH) forward --size 512 --rounds 4 --against port --profile --json $(FIGURES)/deepfill_forward_512_port.json
	$(BENCH) forward --size 512 --rounds 4 --against reference --json $(FIGURES)/deepfill_forward_512_reference.json
	$(BENCH) forward --size 512 --rounds 4 --dtype bfloat16 --against float32 --json $(FIGURES)/deepfill_forward_512_bfloat16.json
	$(BENCH) forward --model pconv --size 256 --rounds 8 --against reference --json $(FIGURES)/pconv_forward_256_reference.json
	$(BENCH) forward --model pconv --size 512 --rounds 4 --against reference --json $(FIGURES)/pconv_forward_512_reference.json
	for part in encoder generator discriminator; do $(BENCH) forward --model pluralistic --part $$part --size 256 --rounds 12 \
		--no-memory --against reference --json $(FIGURES)/pluralistic_forward_256_$$part.json || exit 1; done
	$(BENCH) forward --model edgeconnect --size 256 --rounds 6 --against reference --json $(FIGURES)/edgeconnect_forward_256_reference.json
	$(BENCH) forward --model edgeconnect --size 256 --rounds 6 --no-memory --dtype bfloat16 --against float32 --json $(FIGURES)/edgeconnect_forward_256_bfloat16.json
	$(BENCH) step --size 128 --batch 2 --channels-last --against channels_last=false --profile --json $(FIGURES)/deepfill_step_128.json
	$(BENCH) step --size 128 --batch 2 --channels-last --precision bf16-mixed --against precision=32-true --profile --json $(FIGURES)/deepfill_step_128_bf16.json
	$(BENCH) data --data $(PHOTOS) --json $(FIGURES)/data.json
	$(BENCH) masks
	$(BENCH) table $(FIGURES)/*.json --into docs/speed.md

clean:
	rm -rf $(VENV) build dist site
