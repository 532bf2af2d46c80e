"""Import of whole folders: a distilled shape, the real converter's output, and Whisper base."""

import json
from itertools import pairwise

import numpy as np
import pytest
import soundfile
import torch
from safetensors.torch import load_file
from transformers import GenerationConfig, WhisperProcessor
from transformers import WhisperForConditionalGeneration as Whisper

from tests.model.ct2_bytes import read_variables
from tests.model.ct2_whisper import (
    BEGIN_SUPPRESSED,
    END,
    HEADS,
    SUPPRESSED,
    V3_VOCABULARY,
    distilled_model,
    english_tokenizer,
    save_folder,
    variables_of,
)
from whisper_qat.errors import InputError
from whisper_qat.model.checkpoint.load import load_whisper
from whisper_qat.model.ctranslate2.importer import (
    ENGLISH_ONLY_VOCABULARY,
    import_folder,
    read_settings,
)

EMBEDDED_CACHE = "downloads/whisper-base/ctranslate2"


@pytest.fixture(scope="module")
def distilled():
    return distilled_model()


@pytest.fixture(scope="module")
def source(distilled, tmp_path_factory):
    return save_folder(tmp_path_factory.mktemp("ct2"), variables_of(distilled))


@pytest.fixture(scope="module")
def imported(source, tmp_path_factory):
    output = tmp_path_factory.mktemp("imported") / "model"
    import_folder(source, output)
    return output


def equal_weights(a, b):
    assert a.keys() == b.keys()
    return [name for name in a if not torch.equal(a[name].float(), b[name].float())]


def test_a_distilled_shape_keeps_every_weight(imported, distilled):
    """4 + 2 layers, 128 mels, 51866 tokens: what transformers loads is what was written."""
    stored = load_file(imported / "model.safetensors")
    assert {w.dtype for w in stored.values()} == {torch.float16}
    loaded = load_whisper(imported)
    assert equal_weights(loaded.state_dict(), distilled.state_dict()) == []
    assert loaded.proj_out.weight is loaded.model.decoder.embed_tokens.weight
    config = loaded.config
    assert (config.encoder_layers, config.decoder_layers, config.num_mel_bins) == (4, 2, 128)
    assert (config.encoder_attention_heads, config.decoder_attention_heads) == (4, 2)
    assert Whisper.from_pretrained(imported, dtype="auto").dtype == torch.float16


def test_it_computes_what_the_original_computes(imported, distilled):
    random = torch.Generator().manual_seed(0)
    mel = torch.randn(1, 128, 3000, generator=random)
    tokens = torch.tensor([[50258, 50265, 50360, 50364, 300]])
    with torch.no_grad():
        a = distilled.eval()(input_features=mel, decoder_input_ids=tokens).logits
        b = load_whisper(imported)(input_features=mel, decoder_input_ids=tokens).logits
    assert torch.equal(a, b)


def test_features_have_the_models_mels(imported):
    processor = WhisperProcessor.from_pretrained(imported, language="fr", task="transcribe")
    mel = processor(np.zeros(16000, np.float32), sampling_rate=16000).input_features
    assert np.shape(mel) == (1, 128, 3000)
    assert processor.tokenizer.prefix_tokens == [50258, 50265, 50360, 50364]


def test_generation_settings_of_large_v3(imported):
    config = GenerationConfig.from_pretrained(imported)
    assert config.is_multilingual is True
    assert len(config.lang_to_id) == 100
    assert (config.lang_to_id["<|fr|>"], config.lang_to_id["<|yue|>"]) == (50265, 50358)
    assert config.task_to_id == {"transcribe": 50360, "translate": 50359}
    assert config.no_timestamps_token_id == 50364
    assert (config.decoder_start_token_id, config.prev_sot_token_id) == (50258, 50362)
    assert {config.bos_token_id, config.eos_token_id, config.pad_token_id} == {END}
    assert (config.suppress_tokens, config.begin_suppress_tokens) == (SUPPRESSED, BEGIN_SUPPRESSED)
    assert config.alignment_heads == HEADS
    assert (config.max_length, config.max_initial_timestamp_index) == (448, 50)
    assert config.return_timestamps is False
    assert config.forced_decoder_ids is None


