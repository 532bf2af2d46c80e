"""`card`: transformers' BasicTextNormalizer, with which the published v0.2 figures were scored.

whisper_normalizer holds the same code without torch (equality is tested).
"""

from whisper_normalizer.basic import BasicTextNormalizer

from whisper_qat.metrics.normalizers.normalizer import Normalizer


def normalize_card(text: str) -> str:
    """Lower case, bracketed and parenthesised text removed, symbols to spaces; accents stay."""
    return BasicTextNormalizer()(text).strip()


CARD = Normalizer(
    name="card", version=1, apply=normalize_card,
    about="transformers' BasicTextNormalizer: lower case, no brackets, symbols as spaces",
)  # fmt: skip
