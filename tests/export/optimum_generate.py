"""Run inside the optimum environment: load a folder as it is, generate, print the tokens as JSON.

.venv-optimum/bin/python tests/export/optimum_generate.py FOLDER MEL.npy MAX_NEW_TOKENS
"""

import json
import sys

import numpy as np
import torch
from optimum.onnxruntime import ORTModelForSpeechSeq2Seq


def main(folder: str, mel_path: str, max_new_tokens: str) -> None:
    model = ORTModelForSpeechSeq2Seq.from_pretrained(folder, local_files_only=True)
    assert model.decoder.is_merged
    assert model.can_use_cache
    features = torch.from_numpy(np.load(mel_path))
    said = {"language": "fr", "task": "transcribe", "max_new_tokens": int(max_new_tokens)}
    found = {n: model.generate(features, num_beams=n, **said).tolist() for n in (1, 2)}
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
