"""Temperature fallback: what counts as repetition, the draws, and which try is kept."""

import numpy as np
import pytest

from tests.infer.scripted import ScriptedBackend
from whisper_qat.errors import InputError
from whisper_qat.infer.decoding.fallback import Fallback, Sampler
from whisper_qat.infer.decoding.greedy import Decoded, greedy
from whisper_qat.infer.decoding.rules import DecodingRules
from whisper_qat.infer.decoding.token_filters import TokenFilters

MEL = np.zeros((8, 100), dtype=np.float32)
VOCAB = 200
LENGTH = 60
RULES = DecodingRules(
    prompt=(7,), filters=TokenFilters(suppress=(9,)), end_ids=frozenset([0]),
    max_new_tokens=LENGTH, language="fr",
)  # fmt: skip
LOOP = Decoded(tokens=[5] * LENGTH, margins=[1.0] * LENGTH, ended=False)


def words(tokens):
    return " ".join(map(str, tokens))


class CountingBackend(ScriptedBackend):
    """Every step prefers token 5 by `lead`; counts the utterances."""

    def __init__(self, lead):
        super().__init__(lead * np.eye(VOCAB, dtype=np.float32)[[5] * LENGTH])
        self.encoded = 0

    def encode(self, mel):
        self.encoded += 1
        return super().encode(mel)


def again(backend, decoded=LOOP, **settings):
    return Fallback(**settings).decode_again(decoded, backend, MEL, RULES, words)


def test_a_loop_is_told_from_speech():
    speech = "Pour activer ou désactiver le mode sourdine, veuillez appuyer sur 1."
    assert Fallback().repeats("1 000 000 " + "000 " * 100)
    assert not Fallback().repeats(speech) and not Fallback().repeats("")


@pytest.mark.parametrize("temperature", [0.0, -0.2, np.nan])
def test_a_temperature_that_nothing_can_be_drawn_at(temperature):
    with pytest.raises(InputError, match=r"temperatures=\(0.4, .*\): expected numbers above 0"):
        Fallback(temperatures=(0.4, temperature))


@pytest.mark.parametrize("temperature", [0.5, 1.0])
def test_draws_have_the_probabilities_of_the_softmax(temperature):
    chances = np.array([0.5, 0.3, 0.2, 0.0])
    with np.errstate(divide="ignore"):
        scores = np.log(chances).astype(np.float32)
    sampler = Sampler(temperature, seed=1)
    drawn = np.bincount([sampler(scores)[0] for _ in range(20_000)], minlength=4) / 20_000
    expected = chances ** (1 / temperature) / (chances ** (1 / temperature)).sum()
    assert drawn == pytest.approx(expected, abs=0.015) and drawn[3] == 0


def test_the_lead_of_a_draw_is_that_over_the_best_other():
    sampler = Sampler(1.0, seed=0)
    leads = dict(sampler(np.array([1, 0.5, 0.25], dtype=np.float32)) for _ in range(100))
    assert leads == {0: 0.5, 1: -0.5, 2: -0.75}


@pytest.mark.parametrize("scores", [[np.nan, 0, 1], [-np.inf, -np.inf, -np.inf]])
def test_logits_that_are_no_numbers_are_an_error(scores):
    with pytest.raises(InputError, match="the model's logits are not finite numbers"):
        Sampler(0.5, seed=0)(np.array(scores, dtype=np.float32))


def test_the_first_try_that_does_not_repeat_itself_is_kept():
    backend = CountingBackend(lead=5)  # at 0.2 nothing but token 5 comes, at 1.0 43 % of them
    found = again(backend, temperatures=(0.2, 1.0, 2.0))
    assert backend.encoded == 2 and found.temperature == 1.0
    assert len(set(found.tokens)) > 10 and 9 not in found.tokens and found.margins == []
    assert not Fallback().repeats(words(found.tokens))


def test_without_a_good_try_the_first_decoding_is_kept():
    backend = CountingBackend(lead=500)
    assert again(backend, temperatures=(0.2, 1.0)) is LOOP and backend.encoded == 2


def test_every_try_draws_anew():
    backend = CountingBackend(lead=5)
    assert again(backend, temperatures=(1.0, 1.0), threshold=0.0) is LOOP
    first, second = backend.fed[:LENGTH], backend.fed[LENGTH:]
    assert first[0] == second[0] == [7] and first != second


def test_what_does_not_repeat_itself_is_left_alone():
    backend = CountingBackend(lead=5)
    heard = Decoded(tokens=[1, 2, 3], margins=[], ended=True)
    assert again(backend, heard) is heard and again(backend, LOOP, temperatures=()) is LOOP
    assert backend.encoded == 0


def test_tries_depend_on_the_seed_alone():
    first, second = (again(CountingBackend(lead=5), temperatures=(1.0,)) for _ in range(2))
    assert first == second
    assert again(CountingBackend(lead=5), temperatures=(1.0,), seed=1).tokens != first.tokens


def test_greedy_search_says_that_nothing_was_drawn():
    assert greedy(CountingBackend(lead=5), MEL, RULES).temperature == 0


def test_it_says_what_it_does():
    said = "over a compression ratio of 2.4 sampled at temperatures 0.2, 0.4, 0.6, 0.8, 1.0, seed 0"
    assert str(Fallback()) == said
