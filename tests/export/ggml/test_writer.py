"""whisper.cpp's file: every value kept, other networks refused, and whisper.cpp runs it."""

import numpy as np
import pytest

from tests.export.finals import floating, quantized, rule
from tests.export.ggml_bytes import read_ggml
from whisper_qat.data.audio.context import AudioContext
from whisper_qat.data.audio.features import Features
from whisper_qat.data.audio.reading import read_audio
from whisper_qat.data.clips.source import load_clips
from whisper_qat.errors import InputError
from whisper_qat.export.ggml.writer import (
    mel_filters,
    prevailing,
    read_sizes,
    tensor_name,
    vocabulary,
    write_ggml,
)
from whisper_qat.export.source import parameters
from whisper_qat.infer.decoding.greedy import greedy
from whisper_qat.infer.decoding.rules import read_rules
from whisper_qat.infer.decoding.text_decoder import TextDecoder
from whisper_qat.infer.torch_backend import TorchBackend
from whisper_qat.metrics.normalizers.french import normalize_french
from whisper_qat.metrics.wer import Counts, count_words
from whisper_qat.model.checkpoint.final import Final
from whisper_qat.model.fake_quant.layers import fake_quantized, quantized_once
from whisper_qat.model.plan.plan import HEAD, TOKEN_TABLE, block_rules, default_rules
from whisper_qat.runs.folders import read_json

HALF = rule(r"model\.encoder\.conv[12]|model\.(en|de)coder\.embed_positions", "float16")


@pytest.fixture(scope="module")
def base(tiny_whisper_folder):
    """A tiny Whisper of the sizes that whisper.cpp insists on."""
    return tiny_whisper_folder(vocab_size=51865, encoder_ffn_dim=256, decoder_ffn_dim=256)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "ggml").mkdir()
    return tmp_path / "ggml"


def written(final: Final, base, folder, requantize=False):
    """The file's name, its content and what was rounded anew."""
    rounded = write_ggml(final, base, folder, requantize)
    (path,) = folder.iterdir()
    return path.name, read_ggml(path), rounded


def values_of_training(final: Final) -> dict[str, np.ndarray]:
    """Every parameter as the forward uses it, on its grid."""
    weights = parameters(final)
    for name, layer in fake_quantized(final.model).items():
        if name != HEAD:
            weights[f"{name}.weight"] = layer.quantized_weight().detach().numpy()
    return weights


def differing(final: Final, tensors: dict[str, np.ndarray]) -> list[str]:
    """Parameters whose value in the file is not the one of training."""
    expected = values_of_training(final)
    assert {tensor_name(name) for name in expected} == tensors.keys()
    return [
        name
        for name, value in expected.items()
        if not np.array_equal(tensors[tensor_name(name)].squeeze(), value.squeeze())
    ]


@pytest.mark.parametrize(
    ("plan", "kind", "ftype"), [("ggml_q4_0", "q4_0", 2002), ("ggml_q8_0", "q8_0", 2007)]
)
def test_every_value_is_the_one_of_training(base, folder, plan, kind, ftype):
    final = quantized(base, plan)
    name, file, rounded = written(final, base, folder)
    assert (name, rounded) == (f"ggml-model-{kind}.bin", {})
    assert file.sizes["ftype"] == ftype
    assert differing(final, file.tensors) == []
    matrices = {tensor_name(f"{n}.weight") for n in fake_quantized(final.model) if n != HEAD}
    assert {n for n, k in file.kinds.items() if k == kind} == matrices
    convolutions = {"encoder.conv1.weight", "encoder.conv2.weight"}
    assert {n for n, k in file.kinds.items() if k == "f16"} == convolutions


def in_half(base) -> Final:
    """A float checkpoint of numbers that float16 holds, as published ones are."""
    final = floating(base)
    final.model.half().float()
    return final


def test_float_checkpoint_is_float16(base, folder):
    final = in_half(base)
    name, file, rounded = written(final, base, folder)
    assert (name, rounded) == ("ggml-model-f16.bin", {})
    assert file.sizes["ftype"] == 1
    assert differing(final, file.tensors) == []
    half = {n for n, kind in file.kinds.items() if kind == "f16"}
    assert {"decoder.token_embedding.weight", "encoder.conv2.weight"} <= half
    assert {n for n in half if "bias" in n or "ln" in n or "positional" in n} == set()


