"""Evaluation folders with invented clips and rows, in the form that an evaluation writes.

No model is run: hypotheses are references with words dropped, doubled or replaced at a rate that
each row is given, by a seeded generator.
"""

import json
import random
from pathlib import Path
from typing import Any

SENTENCES = [
    "Veuillez entrer votre mot de passe, suivi du carré.",
    "Toutes nos lignes sont occupées pour le moment, veuillez patienter.",
    "Vous avez trois nouveaux messages dans votre boîte vocale.",
    "Pour parler à un agent, appuyez sur le zéro.",
    "Le numéro que vous avez composé n'est pas en service.",
    "Cette conférence est verrouillée par l'administrateur.",
    "Appuyez sur l'étoile pour revenir au menu principal.",
    "Votre appel est important pour nous, restez en ligne.",
    "La boîte vocale de ce poste est pleine.",
    "Merci de votre appel, au revoir.",
]
WRONG = ["est", "la", "sur", "poste", "ligne", "vingt", "euh"]
FP32_BYTES = 290_403_936
INT8_BYTES = 81_788_020
INT4_BYTES = 57_312_345
CONTEXT = {"mode": "dynamic", "margin_s": 1.0}
BASE = {"name": "whisper-base", "fingerprint": "0f3a"}


def row(name: str, method: str, **changes: Any) -> dict[str, Any]:
    """A measurements.json entry of a float or int8 row."""
    quantized = method != "float"
    return {
        "name": name,
        "folder": f"outputs/models/{name}",
        "fingerprint": f"hash-of-{name}",
        "runtime": "onnxruntime",
        "format": "onnx",
        "method": method,
        "quantization_type": "int8" if quantized else "none",
        "scheme": "block-int8-32" if quantized else None,
        "fine_tuned": False,
        "audio_context": CONTEXT,
        "model_bytes": INT8_BYTES if quantized else FP32_BYTES,
        "fp32_bytes": FP32_BYTES,
        "fp16_bytes": FP32_BYTES // 2,
        "peak_rss_bytes": 611_000_000 if quantized else 934_000_000,
        "load_s": 0.41 if quantized else 0.93,
        "training_seed": None,
        "base_model": BASE,
    } | changes


def trained(seed: int, suffix: str = "") -> list[dict[str, Any]]:
    """The control, its PTQ and the QAT row of one training seed."""
    shared = {"fine_tuned": True, "training_seed": seed}
    return [
        row(f"control{suffix}", "float", **shared),
        row(f"control-ptq-int8{suffix}", "ptq", **shared),
        row(f"qat-int8{suffix}", "qat", **shared),
    ]


def all_rows(seeds: int = 1) -> list[dict[str, Any]]:
    """The rows of an int8 report, with the trained ones once per seed."""
    base = [
        row("base-float", "float"),
        row("base-float-full", "float", audio_context=FULL),
        row("base-ptq-int8", "ptq"),
    ]
    names = [f"-s{seed}" if seeds > 1 else "" for seed in range(seeds)]
    return base + [r for seed, suffix in enumerate(names) for r in trained(seed, suffix)]


FULL = {"mode": "full", "margin_s": 0.0}
INT4 = {"quantization_type": "int4", "scheme": "block-int4-32", "model_bytes": INT4_BYTES}


def quickstart_rows() -> list[dict[str, Any]]:
    """The seven rows of the quickstart, in the order in which it measures them."""
    shared = {"fine_tuned": True, "training_seed": 0}
    return [
        row("base-float", "float", audio_context=FULL),
        row("qat-int8", "qat", **shared),
        row("base-ptq-int8", "ptq", audio_context=FULL),
        row("control", "float", **shared),
        row("control-ptq-int8", "ptq", **shared),
        row("control-ptq-int4", "ptq", **INT4, **shared),
        row("qat-int4", "qat", **INT4, **shared),
    ]


def looping(amount: int) -> list[dict[str, Any]]:
    """Transcripts that repeat each sentence, with more errors than words."""
    return [clip(n, " ".join([SENTENCES[n % len(SENTENCES)]] * 4)) for n in range(amount)]


def corpus(name: str, clips: int, **changes: Any) -> dict[str, Any]:
    """A measurements.json entry of a measured corpus."""
    return {
        "name": name,
        "status": "measured",
        "reason": None,
        "clips": clips,
        "audio_s": 5.0 * clips,
        "left_out": [],
        "long_form_clips": 0,
    } | changes


