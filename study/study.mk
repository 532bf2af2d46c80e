# The int4 study: the same training in float and on each grid, three seeds, PTQ of the base and of every
# control, all measured on the prompts' test split and on verse that no training saw.
#
#   make -f study/study.mk VERSE=path/to/poetry-fr            # everything, hours on two cores
#   make -f study/study.mk VERSE=... SEEDS=0 GRIDS="int8 int4-b32" # less
#
# A folder is DIRECTORY/GRID.sSEED. What is finished is not made again; `-j2` with OMP_NUM_THREADS=1 keeps two
# cores busy better than two threads do.

VERSE ?= data/poetry-fr
SEEDS ?= 0 1 2
GRIDS ?= int8 int8-dynamic int4-b32 int4-b128
# Post-training methods of int4, by block size.
PTQ ?= round-to-nearest least-squares gptq
PTQ128 ?= gptq
# Flags of every conversion, as --parity_transcripts 150 for the gate on transcripts.
CONVERT ?=
OUT := outputs/study
RUN := .venv/bin/python
BASE := data/whisper-base
PROMPTS := data/telephone-fr
# Half of the steps in float, then GPTQ's codes of what was learned, trained on.
LEARNED := --scales learned --scale_start gptq --curriculum float:0.5

flags.control := --quantization_type none
flags.int8 := --quantization_type int8
flags.int8-row := --quantization_type int8 --plan int8_row
flags.int7-row := --quantization_type int8 --plan int7_row
flags.int4-two-level := --quantization_type int4 --plan int4_two_level $(LEARNED)
flags.int3-two-level := --quantization_type int3 --plan int3_two_level $(LEARNED)
flags.int8-dynamic := --quantization_type int8 --plan configs/plans/int8_dynamic_all.yaml
flags.int4-b32 := --quantization_type int4 $(LEARNED)
flags.int4-b128 := --quantization_type int4 --block_size 128 $(LEARNED)
flags.int2-b32 := --quantization_type int2 --scales learned --scale_start gptq --curriculum float:0.25
# Trials of one seed, to choose by the validation loss.
flags.int4-b32-rule := --quantization_type int4
flags.int4-b32-ort := --quantization_type int4 --scales learned
flags.int4-b32-ls := --quantization_type int4 --scales learned --scale_start least-squares
flags.int4-b32-fast := --quantization_type int4 --scales learned --scale_lr_ratio 1.0
flags.int4-b32-gptq := --quantization_type int4 --scales learned --scale_start gptq

# The base as published hears 30 s: at the clip's own length it was never trained to stop.
context := --audio_context full
# PTQ rows: NAME-TYPE-bBLOCK; the calibrated ones listen to the study's training clips.
ptq_rows := $(PTQ:%=%-int4-b32) $(PTQ128:%=%-int4-b128) round-to-nearest-int8-b32 optimum-dynamic-int8-b32
calibrated := gptq weighted-least-squares
piece = $(word $(1),$(subst -b, ,$(subst -int, ,$(2))))
ptq_flags = --method $(call piece,1,$(1)) --quantization_type int$(call piece,2,$(1)) --block_size $(call piece,3,$(1)) \
  $(if $(filter $(calibrated),$(call piece,1,$(1))),--calibration_data $(OUT)/data/train.jsonl)

trained := $(foreach g,$(GRIDS),$(foreach s,$(SEEDS),$(g).s$(s)))
controls := $(foreach s,$(SEEDS),control.s$(s))
rows := $(trained) $(controls) $(foreach p,$(ptq_rows),base+$(p) $(foreach s,$(SEEDS),control.s$(s)+$(p)))

.PHONY: table models
table: $(OUT)/table/manifest.json
models: $(foreach r,$(rows) base,$(OUT)/onnx/$(r)/manifest.json)

$(OUT)/data/train.jsonl: study/data.py $(PROMPTS)/manifest.json $(VERSE)/train.jsonl
	$(RUN) study/data.py --prompts $(PROMPTS) --verse $(VERSE) --output_dir $(@D)

$(OUT)/train/%/final/manifest.json: $(OUT)/data/train.jsonl study/train.yaml
	$(RUN) scripts/train_qat.py --config study/train.yaml $(flags.$(basename $*)) --seed $(patsubst .s%,%,$(suffix $*)) \
	  --output_dir $(OUT)/train/$*

$(OUT)/onnx/base/manifest.json:
	$(RUN) scripts/convert_qat_to_quantized.py --model_path $(BASE) --output_path $(@D) --quantization_type none $(context)
$(OUT)/onnx/base+%/manifest.json: $(OUT)/data/train.jsonl
	$(RUN) scripts/quantize_ptq.py --model_path $(BASE) --output_path $(@D) $(context) $(call ptq_flags,$*)

define of_seed
$(OUT)/onnx/control.s$(1)/manifest.json: $(OUT)/train/control.s$(1)/final/manifest.json
	$(RUN) scripts/convert_qat_to_quantized.py --model_path $$(<D) --output_path $$(@D) --quantization_type none
$(OUT)/onnx/control.s$(1)+%/manifest.json: $(OUT)/train/control.s$(1)/final/manifest.json
	$(RUN) scripts/quantize_ptq.py --model_path $$(<D) --output_path $$(@D) $$(call ptq_flags,$$*)
endef
$(foreach s,$(SEEDS),$(eval $(call of_seed,$(s))))

$(OUT)/onnx/%/manifest.json: $(OUT)/train/%/final/manifest.json
	$(RUN) scripts/convert_qat_to_quantized.py --model_path $(<D) --output_path $(@D) \
	  --quantization_type $(word 2,$(flags.$(basename $*))) $(CONVERT)

first := $(firstword $(trained))
$(OUT)/table/manifest.json: $(foreach r,$(rows) base,$(OUT)/onnx/$(r)/manifest.json)
	$(RUN) scripts/evaluate_qat.py --model_path $(OUT)/onnx/$(first) --baseline_model $(OUT)/onnx/base \
	  --corpora telephone-fr --test_data $(VERSE)/dev.jsonl --teacher_forced true \
	  --compare $(foreach r,$(filter-out $(first),$(rows)),$(r)=$(OUT)/onnx/$(r)) --output_dir $(@D)

# Nothing that took time is an intermediate file: make deletes none of it.
.SECONDARY:
