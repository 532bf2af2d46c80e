"""Print where every byte of an ONNX folder sits and which kernels onnxruntime runs for its layers.

Exits 1 when a planned kernel is missing.

Example:
    python scripts/inspect_model.py outputs/models/whisper-qat-int4-quantized --json inspection.json
"""

from whisper_qat.cli.command import main
from whisper_qat.tasks.inspect_model import InspectModelConfig, run

if __name__ == "__main__":
    main(InspectModelConfig, run)
