"""Every runtime that the benchmark knows, in the order of its rows."""

from whisper_qat.measure.systems.faster_whisper import FASTER_WHISPER
from whisper_qat.measure.systems.openvino_ours import OPENVINO
from whisper_qat.measure.systems.ours import OPTIMUM_SETTINGS, OURS
from whisper_qat.measure.systems.runtime import Form, Runtime
from whisper_qat.measure.systems.transformers_torch import TRANSFORMERS
from whisper_qat.measure.systems.whisper_cpp import WHISPER_CPP

RUNTIMES: tuple[Runtime, ...] = (
    OURS,
    OPTIMUM_SETTINGS,
    TRANSFORMERS,
    FASTER_WHISPER,
    WHISPER_CPP,
    OPENVINO,
)


def find_form(name: str) -> Form:
    """The form of the checkpoint that is called `name`."""
    return next(v.form for runtime in RUNTIMES for v in runtime.variants if v.form.name == name)