def test_an_english_only_model_has_no_languages_to_choose(tmp_path):
    """Its tokenizer has the language tokens all the same, and one token less than the others'."""
    model = distilled_model(
        vocab_size=ENGLISH_ONLY_VOCABULARY, num_mel_bins=80, eos_token_id=50256, bos_token_id=50256,
        pad_token_id=50256, decoder_start_token_id=50257,
    )  # fmt: skip
    source = save_folder(tmp_path / "ct2", variables_of(model))
    (source / "tokenizer.json").write_text(json.dumps(english_tokenizer()))
    import_folder(source, tmp_path / "out")
    config = GenerationConfig.from_pretrained(tmp_path / "out")
    assert config.is_multilingual is False and not hasattr(config, "lang_to_id")
    assert (config.eos_token_id, config.decoder_start_token_id) == (50256, 50257)
    assert config.no_timestamps_token_id == 50362
    processor = WhisperProcessor.from_pretrained(tmp_path / "out")
    assert processor.tokenizer.prefix_tokens == [50257, 50362]
    assert len(processor.tokenizer) == ENGLISH_ONLY_VOCABULARY
    loaded = load_whisper(tmp_path / "out")
    assert equal_weights(loaded.state_dict(), model.state_dict()) == []
    assert loaded.config.decoder_start_token_id == 50257


