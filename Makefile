# Everything that is made is a folder, and its manifest.json (written last) is the file make looks at:
# a second run does nothing, a changed config or input makes its chain again. `make help` lists targets.

PYTHON ?= python3
VENV ?= .venv
RUN := $(VENV)/bin/python
SETUP := $(VENV)/.setup-stamp
OPTIMUM := .venv-optimum
NODE_ENV := .node
TRANSFORMERS_JS := @huggingface/transformers@4.3.1
BASE := data/whisper-base
PROMPTS := data/telephone-fr
ENGLISH := data/whisper-tiny-en
ENGLISH_PROMPTS := data/telephone-en
MODELS := outputs/models
QS := $(MODELS)/quickstart
INT8 := $(MODELS)/whisper-qat-int8
EXTENDED := $(MODELS)/whisper-qat-int8-extended
INT4 := $(MODELS)/whisper-qat-int4

# Any of these on the command line wins over the config file.
BASE_MODEL ?=
TRAIN_DATA ?=
EVAL_DATA ?=
OUTPUT_DIR ?=
NUM_EPOCHS ?=
MAX_SAMPLES ?=
BATCH ?=
ACCUM ?=
LR ?=
EXTRA ?=
# `accelerate launch --num_processes 4` here trains on four GPUs.
LAUNCH ?= $(RUN)

SOURCE ?= telephone-fr
ARCHIVE ?=
DATA_DIR ?= data/$(SOURCE)

MODEL_PATH ?= $(INT8)-quantized
BASELINE_MODEL ?=
CORPORA ?= community-v2 mtedx zaion5 zaion6
TEST_DATA ?= $(wildcard data/test_sets/eval_data.json)
COMPARE ?=
EVAL_DIR ?= outputs/evaluations/$(notdir $(MODEL_PATH))

PYTEST_ARGS ?= -n 2

# OUTPUT_DIR belongs to the training or conversion that was asked for.
out = $(if $(and $(OUTPUT_DIR),$(filter $(1),$(MAKECMDGOALS))),$(OUTPUT_DIR),$(2))
INT8_OUT := $(call out,train-qat-int8 convert-qat-int8,$(INT8))
EXTENDED_OUT := $(call out,train-qat-int8-extended,$(EXTENDED))
INT4_OUT := $(call out,train-qat-int4 convert-qat-int4,$(INT4))

OVERRIDES = $(if $(BASE_MODEL),--base_model $(BASE_MODEL)) $(if $(TRAIN_DATA),--train_data $(TRAIN_DATA)) \
  $(if $(EVAL_DATA),--eval_data $(EVAL_DATA)) $(if $(NUM_EPOCHS),--num_epochs $(NUM_EPOCHS)) \
  $(if $(MAX_SAMPLES),--max_samples $(MAX_SAMPLES)) $(if $(BATCH),--per_device_batch_size $(BATCH)) \
  $(if $(ACCUM),--gradient_accumulation_steps $(ACCUM)) $(if $(LR),--learning_rate $(LR)) $(EXTRA)
EVALUATION = --model_path $(MODEL_PATH) $(if $(BASELINE_MODEL),--baseline_model $(BASELINE_MODEL)) \
  $(if $(CORPORA),--corpora $(CORPORA)) $(if $(TEST_DATA),--test_data $(TEST_DATA)) \
  $(if $(COMPARE),--compare $(COMPARE)) --output_dir $(EVAL_DIR) $(EXTRA)

.DEFAULT_GOAL := help
.PHONY: help setup optimum-env node-env data base-model english-model train-qat-int8 train-qat-int8-extended train-qat-int4 \
  convert-qat-int8 convert-qat-int4 evaluate-qat quickstart test test-matrix checks benchmark benchmark-growth benchmark-train \
  results lock clean FORCE

help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## /{printf "  %-24s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))
	@echo
	@echo "  Settings of a training: BASE_MODEL TRAIN_DATA EVAL_DATA OUTPUT_DIR NUM_EPOCHS MAX_SAMPLES BATCH"
	@echo "  ACCUM LR, any other flag as EXTRA='--seed 1', several GPUs as LAUNCH='$(VENV)/bin/accelerate launch'."
	@echo "  An interrupted target goes on where it was when it is run again."

# --- environment -------------------------------------------------------------------------------

setup: $(SETUP) ## virtual environment with the right torch and the locked packages

$(SETUP): pyproject.toml requirements.lock scripts/setup_env.py
	@command -v $(PYTHON) >/dev/null || { echo "setup: no $(PYTHON); install Python 3.11 or newer, or give PYTHON=..."; exit 2; }
	@$(PYTHON) scripts/setup_env.py $(VENV)

optimum-env: $(OPTIMUM)/.ready ## environment of its own for the test that loads our folders with optimum

$(OPTIMUM)/.ready: scripts/setup_optimum_env.py requirements.lock
	$(PYTHON) scripts/setup_optimum_env.py $(OPTIMUM)
	@touch $@

node-env: $(NODE_ENV)/.ready ## transformers.js for the test that loads our folders with it; needs Node 20 or newer

# --ignore-scripts: the CPU runtime is in the package; its install script would fetch CUDA's.
$(NODE_ENV)/.ready:
	@command -v npm >/dev/null || { echo "node-env: no npm; install Node 20 or newer"; exit 2; }
	mkdir -p $(NODE_ENV)
	npm install --prefix $(NODE_ENV) --ignore-scripts --no-audit --no-fund $(TRANSFORMERS_JS)
	@touch $@

lock: ## resolve requirements.lock anew from the ranges in pyproject.toml
	$(PYTHON) scripts/lock.py

# --- data and weights --------------------------------------------------------------------------

base-model: $(BASE)/manifest.json ## the embedded Whisper base

$(BASE)/manifest.json: | $(SETUP)
	$(RUN) scripts/import_ctranslate2.py --source embedded --output_dir $(BASE)

english-model: $(ENGLISH)/manifest.json ## the embedded Whisper tiny.en, whose vocabulary is English only

$(ENGLISH)/manifest.json: | $(SETUP)
	$(RUN) scripts/import_ctranslate2.py --source embedded-tiny-en --output_dir $(ENGLISH)

data: $(DATA_DIR)/manifest.json ## speech: SOURCE=telephone-fr (default), telephone-en, fleurs-fr, mls-fr, voxpopuli-fr, common-voice-fr ARCHIVE=...

$(sort $(BASE) $(ENGLISH) $(DATA_DIR) $(PROMPTS) $(ENGLISH_PROMPTS)): %: %/manifest.json

ifeq ($(filter $(DATA_DIR),$(PROMPTS) $(ENGLISH_PROMPTS)),)
$(DATA_DIR)/manifest.json: $(ARCHIVE) | $(SETUP)
	$(RUN) scripts/prepare_data.py --source $(SOURCE) --output_dir $(DATA_DIR) $(if $(ARCHIVE),--archive $(ARCHIVE)) $(EXTRA)
endif

$(PROMPTS)/manifest.json $(ENGLISH_PROMPTS)/manifest.json: data/%/manifest.json: | $(SETUP)
	$(RUN) scripts/prepare_data.py --source $* --output_dir data/$*

# --- training ----------------------------------------------------------------------------------

train-qat-int8: $(INT8_OUT)/final/manifest.json ## QAT int8: 60,000 clips, 5 epochs
train-qat-int8-extended: $(EXTENDED_OUT)/final/manifest.json ## QAT int8: 120,000 clips, 10 epochs
train-qat-int4: $(INT4_OUT)/final/manifest.json ## QAT int4: 60,000 clips, 15 epochs

# $(1) target's name, $(2) config, $(3) output folder. Settings from the command line count as inputs
# when the training itself was asked for; `make evaluate-qat` alone never repeats it for want of them.
define training
$(3)/final/manifest.json: $(2) $(wildcard $(TRAIN_DATA)/manifest.json) $(wildcard $(BASE_MODEL)/manifest.json) \
  $(if $(filter $(1),$(MAKECMDGOALS)),outputs/.make/$(1).args) | $(SETUP)
	@bash scripts/once.sh $(3) $$@ $$(filter-out %.args,$$^) -- \
	  $(LAUNCH) scripts/train_qat.py --config $(2) --output_dir $(3) $(OVERRIDES)
