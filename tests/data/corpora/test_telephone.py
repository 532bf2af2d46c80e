"""Telephone prompts: texts cleaned by rule, audio decoded, clips with reasons for what is left."""

import numpy as np
import pytest
from G722 import G722

from whisper_qat.data.corpora.record import Request
from whisper_qat.data.corpora.registry import SOURCES
from whisper_qat.data.corpora.telephone import (
    ALLISON_SMITH,
    JUNE_WALLACK,
    clean_text,
    decode_g722,
    read_transcripts,
)
from whisper_qat.errors import InputError

FRENCH = """; Core sounds
activated: activé
digits/1: un
beeperr: (ahooga)
tones: [ascending tones]
gone: perdu
empty:
quoted: “Pour quitter,  appuyez sur 8.”
"""
ENGLISH = """; Core Asterisk Sounds in English

activated: Activated.
digits/1: one
confbridge-join: <beep ascending>
letters/at: at [@]
vm-intro: Please leave your message after the tone. (simple tone sound plays)
gone: Goodbye!
dictate/exit: Enter a name followed by # or just # to exit
vm-msginstruct:  To hear the next message...
"""


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        (" “Pour quitter, appuyez sur 8.”", "Pour quitter, appuyez sur 8."),
        ("... pour quitter la conférence", "pour quitter la conférence"),
        ('...pour quitter, ..."', "pour quitter"),
        ("Si c'est exact appuyer…", "Si c'est exact appuyer"),
        ("pas valide.  Veuillez essayer", "pas valide. Veuillez essayer"),
        ("appuyez sur 5.Pour retourner", "appuyez sur 5. Pour retourner"),
        ("ces options:Pous accepter", "ces options: Pous accepter"),
        ("appuyez sur 3 , pour", "appuyez sur 3, pour"),
        ("sur * pour revenir et sur # pour", "sur étoile pour revenir et sur dièse pour"),
        ("le dièse.vm-review: Pour enlever", "le dièse."),
        ("l’appel", "l'appel"),
        ("A.M.", "A.M."),
        ("un modem 28.8 kilobits", "un modem 28.8 kilobits"),
        ("Changer pour quel dossier ?", "Changer pour quel dossier ?"),
    ],
)
def test_french_transcripts_are_cleaned_by_rule(raw, clean):
    assert clean_text(raw, {"vm-review", "vm-options"}, JUNE_WALLACK.keys) == clean


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("press * to toggle pause, press # to", "press star to toggle pause, press pound to"),
        ("followed by # or just # to exit", "followed by pound or just pound to exit"),
        (" ...to lock, or unlock the conference.", "to lock, or unlock the conference."),
        ("... for ...", "for"),
        ('to a polite "don\'t call" menu, now', "to a polite don't call menu, now"),
        ("the time will be exactly...", "the time will be exactly"),
        ("You have these options: Dial 1", "You have these options: Dial 1"),
        ("digits/oclock", "digits/oclock"),
        ("H.323", "H.323"),
        ("A.M.", "A.M."),
        ("Re-enter o'clock", "Re-enter o'clock"),
    ],
)  # fmt: skip
def test_english_transcripts_are_cleaned_by_rule(raw, clean):
    assert clean_text(raw, {"vm-options", "options"}, ALLISON_SMITH.keys) == clean


def test_g722_round_trip():
    tone = (10_000 * np.sin(2 * np.pi * 440 * np.arange(16_000) / 16_000)).astype(np.int16)
    decoded = decode_g722(bytes(G722(16_000, 64_000).encode(tone.tolist())))
    assert decoded.dtype == np.float32 and decoded.shape == (16_000,)
    assert np.abs(np.fft.rfft(decoded)).argmax() == 440
    assert np.abs(decoded[1000:]).max() == pytest.approx(10_000 / 32_768, rel=0.05)


def collected(source, tmp_path):
    return SOURCES[source].collect(Request(cache=tmp_path / "cache"))


def test_french_packages_become_clips_and_reasons(fake_apt, tmp_path):
    sounds = ("activated", "digits/1", "quoted", "empty", "beeperr", "silence/1")
    fake_apt.serve(JUNE_WALLACK, FRENCH, sounds)
    collection = collected("telephone-fr", tmp_path)
    clips = collection.splits["all"]
    assert [(c.id, c.text) for c in clips] == [
        ("activated", "activé"),
        ("digits_1", "un"),
        ("empty", ""),
        ("quoted", "Pour quitter, appuyez sur 8."),
    ]
    assert {(c.speaker, c.lang) for c in clips} == {("june_wallack", "fr")}
    assert len(collection.read(clips[0])) == 16_000
    assert {r.id: r.reason for r in collection.rejected} == {
        "beeperr": "transcript has an aside ((ahooga))",
        "gone": "no audio file in the package",
        "silence_1": "no transcript in the package",
        "tones": "transcript has an aside ([ascending tones])",
    }
    assert any("9.9-1 is not the version of the documented" in note for note in collection.notes)
    assert set(collection.inputs) == {
        "asterisk-core-sounds-fr 9.9-1",
        "asterisk-core-sounds-fr-g722 9.9-1",
    }


def test_english_packages_become_clips_and_reasons(fake_apt, tmp_path):
    sounds = (
        "activated", "digits/1", "dictate/exit", "vm-msginstruct", "confbridge-join", "letters/at",
        "vm-intro", "extra",
    )  # fmt: skip
    fake_apt.serve(ALLISON_SMITH, ENGLISH, sounds)
    collection = collected("telephone-en", tmp_path)
    clips = collection.splits["all"]
    assert [(c.id, c.text) for c in clips] == [
        ("activated", "Activated."),
        ("dictate_exit", "Enter a name followed by pound or just pound to exit"),
        ("digits_1", "one"),
        ("vm-msginstruct", "To hear the next message"),
    ]
    assert {(c.speaker, c.lang) for c in clips} == {("allison_smith", "en")}
    assert [r.id for r in collection.rejected if "has an aside" in r.reason] == [
        "confbridge-join",
        "letters_at",
        "vm-intro",
    ]
    assert {r.id: r.reason for r in collection.rejected if "aside" not in r.reason} == {
        "gone": "no audio file in the package",
        "extra": "no transcript in the package",
    }
    assert collection.notes[0].startswith("one speaker (Allison Smith): the splits are apart by")


def test_transcripts_that_are_not_gzipped_are_named(tmp_path):
    path = tmp_path / "core-sounds-en.txt.gz"
    path.write_text("activated: Activated.\n")
    with pytest.raises(InputError, match=r"en\.txt\.gz: not the gzipped transcripts expected \("):
        read_transcripts(path, ALLISON_SMITH.keys)


@pytest.mark.parametrize("voice", [JUNE_WALLACK, ALLISON_SMITH], ids=lambda voice: voice.lang)
def test_every_voice_pins_the_hashes_of_its_packages(voice):
    assert {name for name, _ in voice.packages.known_sha256} == set(voice.packages.names)
    assert all(len(sha256) == 64 for sha256 in voice.packages.known_sha256.values())