def test_float_weights_that_half_does_not_hold(base, folder):
    final = floating(base)
    with pytest.raises(InputError, match=r"conv1 .float. and 34 more; the file holds float16 mat"):
        write_ggml(final, base, folder, False)
    _, file, rounded = written(final, base, folder, requantize=True)
    assert len(rounded) == 35
    assert {f"{name}.weight" for name in rounded} == set(differing(final, file.tensors))


@pytest.mark.parametrize(
    ("rules", "kind"),
    [
        (default_rules("int4", 32), "q8_0"),  # table 8 bits: the 4-bit codes fit q8_0
        (block_rules(8, 64, ""), "q8_0"),  # one scale for two blocks
        ([HALF, rule(TOKEN_TABLE, "block-int4-32-f16"), rule(".*", "block-int2-64-f16")], "q4_0"),
    ],
    ids=["mixed bits", "longer blocks", "two bits"],
)
def test_wider_types_keep_narrower_grids(base, folder, rules, kind):
    final = quantized(base, rules)
    name, file, rounded = written(final, base, folder)
    assert (name, rounded) == (f"ggml-model-{kind}.bin", {})
    assert differing(final, file.tensors) == []


def test_requantize_takes_the_type_of_most_layers_and_says_what_it_rounded(base, folder):
    final = quantized(base, default_rules("int4", 32))
    name, file, rounded = written(final, base, folder, requantize=True)
    assert name == "ggml-model-q4_0.bin"
    assert rounded == {TOKEN_TABLE: "block-int8-32-f16"}
    assert differing(final, file.tensors) == [f"{TOKEN_TABLE}.weight"]


def test_the_table_alone_decides_when_nothing_else_is_quantized(base):
    final = quantized(base, [HALF, rule(TOKEN_TABLE, "block-int4-32-f16")])
    assert prevailing(final.plan, parameters(final)) == "q4_0"


@pytest.mark.parametrize(
    ("rules", "first"),
    [
        ("int8_dynamic_all", "k_proj (int8-dynamic) and 31 more"),
        ([HALF, rule(".*", "block-int8-32")], "k_proj (block-int8-32) and 32 more"),
        ([HALF, rule(".*", "block-int8-16-f16")], "k_proj (block-int8-16-f16) and 32 more"),
        ([HALF, rule(TOKEN_TABLE, "block-int8-32-f16")], "k_proj (float) and 31 more"),
        ([rule(".*", "block-int8-32-f16")], "model.encoder.conv1 (float) and 1 more"),
    ],
    ids=["per channel", "float32 scales", "blocks of 16", "float layers", "float convolutions"],
)
def test_plans_that_blocks_cannot_hold(base, folder, rules, first):
    final = quantized(base, rules)
    with pytest.raises(InputError) as error:
        write_ggml(final, base, folder, False)
    assert "--format ggml: cannot keep model." in str(error.value)
    assert f"{first}; the file holds blocks of 32 with float16 scales" in str(error.value)
    assert not any(folder.iterdir())
    assert len(write_ggml(final, base, folder, True)) > 1


def test_other_networks_are_refused(base):
    config = floating(base).model.config.to_dict()
    assert read_sizes(config).n_text_state == 64
    with pytest.raises(InputError, match="decoder_ffn_dim is 128; whisper.cpp takes 4 x d_model"):
        read_sizes(config | {"decoder_ffn_dim": 128})
    with pytest.raises(InputError, match="vocab_size 1773; whisper.cpp knows the special tokens"):
        read_sizes(config | {"vocab_size": 1773})
    odd = {"d_model": 48, "encoder_ffn_dim": 192, "decoder_ffn_dim": 192}
    with pytest.raises(InputError, match="d_model 48 is not a multiple of 32"):
        read_sizes(config | odd)


