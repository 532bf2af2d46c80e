"""Time ONNX graphs operator by operator, side by side, on noise of given sizes.

Example:
    python scripts/profile_graphs.py --graphs ours=A/encoder_model.onnx other=B/encoder_model.onnx \
        --sizes feature_length=3000
"""

from whisper_qat.cli.command import main
from whisper_qat.tasks.profile_graphs import ProfileGraphsConfig, run

if __name__ == "__main__":
    main(ProfileGraphsConfig, run)
