"""Records of runtimes: what they must state."""

import pytest

from whisper_qat.measure.systems.runtime import CHECKPOINT, ONNX, Form, Runtime, Variant

FORM = Form(name="onnx-int8", kind=ONNX, settings={"type": "int8"})


def test_only_the_checkpoint_and_our_own_forms_have_no_maker():
    assert Form(name="checkpoint", kind=CHECKPOINT).make is None and FORM.make is None
    with pytest.raises(AssertionError, match="gguf"):
        Form(name="gguf-q4", kind="gguf")


def test_short_variants_need_a_policy():
    short = Variant(name="toy-short", form=FORM, short=True)
    with pytest.raises(AssertionError, match="toy: no policy for its short variants"):
        Runtime(name="toy", open=lambda setup: None, variants=(short,), policy="greedy")
