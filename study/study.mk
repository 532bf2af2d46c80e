# The study of number formats: the same training in float and on each grid, PTQ of every control, all
# measured on the prompts' test split and on verse that no training saw.
#
#   make -f study/study.mk VERSE=path/to/poetry-fr            # everything, hours on two cores
#   make -f study/study.mk VERSE=... SEEDS=0 GRIDS="int8 int4-b32" # less
#   make -f study/study.mk keep VERSE=... SEEDS=1             # one seed; its measurements to docs/results/study
#   make -f study/study.mk pooled                             # the table from what was kept, without any model
#
# A folder is outputs/study/DIRECTORY/ROW. What is finished is not made again, so seeds and rows can be made
# on different days: a seed's evaluation keeps the rows that it has and measures new ones. `-j2` with
# OMP_NUM_THREADS=1 keeps two cores busy better than two threads do.

VERSE ?= data/poetry-fr
SEEDS ?= 0 1 2
GRIDS ?= int8-b32 int8-row int7-row int4-b32 int4-two-level int3-two-level
# Post-training rows of every control: METHOD.GRID, and METHOD.GRID.DRAW for another draw of the calibration
# clips than the first.
PTQ ?= round-to-nearest.int8-b32 round-to-nearest.int8-row round-to-nearest.int7-row gptq.int4-b32 gptq.int4-two-level
# Flags of every conversion, as --parity_transcripts 150 for the gate on transcripts.
CONVERT ?=
# Products in bf16 where the CPU has them; elsewhere they are many times slower than float32.
PRECISION ?= $(if $(shell grep -m1 -oE 'avx512_bf16|amx_bf16' /proc/cpuinfo),bf16,no)
OUT := outputs/study
KEPT := docs/results/study
RUN := .venv/bin/python
BASE := data/whisper-base
PROMPTS := data/telephone-fr

# The number format of a grid, for training and for PTQ.
grid.none := --quantization_type none
grid.int8-b32 := --quantization_type int8 --plan int8_block
grid.int8-row := --quantization_type int8 --plan int8_row
grid.int7-row := --quantization_type int8 --plan int7_row
grid.int8-dynamic := --quantization_type int8 --plan int8_dynamic_all
grid.int4-b32 := --quantization_type int4 --plan int4_block
grid.int4-b128 := --quantization_type int4 --plan int4_block128
grid.int4-two-level := --quantization_type int4 --plan int4_two_level
grid.int3-two-level := --quantization_type int3 --plan int3_two_level
grid.int2-two-level := --quantization_type int2 --plan int2_two_level
# How it is trained: half of the steps in float, then GPTQ's codes of what was learned, trained on.
LEARNED := --scales learned --scale_start gptq --curriculum float:0.5
how.int4-b32 := $(LEARNED)
how.int4-b128 := $(LEARNED)
how.int4-two-level := $(LEARNED)
how.int3-two-level := $(LEARNED)
how.int2-two-level := --scales learned --scale_start gptq --curriculum float:0.25
CALIBRATED := gptq weighted-least-squares

.PHONY: table models keep pooled
# Nothing that took time is an intermediate file: make deletes none of it.
.SECONDARY:

table: $(SEEDS:%=$(OUT)/seeds/s%/manifest.json)
models: $(foreach s,$(SEEDS),$(foreach g,$(GRIDS),$(OUT)/onnx/$(g).s$(s)/manifest.json))

$(OUT)/data/train.jsonl: study/data.py $(PROMPTS)/manifest.json $(VERSE)/train.jsonl
	$(RUN) study/data.py --prompts $(PROMPTS) --verse $(VERSE) --output_dir $(@D)

# Training and conversion: GRID.sSEED; the control's grid is none.
grid_of = $(or $(patsubst control,none,$(filter control,$(basename $(1)))),$(basename $(1)))
$(OUT)/train/%/final/manifest.json: $(OUT)/data/train.jsonl study/train.yaml
	$(RUN) scripts/train_qat.py --config study/train.yaml $(grid.$(call grid_of,$*)) $(how.$(call grid_of,$*)) \
	  --seed $(patsubst .s%,%,$(suffix $*)) --mixed_precision $(PRECISION) --output_dir $(OUT)/train/$*
$(OUT)/onnx/%/manifest.json: $(OUT)/train/%/final/manifest.json
	$(RUN) scripts/convert_qat_to_quantized.py --model_path $(<D) --output_path $(@D) \
	  $(wordlist 1,2,$(grid.$(call grid_of,$*))) $(CONVERT)

# PTQ of a control: control.sSEED+METHOD.GRID[.DRAW].
piece = $(word $(1),$(subst ., ,$(2)))
ptq_flags = --method $(call piece,1,$(1)) $(grid.$(call piece,2,$(1))) \
  $(if $(filter $(CALIBRATED),$(call piece,1,$(1))),--calibration_data $(OUT)/data/train.jsonl --seed $(or $(call piece,3,$(1)),0))
define of_seed
$(OUT)/onnx/control.s$(1)+%/manifest.json: $(OUT)/train/control.s$(1)/final/manifest.json
	$(RUN) scripts/quantize_ptq.py --model_path $$(<D) --output_path $$(@D) $$(call ptq_flags,$$*)
endef
$(foreach s,$(SEEDS),$(eval $(call of_seed,$(s))))

# One seed's evaluation: the control, every grid of that seed that GRIDS names, and PTQ of the control.
rows_of = $(foreach g,$(GRIDS),$(g).s$(1)) $(foreach p,$(PTQ),control.s$(1)+$(p))
define evaluation_of
$(OUT)/seeds/s$(1)/manifest.json: $(foreach r,control.s$(1) $(call rows_of,$(1)),$(OUT)/onnx/$(r)/manifest.json)
	$(RUN) scripts/evaluate_qat.py --model_path $(OUT)/onnx/control.s$(1) --baseline_model $(OUT)/onnx/control.s$(1) \
	  --corpora telephone-fr --test_data $(VERSE)/dev.jsonl --teacher_forced true --normalizers card fr \
	  --compare $(foreach r,control.s$(1) $(call rows_of,$(1)),$(r)=$(OUT)/onnx/$(r)) --output_dir $$(@D)
$(KEPT)/s$(1)/measurements.json: $(OUT)/seeds/s$(1)/manifest.json
	$(RUN) study/keep.py --evaluation $$(<D) --models $(OUT) --output_dir $$(@D)
endef
$(foreach s,$(SEEDS),$(eval $(call evaluation_of,$(s))))

keep: $(SEEDS:%=$(KEPT)/s%/measurements.json)

pooled:
	$(RUN) scripts/pool_evaluations.py --evaluations $(dir $(wildcard $(KEPT)/s*/measurements.json)) \
	  --output_dir outputs/evaluations/study
