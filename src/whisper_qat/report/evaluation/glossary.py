"""The terms of the evaluation report, each explained in a sentence or two."""

TERMS = {
    "System": "A model as it was measured: its weights in one number format, on one runtime, with "
    "one audio context.",
    "Base model": "The published Whisper checkpoint that training starts from.",
    "Float control": "The base model fine-tuned in floating point on the same data and with the "
    "same settings as the QAT model, but without quantization. It separates the cost of "
    "quantization from the effect of the training.",
    "PTQ": "Post-training quantization: the weights of a finished float model are rounded to "
    "integers, without further training.",
    "QAT": "Quantization-aware training: the model is trained with its weights and activations "
    "rounded as the deployed kernels round them.",
    "Block": "A run of neighbouring weights in a row of a weight matrix that share one scale. "
    "Smaller blocks are more accurate and need more storage.",
    "Weight code": "The integer that stands for a quantized weight; the weight is the code times "
    "the scale of its block.",
    "Audio context": "The audio that the encoder receives. Whisper pads every clip to 30 s (full); "
    "a dynamic context is the clip and a fixed margin of silence, which takes less time.",
    "Baseline": "The system that the other systems are compared with in the first table.",
    "Reference": "The correct transcript of a clip. A reference system is the system whose "
    "predictions another one is compared with, usually the float control of the same seed.",
    "WER": "Word error rate: substituted, deleted and inserted words, divided by the number of "
    "reference words. CER is the same for characters.",
    "Normaliser": "Rules that remove differences in spelling which do not count as errors, such as "
    "case and punctuation, from both reference and hypothesis.",
    "95 % interval": "The range between the 2.5th and 97.5th percentiles of a bootstrap, which "
    "resamples the clips, recordings or speakers. It covers the choice of test data, but not how "
    "much the result varies between training runs; that takes several training seeds.",
    "Point": "A percentage point: the unit of the difference between two percentages.",
    "Non-inferiority": "The statement that a system is not worse than another by more than a given "
    "margin.",
    "Smallest provable margin": "The smallest margin at which the measured clips support "
    "non-inferiority: the upper end of the interval of the difference, but not below 0. One or two "
    "training runs prove no margin, because they do not show how training runs vary.",
    "Loss": "The mean of −log p(token) over the tokens of the reference transcript.",
    "KL": "The Kullback-Leibler divergence of a system's distribution over the next token from "
    "that of its reference system, in nats. It shows changes that are too small to alter a "
    "transcript.",
    "RTFx": "Inverse real-time factor: seconds of audio transcribed per second of computation. "
    "Higher is faster.",
}


def glossary() -> str:
    """The terms as a Markdown list."""
    return "\n".join(f"- **{term}**: {meaning}" for term, meaning in TERMS.items())
