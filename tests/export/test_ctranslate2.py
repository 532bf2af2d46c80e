"""CTranslate2 folders: the importer reads back what was written, CTranslate2 runs it."""

import ctranslate2
import numpy as np
import pytest
import torch

from tests.export.finals import PLANS, floating, quantized, rule
from whisper_qat.data.audio.context import AudioContext
from whisper_qat.data.audio.features import Features
from whisper_qat.data.audio.reading import read_audio
from whisper_qat.data.clips.source import load_clips
from whisper_qat.errors import InputError
from whisper_qat.export.ctranslate2 import write_ctranslate2
from whisper_qat.export.source import parameters
from whisper_qat.infer.decoding.greedy import greedy
from whisper_qat.infer.decoding.rules import read_rules
from whisper_qat.infer.decoding.text_decoder import TextDecoder
from whisper_qat.infer.torch_backend import TorchBackend
from whisper_qat.metrics.normalizers.french import normalize_french
from whisper_qat.metrics.wer import count_words, total
from whisper_qat.model.checkpoint.final import Final
from whisper_qat.model.ctranslate2.model_file import read_file
from whisper_qat.model.ctranslate2.weights import convert
from whisper_qat.model.fake_quant.layers import fake_quantized
from whisper_qat.model.plan.plan import HEAD, STORED, TOKEN_TABLE
from whisper_qat.model.plan.rules_file import read_rules_file
from whisper_qat.ptq.round_to_nearest import round_to_nearest
from whisper_qat.runs.folders import read_json

NEW_TOKENS = 24


@pytest.fixture(scope="module")
def dynamic(tiny_whisper):
    return quantized(tiny_whisper, "int8_dynamic_all")


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "ct2").mkdir()
    return tmp_path / "ct2"


def test_float_weights_come_back_from_the_importer(tiny_whisper, folder):
    final = floating(tiny_whisper)
    assert write_ctranslate2(final, tiny_whisper, folder, False) == {}
    dimensions, weights = convert(read_file(folder / "model.bin"))
    expected = parameters(final)
    assert weights.keys() == expected.keys()
    for name, value in expected.items():
        assert weights[name].dtype == torch.float32
        assert (weights[name].numpy() == value).all(), name
    assert (dimensions.decoder_layers, dimensions.decoder_attention_heads) == (2, 4)


def test_codes_are_the_trained_ones_and_scales_their_reciprocals(dynamic, tiny_whisper, folder):
    rounded = write_ctranslate2(dynamic, tiny_whisper, folder, True)
    assert rounded == {TOKEN_TABLE: "block-int8-32-f16"}
    variables = read_file(folder / "model.bin").variables
    layers = fake_quantized(dynamic.model)
    parts = [layers[f"model.encoder.layers.1.self_attn.{x}_proj"] for x in "qkv"]
    name = "encoder/layer_1/self_attention/linear_0/weight"
    codes = torch.cat([part.codes().to(torch.int16) - 128 for part in parts])
    assert variables[name].dtype == torch.int8
    assert (variables[name] == codes).all()
    scale = torch.cat([part.scale()[:, 0] for part in parts])
    assert (variables[f"{name}_scale"] == 1 / scale).all()
    assert variables["encoder/conv1/weight"].dtype == torch.float32


@pytest.mark.parametrize("plan", ["int8_row_all", "int7_row_all"])
def test_a_plan_of_rows_keeps_every_code_without_requantizing(plan, tiny_whisper, folder):
    final = quantized(tiny_whisper, plan)
    assert write_ctranslate2(final, tiny_whisper, folder, False) == {}
    variables, layers = read_file(folder / "model.bin").variables, fake_quantized(final.model)
    table, out = "decoder/embeddings/weight", "decoder/layer_1/attention/linear_2/weight"
    of = {table: TOKEN_TABLE, out: "model.decoder.layers.1.encoder_attn.out_proj"}
    for name, layer in of.items():
        assert (variables[name] == layers[layer].codes().to(torch.int16) - 128).all()
        scale = layers[layer].scale()[:, 0].numpy()
        written = variables[f"{name}_scale"].numpy()
        assert (written == 1 / np.where(scale == 0, np.float32(1), scale)).all()


def test_values_of_every_matrix_come_back_within_two_roundings(dynamic, tiny_whisper, folder):
    write_ctranslate2(dynamic, tiny_whisper, folder, True)
    _, weights = convert(read_file(folder / "model.bin"))
    layers = {
        n: m for n, m in fake_quantized(dynamic.model).items() if n not in (HEAD, TOKEN_TABLE)
    }
    assert len(layers) > 20
    for name, layer in layers.items():
        expected = layer.quantized_weight().detach()
        error = (weights[f"{name}.weight"] - expected).abs()
        assert (error <= expected.abs() * 2**-22).all(), name
    half = parameters(dynamic)
    for name in STORED:
        assert (weights[f"{name}.weight"].numpy() == half[f"{name}.weight"]).all()


def test_a_row_of_zeros_has_scale_one(tiny_whisper, folder):
    final = floating(tiny_whisper)
    final.model.model.encoder.layers[0].fc1.weight.data[3] = 0
    rules = read_rules_file(PLANS / "int8_dynamic_all.yaml")
    zeroed = Final(final.model, round_to_nearest(final.model, rules), final.info)
    write_ctranslate2(zeroed, tiny_whisper, folder, True)
    variables = read_file(folder / "model.bin").variables
    name = "encoder/layer_0/ffn/linear_0/weight"
    assert variables[f"{name}_scale"][3] == 1
    assert not variables[name][3].any()


