"""`card`: the BasicTextNormalizer of transformers, with which the figures of v0.2 were published.

whisper_normalizer has the same code without torch (a test compares them).
"""

from whisper_normalizer.basic import BasicTextNormalizer

from whisper_qat.metrics.normalizers.normalizer import Normalizer


def normalize_card(text: str) -> str:
    """Lower-case text without brackets and their content or symbols; accents are kept."""
    return BasicTextNormalizer()(text).strip()


CARD = Normalizer(
    name="card", version=1, apply=normalize_card,
    about="transformers' BasicTextNormalizer: lower case, no brackets, symbols as spaces",
)  # fmt: skip
