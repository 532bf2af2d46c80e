"""A data folder small enough for a test: tones with French words, split as prepare_data splits."""

import json
from pathlib import Path

import numpy as np
import soundfile

WORDS = [
    "un",
    "deux",
    "trois",
    "quatre",
    "cinq",
    "six",
    "sept",
    "huit",
    "neuf",
    "dix",
    "onze",
    "douze",
    "treize",
    "quatorze",
]


def save_tiny_speech(folder: Path, *, train: int = 8, validation: int = 3, test: int = 3) -> Path:
    """train.jsonl, validation.jsonl and test.jsonl over clips of 0.5 to 1.2 s; texts differ."""
    folder.mkdir(parents=True)
    number = 0
    for split, size in (("train", train), ("validation", validation), ("test", test)):
        lines = []
        for _ in range(size):
            lines.append(json.dumps(_clip(folder, number)))
            number += 1
        (folder / f"{split}.jsonl").write_text("\n".join(lines) + "\n")
    return folder


def _clip(folder: Path, number: int) -> dict[str, str]:
    rng = np.random.default_rng(number)
    seconds = np.arange(int(16000 * (0.5 + 0.05 * number))) / 16000
    tone = 0.3 * np.sin(2 * np.pi * (200 + 40 * number) * seconds)
    name = f"clip-{number}.wav"
    soundfile.write(folder / name, tone + 0.01 * rng.standard_normal(len(seconds)), 16000)
    return {"id": f"clip-{number}", "audio": name, "text": f"{WORDS[number]} {WORDS[-number - 1]}"}
