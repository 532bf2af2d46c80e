"""Every text normaliser by name; one is applied once, to reference and hypothesis alike."""

from whisper_qat.errors import InputError, nearest
from whisper_qat.metrics.normalizers.card import CARD
from whisper_qat.metrics.normalizers.french import FRENCH
from whisper_qat.metrics.normalizers.normalizer import Normalizer

NORMALIZERS: dict[str, Normalizer] = {one.name: one for one in (CARD, FRENCH)}


def get_normalizer(name: str) -> Normalizer:
    """The normaliser of that name; InputError with the nearest one otherwise."""
    if name not in NORMALIZERS:
        raise InputError(
            f"normalizer={name!r}: expected one of {', '.join(NORMALIZERS)}"
            f"{nearest(name, NORMALIZERS)}"
        )
    return NORMALIZERS[name]