def test_weights_of_other_shapes_are_named(tmp_path):
    variables = variables_of(distilled_model())
    variables["encoder/conv2/weight"] = np.zeros((32, 31, 3), np.float16)
    save_folder(tmp_path / "a", variables)
    message = (
        r"a/model\.bin: model\.encoder\.conv2\.weight has shape \[32, 31, 3\], expected \[32, 32"
    )
    with pytest.raises(InputError, match=message):
        import_folder(tmp_path / "a", tmp_path / "b")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("model.bin", r"model\.bin: no such file; expected a folder with CTranslate2's model\.bin"),
        ("config.json", r"config\.json: no such file"),
        ("tokenizer.json", r"tokenizer\.json: missing; copy tokenizer\.json from the model"),
    ],
)
def test_a_missing_file_is_named_and_nothing_written(source, tmp_path, name, message):
    for path in source.iterdir():
        if path.name != name:
            (tmp_path / path.name).symlink_to(path)
    with pytest.raises(InputError, match=message):
        import_folder(tmp_path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_what_is_not_a_whisper_is_named_with_its_file(source, tmp_path):
    save_folder(tmp_path, {"x": np.zeros(1, np.float32)}, aliases={}, spec="TransformerSpec")
    with pytest.raises(InputError, match=r"model\.bin: not a Whisper: spec 'TransformerSpec'"):
        import_folder(tmp_path, tmp_path / "out")


def test_settings_must_be_an_object(tmp_path):
    (tmp_path / "config.json").write_text("[]")
    with pytest.raises(InputError, match=r"config\.json: expected an object with 'suppress_ids'"):
        read_settings(tmp_path)


def by_real_converter(folder, output, quantization):
    converters = pytest.importorskip("ctranslate2.converters", reason="no ctranslate2 package")
    converter = converters.TransformersConverter(str(folder), copy_files=["tokenizer.json"])
    converter.convert(str(output), quantization=quantization)
    return output


@pytest.mark.filterwarnings("ignore")  # of the converter's own
@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_back_from_the_real_converter(tiny_whisper, tmp_path, dtype):
    """To CTranslate2 by its own converter and back: nothing but the dtype changes."""
    import_folder(by_real_converter(tiny_whisper, tmp_path / "ct2", dtype), tmp_path / "out")
    original = load_whisper(tiny_whisper)
    there = {n: p.to(getattr(torch, dtype)) for n, p in original.state_dict().items()}
    assert equal_weights(load_whisper(tmp_path / "out").state_dict(), there) == []
    assert GenerationConfig.from_pretrained(tmp_path / "out").lang_to_id == (
        original.generation_config.lang_to_id
    )
    assert json.loads((tmp_path / "out/config.json").read_text())["torch_dtype"] == dtype


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("quantization", ["int8", "int8_float16", "int16"])
def test_quantized_by_the_real_converter(tiny_whisper, tmp_path, quantization):
    """Codes / scale is within half a step of the original; what stayed float is as it was."""
    import_folder(by_real_converter(tiny_whisper, tmp_path / "ct2", quantization), tmp_path / "out")
    original, back = load_whisper(tiny_whisper), load_whisper(tmp_path / "out")
    steps = 2**10 if quantization == "int16" else 127
    a, b = original.model.decoder.embed_tokens.weight, back.model.decoder.embed_tokens.weight
    largest = a.abs().max() if quantization == "int16" else a.abs().amax(1, keepdim=True)
    assert ((a - b).abs() <= 0.5001 * largest / steps).all()
    assert not torch.equal(a, b)
    kept = original.model.encoder.embed_positions.weight
    if quantization == "int8_float16":
        kept = kept.half().float()
    assert torch.equal(back.model.encoder.embed_positions.weight, kept)


@pytest.fixture(scope="module")
def base_variables(whisper_base):
    path = whisper_base.parent / EMBEDDED_CACHE / "model.bin"
    if not path.is_file():
        pytest.skip("no downloaded weights: run 'make base-model'")
    return read_variables(path)


def test_whisper_base_has_exactly_the_files_numbers(whisper_base, base_variables):
    """All 212 variables, read by the test's own reader, fused again from what was imported."""
    weights = load_whisper(whisper_base).half()
    for name, value in variables_of(weights).items():
        assert np.array_equal(base_variables.pop(name), value), name
    assert not base_variables
    state = weights.state_dict()
    stored = load_file(whisper_base / "model.safetensors")
    assert all(torch.equal(state[name], value) for name, value in stored.items())


def test_whisper_base_settings(whisper_base):
    config = GenerationConfig.from_pretrained(whisper_base)
    assert len(config.lang_to_id) == 99
    assert list(config.lang_to_id.values()) == list(range(50259, 50358))
    assert (config.lang_to_id["<|fr|>"], config.no_timestamps_token_id) == (50265, 50363)
    assert config.task_to_id == {"transcribe": 50359, "translate": 50358}
    assert len(config.suppress_tokens) == 88
    assert config.begin_suppress_tokens == [220, 50257]
    assert config.alignment_heads[0] == [3, 1]
    processor = WhisperProcessor.from_pretrained(whisper_base, language="french", task="transcribe")
    assert processor.tokenizer.prefix_tokens == [50258, 50265, 50359, 50363]
    assert len(processor.tokenizer) == 51865 == V3_VOCABULARY - 1
    timestamps = [f"<|{i * 0.02:.2f}|>" for i in range(1501)]
    ids = processor.tokenizer.convert_tokens_to_ids(timestamps)
    assert ids[0] == 50364
    assert all(b - a == 1 for a, b in pairwise(ids))


def test_tiny_en_has_exactly_the_files_numbers(whisper_tiny_en):
    path = whisper_tiny_en.parent / "downloads/whisper-tiny-en/ctranslate2/model.bin"
    if not path.is_file():
        pytest.skip("no downloaded weights: run 'make english-model'")
    variables = read_variables(path)
    for name, value in variables_of(load_whisper(whisper_tiny_en).half()).items():
        assert np.array_equal(variables.pop(name), value), name
    assert not variables


def test_tiny_en_settings(whisper_tiny_en):
    """As far as they can be known without it, those of openai/whisper-tiny.en."""
    config = GenerationConfig.from_pretrained(whisper_tiny_en)
    assert config.is_multilingual is False
    assert not hasattr(config, "lang_to_id") and not hasattr(config, "task_to_id")
    assert (config.eos_token_id, config.decoder_start_token_id) == (50256, 50257)
    assert (config.no_timestamps_token_id, config.prev_sot_token_id) == (50362, 50360)
    assert config.begin_suppress_tokens == [220, 50256]
    assert config.suppress_tokens[:3] == [1, 2, 7]
    assert config.suppress_tokens[-6:] == [50257, 50357, 50358, 50359, 50360, 50361]
    assert len(config.suppress_tokens) == 90
    assert config.alignment_heads[0] == [1, 0]
    processor = WhisperProcessor.from_pretrained(whisper_tiny_en)
    assert processor.tokenizer.prefix_tokens == [50257, 50362]
    assert len(processor.tokenizer) == ENGLISH_ONLY_VOCABULARY
    ids = processor.tokenizer.convert_tokens_to_ids(["<|0.00|>", "<|30.00|>", "<|endoftext|>"])
    assert ids == [50363, 51863, 50256]
    text = "Please enter your password, followed by the pound key."
    assert processor.tokenizer.decode(processor.tokenizer(text).input_ids[2:-1]) == text


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of generate's own
def test_whisper_base_transcribes_french(whisper_base, telephone_fr):
    rows = [json.loads(r) for r in (telephone_fr / "test.jsonl").read_text().splitlines()]
    row = next(row for row in rows if row["id"] == "agent-incorrect")
    audio, rate = soundfile.read(telephone_fr / row["audio"], dtype="float32")
    processor = WhisperProcessor.from_pretrained(whisper_base)
    features = processor(audio, sampling_rate=rate, return_tensors="pt").input_features
    ids = load_whisper(whisper_base).generate(features, language="fr", task="transcribe")
    text = processor.batch_decode(ids, skip_special_tokens=True)[0]
    assert "l'ouverture de session. Veuillez recomposer votre numéro d'agen" in text