def test_the_other_files(tiny_whisper, folder):
    write_ctranslate2(floating(tiny_whisper), tiny_whisper, folder, False)
    generation = read_json(tiny_whisper / "generation_config.json")
    config = read_json(folder / "config.json")
    assert config["suppress_ids"] == generation["suppress_tokens"]
    assert config["suppress_ids_begin"] == generation["begin_suppress_tokens"]
    assert config["lang_ids"] == sorted(generation["lang_to_id"].values())
    assert config["alignment_heads"] == [[1, 0], [1, 1], [1, 2], [1, 3]]
    tokens = read_json(folder / "vocabulary.json")
    assert len(tokens) == read_json(tiny_whisper / "config.json")["vocab_size"]
    assert tokens[generation["lang_to_id"]["<|fr|>"]] == "<|fr|>"
    names = {path.name for path in folder.iterdir()}
    assert names == {
        "model.bin", "config.json", "vocabulary.json", "tokenizer.json",
        "preprocessor_config.json",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("rules", "first"),
    [
        ("int8_dynamic_all", "model.decoder.embed_tokens (block-int8-32-f16); "),
        ("ggml_q4_0", "k_proj (block-int4-32-f16) and 32 more; "),
        ([rule(".*fc1", "int8-dynamic")], "k_proj (float) and 28 more; "),
    ],
)
def test_plans_that_rows_cannot_hold(tiny_whisper, folder, rules, first):
    final = quantized(tiny_whisper, rules)
    with pytest.raises(InputError) as error:
        write_ctranslate2(final, tiny_whisper, folder, False)
    assert "--format ctranslate2: cannot keep model." in str(error.value)
    assert f"{first}the file holds int8 with one scale per row" in str(error.value)
    assert not any(folder.iterdir())


def test_a_missing_tokenizer(tiny_whisper, folder, tmp_path):
    for name in ("generation_config.json", "preprocessor_config.json"):
        (tmp_path / name).write_text((tiny_whisper / name).read_text())
    with pytest.raises(InputError, match=r"tokenizer\.json: missing"):
        write_ctranslate2(floating(tiny_whisper), tmp_path, folder, False)


# --- in CTranslate2 ----------------------------------------------------------------------------


def generate(folder, mels, rules, compute_type="default"):
    """CTranslate2's greedy tokens, without the end."""
    model = ctranslate2.models.Whisper(str(folder), compute_type=compute_type, intra_threads=1)
    features = ctranslate2.StorageView.from_array(np.stack(mels))
    results = model.generate(
        features, [list(rules.prompt)] * len(mels), beam_size=1, suppress_blank=False,
        suppress_tokens=list(rules.filters.suppress),
        max_length=2 * rules.max_new_tokens,  # the prompt may have half of it
    )  # fmt: skip
    return model.compute_type, [result.sequences_ids[0] for result in results]


def test_tiny_model_says_our_tokens(tiny_whisper, folder):
    """float32 on both sides: equal but for rounding, which no margin here comes near."""
    final = floating(tiny_whisper)
    write_ctranslate2(final, tiny_whisper, folder, False)
    rules = read_rules(tiny_whisper, language="fr", max_new_tokens=NEW_TOKENS)
    rng = np.random.default_rng(0)
    mels = [rng.normal(size=(80, 3000)).astype(np.float32) for _ in range(2)]
    ours = [greedy(TorchBackend(final.model), mel, rules) for mel in mels]
    _, found = generate(folder, mels, rules)
    assert found == [decoded.tokens for decoded in ours]
    assert min(m for decoded in ours for m in decoded.margins) > 1e-4


@pytest.mark.slow
def test_whisper_base_transcribes(whisper_base, telephone_fr, folder):
    """float32: our tokens. int8: CTranslate2 rounds activations per row, so a few words differ."""
    final = floating(whisper_base)
    prompts = load_clips(str(telephone_fr), split="test")
    clips = [read_audio(clip) for clip in prompts if 3 < clip.duration_s < 8][:16]
    features = Features.from_pretrained(whisper_base)
    mels = [features.log_mel(audio, AudioContext()) for audio in clips]
    rules = read_rules(whisper_base, language="fr", max_new_tokens=NEW_TOKENS)
    write_ctranslate2(final, whisper_base, folder, False)
    ours = [greedy(TorchBackend(final.model), mel, rules).tokens for mel in mels]
    assert generate(folder, mels, rules) == ("float32", ours)

    dynamic = quantized(whisper_base, "int8_dynamic_all")
    write_ctranslate2(dynamic, whisper_base, folder, True)
    kind, found = generate(folder, mels, rules, "int8")
    assert kind == "int8_float32"
    text = TextDecoder.from_folder(whisper_base)
    pairs = [
        [normalize_french(text.text(tokens)) for tokens in pair]
        for pair in zip(ours, found, strict=True)
    ]
    counts = total(count_words(reference, other) for reference, other in pairs)
    assert counts.words > 150
    assert counts.rate < 0.15  # one clip of four heard otherwise is 0.23 on those four
