"""Every text normaliser by name; each is applied once to both reference and hypothesis."""

from whisper_qat.errors import InputError, nearest
from whisper_qat.metrics.normalizers.card import CARD
from whisper_qat.metrics.normalizers.french import FRENCH
from whisper_qat.metrics.normalizers.normalizer import Normalizer

NORMALIZERS: dict[str, Normalizer] = {one.name: one for one in (CARD, FRENCH)}


def get_normalizer(name: str) -> Normalizer:
    """The normaliser of that name; InputError suggests the nearest name."""
    if name not in NORMALIZERS:
        raise InputError(
            f"normalizer={name!r}: expected one of {', '.join(NORMALIZERS)}"
            f"{nearest(name, NORMALIZERS)}"
        )
    return NORMALIZERS[name]
