"""The plan: rules in order, every layer spoken about, strict in both directions."""

import pytest
from torch import nn

from tests.train.tiny_run import tiny_whisper
from whisper_qat.errors import InputError
from whisper_qat.model.fake_quant.half_storage import half_storages
from whisper_qat.model.fake_quant.layers import FakeQuantEmbedding, FakeQuantLinear, fake_quantized
from whisper_qat.model.fake_quant.prepare import apply_plan, plan, quantizable
from whisper_qat.model.plan.plan import STORED, TOKEN_TABLE, Plan, PlanEntry, Rule, default_rules

INT8 = Rule(pattern=".*", scheme="block-int8-32", why="all")


@pytest.fixture
def model():
    return tiny_whisper()


def test_every_linear_layer_is_spoken_about_and_the_tied_head_once(model):
    names = quantizable(model)
    linear = [n for n, m in model.named_modules() if isinstance(m, nn.Linear)]
    assert set(names) == set(linear) - {"proj_out"} | {TOKEN_TABLE, *STORED}
    assert len(names) == len(set(names)) == 6 + 10 + 1 + 4


def test_the_first_matching_rule_decides(model):
    rules = [
        Rule(pattern=".*fc2", scheme="float", why="outliers"),
        Rule(pattern=r"model\.decoder.*", scheme="block-int8-64", why="short"),
    ]
    entries = {entry.name: entry for entry in plan(model, rules).layers}
    assert entries["model.decoder.layers.0.fc2"].scheme == "float"
    assert entries["model.decoder.layers.0.fc1"].scheme == "block-int8-64"
    assert entries["model.encoder.layers.0.fc1"].why == "no rule matches"
    decoder = {n for n in entries if "decoder" in n and n not in STORED}
    assert set(plan(model, rules).quantized()) == decoder - {"model.decoder.layers.0.fc2"}


def test_a_catch_all_rule_leaves_out_what_cannot_be_quantized(model):
    made = plan(model, [INT8])
    schemes = {entry.name: entry.scheme for entry in made.layers}
    assert {schemes[name] for name in STORED} == {"float"} and made.half() == []


def test_convolutions_and_positions_are_stored_in_half_by_default(model):
    made = plan(model, default_rules("int8", 32))
    assert made.half() == list(STORED)
    apply_plan(model, made)
    assert set(half_storages(model)) == set(STORED)


@pytest.mark.parametrize(
    ("name", "scheme", "message"),
    [
        ("model.encoder.conv1", "block-int8-32", "'model.encoder.conv1' can be float or float16"),
        (TOKEN_TABLE, "float16", f"'{TOKEN_TABLE}' is float or an integer scheme"),
    ],
)
def test_what_a_layer_cannot_be_is_refused(model, name, scheme, message):
    with pytest.raises(InputError, match=message):
        apply_plan(model, Plan((PlanEntry(name=name, scheme=scheme, why=""),)))


def test_the_table_in_a_scheme_without_a_lookup_is_refused(model):
    rule = Rule(pattern=".*", scheme="int8-dynamic", why="all")
    message = r"plan rule '\.\*': model\.decoder\.embed_tokens .* float or a block scheme, not int8"
    with pytest.raises(InputError, match=message):
        plan(model, [rule])
    entry = PlanEntry(name=TOKEN_TABLE, scheme="int8-dynamic", why="")
    with pytest.raises(InputError, match="plan: model.decoder.embed_tokens .* float or a block"):
        apply_plan(model, Plan((entry,)))
    table = Rule(pattern=TOKEN_TABLE, scheme="block-int8-32", why="looked up")
    schemes = plan(model, [table, rule]).quantized()
    assert schemes.pop(TOKEN_TABLE).name == "block-int8-32"
    assert {scheme.name for scheme in schemes.values()} == {"int8-dynamic"}


@pytest.mark.parametrize(
    ("kind", "rest", "rows"),
    [("int8", 8, "int8-row"), ("int4", 4, None), ("int3", 4, "int3-row"), ("int2", 2, None)],
)
def test_default_rules_keep_the_table_in_8_bits(model, kind, rest, rows):
    schemes = plan(model, default_rules(kind, 64)).quantized()
    assert schemes.pop(TOKEN_TABLE).name == "block-int8-64-f16"
    blocks = f"block-int{rest}-64-f16"
    for name, scheme in schemes.items():
        many = ".encoder." in name or name.endswith(("encoder_attn.k_proj", "encoder_attn.v_proj"))
        assert scheme.name == (rows if rows and many else blocks), name
    assert default_rules("none", 32) == []


def test_a_rule_that_matches_nothing_is_a_misspelling(model):
    with pytest.raises(InputError, match=r"plan rule '\.\*fc3': matches no layer of this model"):
        plan(model, [Rule(pattern=".*fc3", scheme="float", why="")])


def test_applying_replaces_the_planned_layers_and_shares_their_weights(model):
    parameters = {name: id(p) for name, p in model.named_parameters()}
    made = plan(model, [INT8])
    apply_plan(model, made)
    layers = fake_quantized(model)
    assert set(layers) == set(made.quantized()) | {"proj_out"}
    assert isinstance(layers[TOKEN_TABLE], FakeQuantEmbedding)
    assert isinstance(layers["proj_out"], FakeQuantLinear)
    assert layers["proj_out"].weight is layers[TOKEN_TABLE].weight
    assert {name: id(p) for name, p in model.named_parameters()} == parameters


def test_a_planned_layer_must_exist(model):
    entry = PlanEntry(name="model.encoder.layers.7.fc1", scheme="block-int8-32", why="")
    with pytest.raises(
        InputError, match=r"plan: layer 'model.encoder.layers.7.fc1' is not in this"
    ):
        apply_plan(model, Plan((entry,)))


def test_an_untied_head_is_refused(model):
    model.proj_out.weight = nn.Parameter(model.proj_out.weight.detach().clone())
    with pytest.raises(InputError, match="proj_out does not share the weight of model.decoder.emb"):
        apply_plan(model, plan(model, [INT8]))
