"""Transcript check: greedy decoding on torch and on the runtime, relative to the rounding floor.

Transcripts diverge where two tokens are nearly equally likely. How often that happens without any
error is measured by decoding on torch with K summed in reverse (the rounding floor). The runtime
may change 5 percentage points more transcripts than the floor does, and move WER by 0.3 points more
than the floor moves it (four words changed by rounding in 648 are 0.6 points). Fewer than
MIN_TRANSCRIPTS are listed but not judged: one in 20 is 5 points.
"""

from pathlib import Path
from typing import Any

from whisper_qat.data.utterances import Material
from whisper_qat.infer.decoding.greedy import Decoded, greedy
from whisper_qat.infer.decoding.rules import DecodingRules
from whisper_qat.infer.decoding.text_decoder import TextDecoder
from whisper_qat.infer.onnx.backend import OnnxBackend
from whisper_qat.infer.torch_backend import TorchBackend
from whisper_qat.metrics.normalizers.registry import get_normalizer
from whisper_qat.metrics.wer import count_words, total
from whisper_qat.model.checkpoint.final import Final
from whisper_qat.model.fake_quant.layers import quantized_once, summed_in_reverse
from whisper_qat.model.fake_quant.scope import set_prompt_length
from whisper_qat.runs.progress import Bar

MIN_TRANSCRIPTS = 100
MAX_SHARE_OVER_FLOOR = 0.05
MAX_WER_CHANGE = 0.003
NORMALIZER = "card"
SIDES = ("torch", "onnx", "floor")


def check(
    final: Final, folder: Path, material: Material, rules: DecodingRules, text: TextDecoder
) -> dict[str, Any]:
    """Every changed transcript with its margin; shares and WER of both sides; `passed`."""
    runtime, torch_side = OnnxBackend.from_folder(folder), TorchBackend(final.model)
    set_prompt_length(final.model, None)  # decoding runs step by step
    rows = []
    with quantized_once(final.model):
        for utterance in Bar(material.utterances, desc="transcripts", unit="clip", leave=False):
            mel = utterance.mel[0]
            a, b = greedy(torch_side, mel, rules), greedy(runtime, mel, rules)
            with summed_in_reverse(final.model):
                c = greedy(torch_side, mel, rules)
            reference = text.text(utterance.tokens[0, material.prompt_length :].tolist())
            rows.append(_row(utterance.id, reference, (a, b, c), text))
    return judge(rows, speech=material.kind == "speech")


def judge(rows: list[dict[str, Any]], *, speech: bool) -> dict[str, Any]:
    """Apply the rule above; `rows` have id, reference, texts, forked, floor_forked and margin.

    Without reference words there is no WER: `wer` is then empty, and the share alone decides.
    """
    changed = [row for row in rows if row["forked"]]
    share = len(changed) / len(rows)
    floor = sum(row["floor_forked"] for row in rows) / len(rows)
    normalize = get_normalizer(NORMALIZER).apply
    spoken = [row for row in rows if normalize(row["reference"])] if speech else []
    wer = {side: _wer(spoken, side) for side in SIDES} if spoken else {}
    enough = len(rows) >= MIN_TRANSCRIPTS
    close = share <= floor + MAX_SHARE_OVER_FLOOR
    if wer:
        moved, by_rounding = (abs(wer[side] - wer["torch"]) for side in ("onnx", "floor"))
        close = close and moved <= by_rounding + MAX_WER_CHANGE
    return {
        "transcripts": len(rows), "changed_share": share, "floor_share": floor, "wer": wer,
        "changed": [{key: row[key] for key in ("id", "torch", "onnx", "margin")}
                    for row in changed],
        "enough_transcripts": enough, "passed": close or not enough,
    }  # fmt: skip


def _row(
    name: str, reference: str, decoded: tuple[Decoded, Decoded, Decoded], text: TextDecoder
) -> dict[str, Any]:
    a, b, c = decoded
    texts = {side: text.text(d.tokens) for side, d in zip(SIDES, decoded, strict=True)}
    return {
        "id": name, "reference": reference, **texts, "forked": a.tokens != b.tokens,
        "floor_forked": a.tokens != c.tokens,
        "margin": margin_at_fork(a, b) if a.tokens != b.tokens else None,
    }  # fmt: skip


def _wer(rows: list[dict[str, Any]], side: str) -> float:
    normalize = get_normalizer(NORMALIZER).apply
    return total(
        [count_words(normalize(row["reference"]), normalize(row[side])) for row in rows]
    ).rate


def margin_at_fork(a: Decoded, b: Decoded) -> float:
    """Torch's margin between its best two tokens, where the two decodings first differ."""
    shared = zip(a.tokens, b.tokens, strict=False)
    fork = next((i for i, (x, y) in enumerate(shared) if x != y), None)
    position = min(len(a.tokens), len(b.tokens)) if fork is None else fork
    return a.margins[position]