outputs/.make/$(1).args: FORCE
	@bash scripts/keep.sh $$@ $(OVERRIDES)
endef
$(eval $(call training,train-qat-int8,configs/qat_int8.yaml,$(INT8_OUT)))
$(eval $(call training,train-qat-int8-extended,configs/qat_int8_extended.yaml,$(EXTENDED_OUT)))
$(eval $(call training,train-qat-int4,configs/qat_int4.yaml,$(INT4_OUT)))

# --- conversion --------------------------------------------------------------------------------

ONCE = @bash scripts/once.sh $(@D) $@ $^ --

convert-qat-int8: $(INT8_OUT)-quantized/manifest.json ## ONNX int8 of the trained model
convert-qat-int4: $(INT4_OUT)-quantized/manifest.json ## ONNX int4 of the trained model

$(INT8_OUT)-quantized/manifest.json: $(INT8_OUT)/final/manifest.json
	$(ONCE) $(RUN) scripts/convert_qat_to_quantized.py --model_path $(INT8_OUT)/final --output_path $(@D) --quantization_type int8 --format onnx

$(INT4_OUT)-quantized/manifest.json: $(INT4_OUT)/final/manifest.json
	$(ONCE) $(RUN) scripts/convert_qat_to_quantized.py --model_path $(INT4_OUT)/final --output_path $(@D) --quantization_type int4 --format onnx

# --- evaluation --------------------------------------------------------------------------------

evaluate-qat: $(EVAL_DIR)/manifest.json ## WER, size and speed on CORPORA and TEST_DATA: MODEL_PATH=... COMPARE="NAME=FOLDER ..."

# Another MODEL_PATH than ours is taken as it is.
MADE_HERE := $(addsuffix -quantized,$(INT8_OUT) $(INT4_OUT))
$(EVAL_DIR)/manifest.json: $(if $(filter $(MODEL_PATH),$(MADE_HERE)),$(MODEL_PATH)/manifest.json,$(wildcard $(MODEL_PATH)/manifest.json)) \
  $(TEST_DATA) configs/corpora.yaml outputs/.make/evaluate-qat.args | $(SETUP)
	@bash scripts/once.sh $(EVAL_DIR) $@ $(filter %.json %.yaml,$^) -- $(RUN) scripts/evaluate_qat.py $(EVALUATION)

outputs/.make/evaluate-qat.args: FORCE
	@bash scripts/keep.sh $@ $(EVALUATION)

BENCHMARK = --model_path $(or $(BASE_MODEL),$(BASE)) --data $(or $(if $(filter command,$(origin TEST_DATA)),$(TEST_DATA)),$(PROMPTS)) $(EXTRA)

benchmark: $(BASE)/manifest.json $(PROMPTS)/manifest.json | $(SETUP) ## our models beside other runtimes: speed, memory, WER; COMPARE="NAME=FOLDER ..." adds trained ones
	$(RUN) scripts/benchmark.py $(BENCHMARK) $(if $(COMPARE),--compare $(COMPARE)) --output_dir outputs/evaluations/benchmark

benchmark-growth: $(BASE)/manifest.json $(PROMPTS)/manifest.json | $(SETUP) ## time and memory as clips, threads and models grow
	$(RUN) scripts/benchmark_growth.py $(BENCHMARK) --output_dir outputs/evaluations/benchmark-growth

benchmark-train: $(BASE)/manifest.json $(PROMPTS)/manifest.json | $(SETUP) ## step time, memory and waiting of float, int8 and int4 training: EXTRA='--audio_contexts dynamic'
	$(RUN) scripts/benchmark_train.py $(if $(BASE_MODEL),--base_model $(BASE_MODEL)) $(if $(TRAIN_DATA),--train_data $(TRAIN_DATA)) $(EXTRA)

results: | $(SETUP) ## docs/results.md and the README's table from docs/results/*.json
	$(RUN) scripts/render_results.py

