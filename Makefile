# Outpost: `make help` lists the targets.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
# The requirement files are complete and hashed, so that dependencies are not looked up again.
LOCKED := $(PIP) install --no-deps --require-hashes --requirement
PROJECT := $(PIP) install --no-deps --editable .
ENGINE_ANSWERS := docker info >/dev/null 2>&1 || \
	{ echo "a Docker engine with Compose and buildx is needed, and none answers"; exit 2; }

.DEFAULT_GOAL := help
.PHONY: help setup demo serve check test system-test soak lint format bench train models images up down logs bundle clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || \
		{ echo "Python 3.11 to 3.13 is needed, $$($(PYTHON) --version) was found; name another one: make PYTHON=python3.12 ..."; exit 2; }
	$(PYTHON) -m venv $(VENV)

# Stamps name what a set of packages was installed from; a changed requirement file installs it again.
$(VENV)/.gateway: requirements/gateway.txt requirements/device-agent.txt pyproject.toml | $(BIN)/python
	$(LOCKED) requirements/gateway.txt
	$(LOCKED) requirements/device-agent.txt
	$(PROJECT)
	@touch $@

$(VENV)/.development: requirements/development.txt pyproject.toml | $(BIN)/python
	$(LOCKED) requirements/development.txt
	$(PROJECT)
	@touch $@ $(VENV)/.gateway

# PyTorch is not in the locks: which build is right depends on the machine (CPU, CUDA version).
$(VENV)/.torch: $(VENV)/.development
	$(PIP) install torch==2.13.0
	$(PIP) install --no-deps torch-pruning==1.6.1
	@touch $@

setup: $(VENV)/.gateway ## make .venv with what serving needs

demo: setup ## set up, run the main job on the sample frames, show what was found
	$(BIN)/outpost-gateway demo

serve: setup ## start Triton and the gateway, and stay up
	$(BIN)/outpost-gateway serve

check: setup ## say what is installed, which paths are chosen and what is degraded
	$(BIN)/outpost-gateway check

test: $(VENV)/.torch ## run the tests, against the real Triton
	$(BIN)/pytest -m "not parts and not long and not containers"

system-test: $(VENV)/.torch ## run the tests with Prometheus, Kustomize and a Docker engine, and the long ones
	@command -v promtool >/dev/null || { echo "promtool is needed: apt install prometheus"; exit 2; }
	@command -v kustomize >/dev/null || command -v kubectl >/dev/null || { echo "kustomize or kubectl is needed"; exit 2; }
	@$(ENGINE_ANSWERS)
	$(BIN)/pytest -m "parts or long or containers"

soak: $(VENV)/.torch ## the kill, soak and fuzz tests in full size, into benchmarks/results/soak.md; about 40 minutes
	@$(ENGINE_ANSWERS)
	$(BIN)/python -m benchmarks.endurance

lint: $(VENV)/.torch ## ruff, mypy --strict, import-linter
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.development ## let ruff rewrite the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/.torch ## measure against the in-process ceiling and plain endpoints; about 12 minutes
	$(BIN)/python -m benchmarks.run

train: $(VENV)/.torch ## train the demo's models from nothing; 5 to 6 hours on 2 cores
	$(BIN)/outpost-train all

# Frames that the models are calibrated and measured on; rendered once, 2.7 GB.
var/frames/.made: | $(VENV)/.torch
	$(BIN)/outpost-train frames var/frames/calibration --split val --count 400
	$(BIN)/outpost-train frames var/frames/heldout --split heldout --count 5000
	$(BIN)/outpost-train frames var/frames/calibration-classes --split val --count 400 --layout classes
	$(BIN)/outpost-train frames var/frames/heldout-classes --split heldout --count 5000 --layout classes
	@touch $@

models: $(VENV)/.torch var/frames/.made ## compile, measure and package the demo's models into var/models; half an hour on 2 cores
	for recipe in parts defects defects-cloud; do \
		$(BIN)/outpost-compile build model_compiler/recipes/$$recipe.yaml --for x86-cpu --output var/models --reports var/models/reports --skip-existing || exit 1; \
	done
	for goals in benchmarks/results/models/*.goals.json; do [ ! -e "$$goals" ] || cp "$$goals" var/models/reports/; done
	$(BIN)/outpost-compile report var/models/reports

# Which images, ports and limits: .env and docs/deploy.md.
images: ## build the container images
	OUTPOST_REVISION=$$(git rev-parse HEAD 2>/dev/null || echo unknown) && export OUTPOST_REVISION && \
		docker compose build && docker compose build compiler

up: ## start the containers of an edge gateway, and wait until they are healthy
	docker compose up --detach --wait

down: ## stop the containers; what is in their volumes stays
	docker compose down

logs: ## follow what the containers say
	docker compose logs --follow --tail 100

bundle: ## put the images and compose files into one file, for a site without a network
	containers/make_bundle

clean: ## remove what the targets made, the state folder included
	rm -rf $(VENV) var build *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
