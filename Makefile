# Every target installs into .venv first, once: PyTorch and the rest, some gigabytes. `make PYTHON=python3.12 test` chooses
# the Python.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

export NO_ALBUMENTATIONS_UPDATE := 1

.DEFAULT_GOAL := help
.PHONY: help install demo test test-slow check format docs bench clean

help: ## show this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

install: $(STAMP) ## install everything into .venv

$(STAMP): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --disable-pip-version-check -e '.[dev]'
	touch $@

demo: $(STAMP) ## train a small network for some minutes, fill a photo with it: demo/contact_sheet.png
	$(BIN)/python scripts/demo.py

test: $(STAMP) ## run the tests, without the slow ones
	@echo 'The tests usually take five to ten minutes on two cores.'
	$(BIN)/python -m pytest -q -n auto -m "not slow"

test-slow: $(STAMP) ## run the slow tests
	$(BIN)/python -m pytest -q -m slow

check: $(STAMP) ## lint, formatting, types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(STAMP) ## mend what lint and formatting can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(STAMP) ## build the site of the documentation into site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

# A line a measurement: the file below docs/benchmarks, and the arguments.
define MEASUREMENTS
deepfill_forward_256_port           forward --size 256 --rounds 12 --against port --profile
deepfill_forward_256_reference      forward --size 256 --rounds 8 --against reference
deepfill_forward_256_bfloat16       forward --size 256 --rounds 8 --dtype bfloat16 --against float32
deepfill_forward_512_port           forward --size 512 --rounds 4 --against port --profile
deepfill_forward_512_reference      forward --size 512 --rounds 4 --against reference
deepfill_forward_512_bfloat16       forward --size 512 --rounds 4 --dtype bfloat16 --against float32
pconv_forward_256_reference         forward --model pconv --size 256 --rounds 8 --against reference
pconv_forward_512_reference         forward --model pconv --size 512 --rounds 4 --against reference
pluralistic_forward_256_encoder     forward --model pluralistic --part encoder --size 256 --rounds 12 --no-memory --against reference
pluralistic_forward_256_generator   forward --model pluralistic --part generator --size 256 --rounds 12 --no-memory --against reference
pluralistic_forward_256_discriminator forward --model pluralistic --part discriminator --size 256 --rounds 12 --no-memory --against reference
edgeconnect_forward_256_reference   forward --model edgeconnect --size 256 --rounds 6 --against reference
edgeconnect_forward_256_bfloat16    forward --model edgeconnect --size 256 --rounds 6 --no-memory --dtype bfloat16 --against float32
scfegan_forward_256_reference       forward --model scfegan --size 256 --rounds 6 --threads 2 --against reference --profile
lama_forward_256_reference          forward --model lama --size 256 --rounds 8 --threads 2 --against reference --profile
lama_forward_512_reference          forward --model lama --size 512 --rounds 3 --threads 2 --against reference --profile
lama_forward_256_bfloat16           forward --model lama --size 256 --rounds 4 --threads 2 --no-memory --dtype bfloat16 --against float32
migan_forward_256_reference         forward --model migan --size 256 --rounds 8 --threads 2 --against reference --profile
migan_forward_512_reference         forward --model migan --size 512 --rounds 4 --threads 2 --against reference --profile
migan_forward_256_bfloat16          forward --model migan --size 256 --rounds 4 --threads 2 --no-memory --dtype bfloat16 --against float32
aotgan_forward_256_reference        forward --model aotgan --size 256 --rounds 8 --threads 2 --against reference --profile
aotgan_forward_512_reference        forward --model aotgan --size 512 --rounds 4 --threads 2 --against reference --profile
aotgan_forward_256_bfloat16         forward --model aotgan --size 256 --rounds 4 --threads 2 --no-memory --dtype bfloat16 --against float32
erasenet_forward_256_reference      forward --model erasenet --size 256 --rounds 6 --threads 2 --against reference --profile
vcnet_forward_256_reference         forward --model vcnet --size 256 --rounds 6 --threads 2 --against reference --profile
pctnet_forward_256_reference        forward --model pctnet --size 256 --rounds 6 --threads 2 --against reference --profile
johnson_forward_256_reference       forward --model johnson --size 256 --rounds 8 --threads 2 --against reference --profile
johnson_forward_256_bfloat16        forward --model johnson --size 256 --rounds 8 --threads 2 --no-memory --dtype bfloat16 --against float32
multistyle_forward_256_reference    forward --model multistyle --size 256 --rounds 8 --threads 2 --against reference --profile
multistyle_forward_256_bfloat16     forward --model multistyle --size 256 --rounds 8 --threads 2 --no-memory --dtype bfloat16 --against float32
adain_forward_256_reference         forward --model adain --size 256 --rounds 8 --threads 2 --against reference --profile
adain_forward_256_bfloat16          forward --model adain --size 256 --rounds 8 --threads 2 --no-memory --dtype bfloat16 --against float32
glcic_forward_256_reference         forward --model glcic --size 256 --rounds 8 --threads 2 --against reference --profile
glcic_forward_512_reference         forward --model glcic --size 512 --rounds 4 --threads 2 --against reference --profile
deepfill_step_128                   step --size 128 --batch 2 --channels-last --against channels_last=false --profile
deepfill_step_128_bf16              step --size 128 --batch 2 --channels-last --precision bf16-mixed --against precision=32-true --profile
data                                data --data $(PHOTOS)
poisson                             poisson --rounds 3
style_512_published                 style --width 512 --threads 2 --rounds 8 --against published
style_512_bfloat16                  style --width 512 --threads 2 --rounds 8 --no-memory --precision bfloat16 --against published
endef
export MEASUREMENTS
FIGURES := docs/benchmarks
PHOTOS ?= samples
BENCH := $(BIN)/python scripts/benchmark.py

bench: $(STAMP) ## measure this machine's speed into docs/speed.md: half an hour, on an idle machine
	@echo "$$MEASUREMENTS" | while read -r name arguments; do \
		echo "benchmark $$arguments"; $(BENCH) $$arguments --json $(FIGURES)/$$name.json </dev/null || exit 1; done
	$(BENCH) masks
	$(BENCH) table $(FIGURES)/*.json --into docs/speed.md

clean: ## remove what was installed and built
	rm -rf $(VENV) build dist site