# --- the quickstart: the main job on the embedded weights and speech ---------------------------

QS_EVAL := outputs/evaluations/quickstart
QS_CONFIG := configs/quickstart.yaml
# What is trained for: the float control, int8, and int4 from what half of the steps in float have learned.
QS_FORMAT.control := --quantization_type none
QS_FORMAT.int8 := --quantization_type int8
QS_FORMAT.int4 := --quantization_type int4 --scales learned --scale_start gptq --curriculum float:0.5
QS_CONVERT = $(ONCE) $(RUN) scripts/convert_qat_to_quantized.py --output_path $(@D) --format onnx
QS_PTQ = $(ONCE) $(RUN) scripts/quantize_ptq.py --output_path $(@D)

quickstart: $(QS_EVAL)/manifest.json ## data -> QAT int8 and int4 -> ONNX -> report, about 35 CPU minutes
	@echo "report: $(QS_EVAL)/report.html"

QS_TRAINED := $(foreach one,control int8 int4,$(QS)-$(one)/final/manifest.json)
$(QS_TRAINED): $(QS)-%/final/manifest.json: $(QS_CONFIG) $(BASE)/manifest.json $(PROMPTS)/manifest.json | $(SETUP)
	@bash scripts/once.sh $(QS)-$* $@ $^ -- $(RUN) scripts/train_qat.py --config $(QS_CONFIG) \
	  $(QS_FORMAT.$*) --output_dir $(QS)-$*

$(QS)-int8-quantized/manifest.json $(QS)-int4-quantized/manifest.json: $(QS)-%-quantized/manifest.json: $(QS)-%/final/manifest.json
	$(QS_CONVERT) --model_path $(<D) --quantization_type $*
$(QS)-control-float/manifest.json: $(QS)-control/final/manifest.json
	$(QS_CONVERT) --model_path $(<D) --quantization_type none
$(QS)-control-ptq-int8/manifest.json $(QS)-control-ptq-int4/manifest.json: $(QS)-control-ptq-%/manifest.json: $(QS)-control/final/manifest.json
	$(QS_PTQ) --model_path $(<D) --quantization_type $*
# As published: the base was trained on 30 s, and repeats itself on a shorter input.
$(QS)-base-float/manifest.json: $(BASE)/manifest.json
	$(QS_CONVERT) --model_path $(<D) --quantization_type none --audio_context full
$(QS)-base-ptq-int8/manifest.json: $(BASE)/manifest.json
	$(QS_PTQ) --model_path $(<D) --quantization_type int8 --audio_context full

QS_ROWS := base-ptq-int8 control-float control-ptq-int8 control-ptq-int4 int4-quantized
$(QS_EVAL)/manifest.json: $(foreach row,int8-quantized base-float $(QS_ROWS),$(QS)-$(row)/manifest.json)
	$(ONCE) $(RUN) scripts/evaluate_qat.py --model_path $(QS)-int8-quantized \
	  --baseline_model $(QS)-base-float --test_data $(PROMPTS) --compare $(foreach row,$(QS_ROWS),$(if \
	  $(filter int4-quantized,$(row)),qat-int4,$(row:control-float=control))=$(QS)-$(row)) --output_dir $(QS_EVAL)

# --- quality -----------------------------------------------------------------------------------

EMBEDDED := $(BASE) $(PROMPTS) $(ENGLISH) $(ENGLISH_PROMPTS)
test: $(SETUP) $(EMBEDDED:=/manifest.json) ## every test, on the embedded weights and speech
	$(RUN) -m pytest $(PYTEST_ARGS)

test-matrix: $(SETUP) ## kernel and conversion tests on the oldest and newest onnxruntime and transformers
	$(RUN) scripts/test_matrix.py $(EXTRA)

checks: $(SETUP) ## what every commit passes: ruff, format, types, shape of the library, fast tests
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy
	$(RUN) -m pytest -q -m "not slow" $(PYTEST_ARGS)

clean: ## remove caches; models, data and reports stay
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist

# A manifest is written last and whole: nothing is to be deleted when a recipe is interrupted.
.PRECIOUS: %/manifest.json outputs/.make/%.args
