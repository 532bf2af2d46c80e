"""Defines which rows of a layer's input the runtime processes in one kernel call.

int8-dynamic has one activation range per call. In inference a call belongs to one utterance: all of
it in the encoder and in the cross-attention's key and value projections, one step elsewhere in the
decoder, the first step being the whole prompt. A forward over a batch of whole token sequences
(teacher forcing) has to form the same ranges: per utterance, and in the decoder over the prompt's
positions together and each later position alone. Padding frames of a batch count as part of their
utterance.
"""

import re

from torch import nn

from whisper_qat.model.fake_quant.layers import FakeQuantLinear, fake_quantized

STEPPED = re.compile(r"(.*\.)?decoder\.(?!.*\.encoder_attn\.[kv]_proj$).*")


def set_prompt_length(model: nn.Module, prompt_length: int | None) -> None:
    """Form the activation ranges of step-by-step decoding in passes over whole token sequences.

    The first `prompt_length` tokens are the prompt. With None, every decoder call is one kernel
    call, as in step-by-step decoding with a prompt of any length.
    """
    for name, layer in fake_quantized(model).items():
        if isinstance(layer, FakeQuantLinear) and STEPPED.fullmatch(name):
            layer.first_call = prompt_length
