"""The parity gate: checks of an exported folder against the torch model it was made from.

Torch runs the training forward pass from `final/`; the runtime runs the exported files. For a float
folder only the wiring is checked.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from whisper_qat.data.utterances import Material
from whisper_qat.infer.decoding.rules import DecodingRules
from whisper_qat.infer.decoding.text_decoder import TextDecoder
from whisper_qat.model.checkpoint.final import Final
from whisper_qat.model.fake_quant.layers import settle
from whisper_qat.parity import arithmetic, transcripts, whole_model, wiring

WIRING_UTTERANCES = 3


def run(
    final: Final, folder: Path, material: Material, rules: DecodingRules,
    say: Callable[[str], None], *, transcripts_of: int,
) -> dict[str, Any]:  # fmt: skip
    """The parity report as data; `passed` says whether every part did.

    `transcripts_of`: number of utterances decoded greedily, 0 for none. The torch model's weights
    are permanently rounded to their grid: for v0.2 a second copy would take 3 GB.
    """
    settle(final.model)
    report: dict[str, Any] = {
        "material": {"kind": material.kind, "utterances": len(material.utterances),
                     "positions": material.positions},
    }  # fmt: skip
    report["wiring"] = wiring.check(final, folder, material.first(WIRING_UTTERANCES))
    parts = ["wiring"]
    say(f"parity: wiring {_outcome(report['wiring'])}")
    if final.plan is not None:
        report["arithmetic"] = arithmetic.check(final, folder, material)
        say(f"parity: arithmetic of {len(report['arithmetic']['layers'])} layers "
            f"{_outcome(report['arithmetic'])}")  # fmt: skip
        report["whole_model"] = whole_model.check(final, folder, material)
        say(f"parity: whole model {_outcome(report['whole_model'])}")
        parts += ["arithmetic", "whole_model"]
        text = TextDecoder.from_folder(folder)
        if transcripts_of:
            few = material.first(transcripts_of)
            report["transcripts"] = transcripts.check(final, folder, few, rules, text)
            say(f"parity: transcripts {_outcome(report['transcripts'])}")
            parts.append("transcripts")
    report["passed"] = all(report[part]["passed"] for part in parts)
    report["failed"] = [part for part in parts if not report[part]["passed"]]
    return report


def _outcome(part: dict[str, Any]) -> str:
    word = "passed" if part["passed"] else "FAILED"
    if "runtime" in part:
        runtime, floor = part["runtime"], part["floor"]
        return (
            f"{word}: logits {runtime['relative']:.1e} from torch, rounding floor "
            f"{floor['relative']:.1e}; top token {runtime['agreement']:.2%}, floor "
            f"{floor['agreement']:.2%}; {runtime['positions']} positions"
        )
    if "changed_share" in part:
        judged = "" if part["enough_transcripts"] else " (too few to judge)"
        return (
            f"{word}: {part['changed_share']:.1%} of {part['transcripts']} changed, rounding floor "
            f"{part['floor_share']:.1%}{judged}"
        )
    if "layers" in part:
        worst = max(part["layers"], key=lambda layer: layer["relative"])
        return f"{word}: worst output {worst['relative']:.1e} ({worst['name']})"
    return f"{word}: logits {part['relative']:.1e}, at most {part['tolerance']:.0e}"