def unreachable(name: str, reason: str) -> dict[str, Any]:
    """A measurements.json entry of a corpus that could not be reached."""
    return corpus(name, 0, status="unreachable", reason=reason, audio_s=0.0)


def clip(number: int, hypothesis: str, **changes: Any) -> dict[str, Any]:
    """One line of a rows file; the reference is the sentence of that number."""
    return {
        "id": f"clip_{number:03d}",
        "reference": SENTENCES[number % len(SENTENCES)],
        "hypothesis": hypothesis,
        "duration_s": 2.0 + number % 7,
        "speaker": "speaker_0",
        "wall_s": 0.2 + 0.05 * (number % 7),
        "tokens": [],
        "chunks": 1,
    } | changes


def corrupt(sentence: str, rate: float, random_: random.Random) -> str:
    """The sentence with about ``rate`` of its words replaced, dropped or followed by another."""
    words: list[str] = []
    for word in sentence.split():
        kind = random_.choice(["replace", "drop", "insert"]) if random_.random() < rate else "keep"
        words += [] if kind == "drop" else [word if kind != "replace" else random_.choice(WRONG)]
        words += [random_.choice(WRONG)] if kind == "insert" else []
    return " ".join(words)


def clips(name: str, amount: int, rate: float, offset: int = 0) -> list[dict[str, Any]]:
    """Transcripts of one row; most errors are shared by all rows, as a clip's difficulty is."""
    found = []
    for number in range(offset, offset + amount):
        shared = random.Random(number)
        shared_errors = corrupt(SENTENCES[number % len(SENTENCES)], 0.12, shared)
        own = random.Random(f"{name}/{number}")
        found.append(clip(number, corrupt(shared_errors, rate, own)))
    return found


RATES = {  # by the beginning of the name; the first that fits
    "base-float": 0.05,
    "base-ptq": 0.06,
    "control-ptq-int4": 0.15,
    "control": 0.02,
    "qat": 0.025,
}


def write_rows(folder: Path, row_name: str, corpus_name: str, lines: list[dict[str, Any]]) -> None:
    """One rows file."""
    path = folder / "rows" / row_name / f"{corpus_name}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    path.write_text(text, encoding="utf-8")


def write_evaluation(
    folder: Path,
    rows: list[dict[str, Any]],
    corpora: list[dict[str, Any]],
    **changes: Any,
) -> Path:
    """A whole evaluation folder before it is summarised."""
    for record in rows:
        rate = next((r for key, r in RATES.items() if record["name"].startswith(key)), 0.04)
        for one in corpora:
            if one["status"] == "measured":
                lines = clips(record["name"], one["clips"], rate)
                write_rows(folder, record["name"], one["name"], lines)
    measurements = {
        "rows": rows,
        "corpora": corpora,
        "codes_changed": [],
        "decoding": {
            "language": "fr",
            "task": "transcribe",
            "strategy": "greedy",
            "max_new_tokens": 224,
            "padding": "silence to 30 s, then cut to the row's audio context",
        },
        "normalizers": ["card", "fr"],
        "config": {"corpora": [one["name"] for one in corpora], "language": "fr"},
        "environment": {
            "cpu": {"name": "Test CPU", "isa": ["avx2", "avx512f"]},
            "gpu": None,
            "versions": {"python": "3.11.2", "onnxruntime": "1.31.1"},
            "git_revision": "0123456789abcdef0123456789abcdef01234567",
            "command": ["scripts/evaluate_qat.py", "--model_path", "outputs/models/qat int8"],
            "created": "2026-01-02T03:04:05+00:00",
        },
        "baseline": "base-float",
    } | changes
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(measurements, ensure_ascii=False)
    (folder / "measurements.json").write_text(text, encoding="utf-8")
    return folder


def codes(changed: int, row_name: str = "qat-int8") -> list[dict[str, Any]]:
    """codes_changed entries against the PTQ of the start and of the control."""
    total = 71_000_000
    return [
        {
            "row": row_name,
            "against": against,
            "layers": 97,
            "codes": total,
            "changed": changed,
            "share": changed / total,
        }
        for against in ("base-ptq-int8", "control-ptq-int8")
    ]


def clips_of_poems() -> list[dict[str, Any]]:
    """Nine clips of three poems, each naming its poem as its block."""
    return [clip(n, SENTENCES[n], block=f"poem_{n % 3}") for n in range(9)]
