"""Model FLOPs of a Whisper: its matrix products, independent of the hardware and kernels.

One multiply and one add count 2. A backward pass is twice the forward pass (a product for the
input's gradient and one for the weight's). Norms, softmax and the fake quantization are not
counted, so a rate in model FLOPs is the hardware's rate less the time that these take.
Checked against torch's own counter (`torch.utils.flop_counter`) in the tests.
"""

from dataclasses import dataclass

from transformers import WhisperConfig


@dataclass(frozen=True, kw_only=True)
class WhisperSize:
    """Model sizes that determine the count; `mels`: input channels, `vocabulary`: head outputs."""

    encoder_layers: int
    decoder_layers: int
    width: int
    encoder_ffn: int
    decoder_ffn: int
    mels: int
    vocabulary: int

    @classmethod
    def of(cls, config: WhisperConfig) -> "WhisperSize":
        return cls(
            encoder_layers=config.encoder_layers, decoder_layers=config.decoder_layers,
            width=config.d_model, encoder_ffn=config.encoder_ffn_dim,
            decoder_ffn=config.decoder_ffn_dim, mels=config.num_mel_bins,
            vocabulary=config.vocab_size,
        )  # fmt: skip


# bofenghuang/whisper-large-v3-distil-fr-v0.2
V02 = WhisperSize(
    encoder_layers=32, decoder_layers=2, width=1280, encoder_ffn=5120, decoder_ffn=5120, mels=128,
    vocabulary=51866,
)  # fmt: skip


def encoder_forward(shape: WhisperSize, frames: int) -> int:
    """FLOPs of encoding one clip of `frames` mel frames (even)."""
    d, s = shape.width, frames // 2
    convolutions = 2 * 3 * shape.mels * d * frames + 2 * 3 * d * d * s
    layer = 8 * s * d * d + 4 * s * s * d + 4 * s * d * shape.encoder_ffn
    return convolutions + shape.encoder_layers * layer


def decoder_forward(shape: WhisperSize, frames: int, tokens: int) -> int:
    """FLOPs of decoding `tokens` tokens of one clip, teacher-forced, head included."""
    d, s, t = shape.width, frames // 2, tokens
    own = 8 * t * d * d + 4 * t * t * d
    cross = 4 * t * d * d + 4 * s * d * d + 4 * t * s * d
    layer = own + cross + 4 * t * d * shape.decoder_ffn
    return shape.decoder_layers * layer + 2 * t * d * shape.vocabulary


def training_step(
    shape: WhisperSize, frames: int, tokens: int, *, teacher_frames: int | None = None
) -> int:
    """FLOPs of training on one clip: forward, backward, and a teacher's forward if there is one."""
    student = encoder_forward(shape, frames) + decoder_forward(shape, frames, tokens)
    if teacher_frames is None:
        return 3 * student
    teacher = encoder_forward(shape, teacher_frames)
    return 3 * student + teacher + decoder_forward(shape, teacher_frames, tokens)