@pytest.mark.parametrize(
    ("parameter", "name"),
    [
        ("model.encoder.conv1.bias", "encoder.conv1.bias"),
        ("model.encoder.embed_positions.weight", "encoder.positional_embedding"),
        ("model.encoder.layer_norm.bias", "encoder.ln_post.bias"),
        ("model.decoder.layer_norm.weight", "decoder.ln.weight"),
        ("model.decoder.embed_tokens.weight", "decoder.token_embedding.weight"),
        ("model.encoder.layers.3.self_attn.k_proj.weight", "encoder.blocks.3.attn.key.weight"),
        ("model.decoder.layers.11.encoder_attn.out_proj.bias",
         "decoder.blocks.11.cross_attn.out.bias"),
        ("model.decoder.layers.0.encoder_attn_layer_norm.weight",
         "decoder.blocks.0.cross_attn_ln.weight"),
        ("model.decoder.layers.0.self_attn_layer_norm.bias", "decoder.blocks.0.attn_ln.bias"),
        ("model.decoder.layers.0.final_layer_norm.weight", "decoder.blocks.0.mlp_ln.weight"),
        ("model.decoder.layers.0.fc1.weight", "decoder.blocks.0.mlp.0.weight"),
        ("model.decoder.layers.0.fc2.bias", "decoder.blocks.0.mlp.2.bias"),
    ],
)  # fmt: skip
def test_names_are_those_of_whisper_cpp(parameter, name):
    assert tensor_name(parameter) == name


def test_vocabulary_is_bytes_without_special_tokens(base, tmp_path):
    tokens = vocabulary(base)
    assert sorted(tokens) == sorted(bytes([i]) for i in range(256))
    (tmp_path / "vocab.json").write_text('{"a": 0, "b": 2}')
    with pytest.raises(InputError, match=r"vocab\.json: token ids are not 0 to 1"):
        vocabulary(tmp_path)


def test_filters_are_the_checkpoints(base):
    filters = mel_filters(base)
    assert (filters.shape, filters.dtype) == ((80, 201), np.float32)
    # From whisper's own assets/mel_filters.npz: the first band's largest weight.
    assert filters[0].max() == pytest.approx(0.02486259, abs=1e-7)


@pytest.mark.slow
def test_whisper_base_has_its_own_vocabulary(whisper_base):
    tokens = vocabulary(whisper_base)
    assert len(tokens) == 50257
    assert tokens[read_json(whisper_base / "vocab.json")["ĠÃ©t"]] == " ét".encode()


# --- in whisper.cpp ----------------------------------------------------------------------------


class WhisperCpp:
    """One file in whisper.cpp, greedy, French, no timestamps."""

    def __init__(self, path) -> None:
        model = pytest.importorskip("pywhispercpp.model", reason="no pywhispercpp: pip install it")
        self.model = model.Model(str(path), n_threads=1)

    def text(self, audio: np.ndarray) -> str:
        """Transcript of samples at 16 kHz."""
        segments = self.model.transcribe(
            audio, language="fr", no_timestamps=True, no_context=True, temperature_inc=0.0,
            print_progress=False, suppress_blank=True,
        )  # fmt: skip
        return " ".join(segment.text for segment in segments).strip()


def test_the_loader_finds_every_tensor(base, folder, capfd):
    """It counts and measures them; of a failure pywhispercpp only shows the log."""
    write_ggml(in_half(base), base, folder, False)
    path = folder / "ggml-model-f16.bin"
    WhisperCpp(path)
    log = capfd.readouterr().err
    assert "model size" in log
    assert "failed to load model" not in log
    short = folder / "short.bin"
    short.write_bytes(path.read_bytes()[:-100_000])
    WhisperCpp(short)
    assert "not all tensors loaded" in capfd.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("plan", [None, "ggml_q8_0", "ggml_q4_0"])
def test_whisper_base_transcribes(whisper_base, telephone_fr, folder, plan):
    """Most words are our own of the same weights: another arithmetic, and its own features.

    Measured on 12 clips: 3, 2 and 7 of 180 words differ; a file read wrongly gives other texts. On
    a CPU where torch adds up in another order, one of these 4 is another sentence in int8: 9 of 41.
    """
    final = quantized(whisper_base, plan) if plan else floating(whisper_base)
    write_ggml(final, whisper_base, folder, False)
    (path,) = folder.iterdir()
    theirs = WhisperCpp(path)
    prompts = load_clips(str(telephone_fr), split="test")
    clips = [read_audio(clip) for clip in prompts if 3 < clip.duration_s < 8][:4]
    features = Features.from_pretrained(whisper_base)
    rules = read_rules(whisper_base, language="fr", max_new_tokens=60)
    text = TextDecoder.from_folder(whisper_base)
    found = Counts(substitutions=0, deletions=0, insertions=0, words=0)
    with quantized_once(final.model):
        for audio in clips:
            mel = features.log_mel(audio, AudioContext())
            ours = text.text(greedy(TorchBackend(final.model), mel, rules).tokens)
            found += count_words(normalize_french(ours), normalize_french(theirs.text(audio)))
    assert found.words > 30
    assert found.rate < 0.4
