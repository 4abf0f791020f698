# Everything from a fresh checkout: `make demo` and `make test` set up what they need and nothing that is there already.
VENV ?= .venv
WORKERS ?= 2
THREADS ?= 1
NAME ?= raster
export VENV
export OMP_WAIT_POLICY ?= PASSIVE

BIN := $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help demo test lint bench clean

help:
	@echo "make demo    the whole chain on the sample in assets/: pictures and a report"
	@echo "make test    every test          (ARGS='-k camera' for some)"
	@echo "make lint    ruff"
	@echo "make bench   one benchmark table (NAME=raster)"
	@echo "make clean   remove what was built; $(VENV) stays"

demo:
	@scripts/setup.sh demo
	@$(BIN)/robodistill demo --overwrite $(ARGS)

test:
	@scripts/setup.sh test
	@OMP_NUM_THREADS=$(THREADS) $(BIN)/python -m pytest -q -n $(WORKERS) $(ARGS)

lint:
	@scripts/setup.sh test
	@$(BIN)/ruff check .

bench:
	@scripts/setup.sh test
	@$(BIN)/robodistill bench $(NAME) $(ARGS)

clean:
	@rm -rf build dist *.egg-info .pytest_cache .ruff_cache robodistill/raster/_kernel*.so
	@find robodistill tests launch -name __pycache__ -type d -prune -exec rm -rf {} +
