"""Check of the whole quantized model: the runtime may differ from torch by rounding only.

One code that flips on a tie in an early layer cascades, so exact layers do not make the whole model
exact. The yardstick is the rounding floor: torch against itself with K summed in reverse, on the
same clips. The runtime's distance may be twice the floor, its top-token agreement 0.5 points
below the floor's. A few positions may hold a tie on one side and none on the other, where the floor
measures nothing: below MIN_POSITIONS it counts as at least what one flipped code costs, and
agreement is not judged.
"""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from whisper_qat.data.utterances import Material
from whisper_qat.infer.onnx.backend import OnnxBackend
from whisper_qat.infer.torch_backend import TorchBackend
from whisper_qat.model.checkpoint.final import Final
from whisper_qat.model.fake_quant.layers import quantized_once, summed_in_reverse
from whisper_qat.model.fake_quant.scope import set_prompt_length
from whisper_qat.parity.logits import Distance, Distances, stepped, whole
from whisper_qat.runs.progress import Bar

MAX_FLOORS = 2.0
MAX_AGREEMENT_LOSS = 0.005
MIN_POSITIONS = 500
FLIPPED_CODE = 0.01  # on the logits: 0.009 (tiny random models) to 0.017 (Whisper base)


def check(final: Final, folder: Path, material: Material) -> dict[str, Any]:
    """Distance and agreement of the runtime and of the floor; `passed` by the rule above."""
    backend, torch_side = OnnxBackend.from_folder(folder), TorchBackend(final.model)
    n = material.prompt_length
    set_prompt_length(final.model, n)
    runtime, floor = Distances(), Distances()
    with quantized_once(final.model):
        for utterance in Bar(material.utterances, desc="parity", unit="clip", leave=False):
            reference = whole(torch_side, utterance, n)
            runtime.add(stepped(backend, utterance, n), reference)
            with summed_in_reverse(final.model):
                floor.add(whole(torch_side, utterance, n), reference)
    return judge(runtime.distance(), floor.distance())


def judge(runtime: Distance, floor: Distance) -> dict[str, Any]:
    """Apply the rule; with fewer than MIN_POSITIONS agreement is reported but not judged."""
    enough = runtime.positions >= MIN_POSITIONS
    yardstick = floor.relative if enough else max(floor.relative, FLIPPED_CODE)
    close = runtime.relative <= MAX_FLOORS * yardstick
    agrees = runtime.agreement >= floor.agreement - MAX_AGREEMENT_LOSS
    return {
        "runtime": asdict(runtime), "floor": asdict(floor), "max_floors": MAX_FLOORS,
        "max_agreement_loss": MAX_AGREEMENT_LOSS, "enough_positions": enough,
        "passed": close and (agrees or not enough),
    }  # fmt: skip
