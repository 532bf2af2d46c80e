import gzip
import os
import shutil
import stat

import numpy as np
import pytest
from G722 import G722

from whisper_qat.data.corpora import telephone_fr
from whisper_qat.data.corpora.telephone_fr import clean_text, collect, decode_g722, require_tools
from whisper_qat.errors import InputError

TRANSCRIPTS = """; Core sounds
activated: activé
digits/1: un
beeperr: (ahooga)
tones: [ascending tones]
gone: perdu
empty:
quoted: “Pour quitter,  appuyez sur 8.”
"""
# Doubles that do what the real tools do to files: a .deb is a tar here.
APT_GET = """#!/bin/sh
[ -e "$FAKE_APT/broken" ] && { echo "E: Unable to locate package $2" >&2; exit 100; }
echo called >> "$FAKE_APT/calls"
cp "$FAKE_APT"/*.deb .
"""
DPKG_DEB = """#!/bin/sh
[ "$1" = -f ] && { echo 9.9-1; exit 0; }
tar -xf "$2" -C "$3"
"""


@pytest.fixture
def fake_apt(tmp_path, monkeypatch):
    """apt-get and dpkg-deb that serve two small packages from a folder."""
    apt, tools, root = tmp_path / "apt", tmp_path / "bin", tmp_path / "root"
    for folder in (apt, tools):
        folder.mkdir()
    for name, script in (("apt-get", APT_GET), ("dpkg-deb", DPKG_DEB)):
        (tools / name).write_text(script)
        (tools / name).chmod(0o755 | stat.S_IXUSR)
    texts = root / "text" / telephone_fr.TRANSCRIPTS
    texts.parent.mkdir(parents=True)
    texts.write_bytes(gzip.compress(TRANSCRIPTS.encode()))
    tone = (10_000 * np.sin(np.arange(16_000) * 0.1)).astype(np.int16)
    for name in ("activated", "digits/1", "quoted", "empty", "beeperr", "silence/1"):
        path = root / "audio" / telephone_fr.SOUNDS / f"{name}.g722"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes(G722(16_000, 64_000).encode(tone.tolist())))
    for part, package in (
        ("text", telephone_fr.TEXT_PACKAGE),
        ("audio", telephone_fr.AUDIO_PACKAGE),
    ):
        made = shutil.make_archive(str(tmp_path / part), "tar", root / part)
        shutil.move(made, apt / f"{package}_9.9-1_all.deb")
    monkeypatch.setenv("PATH", f"{tools}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("FAKE_APT", str(apt))
    return apt


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
def test_transcripts_are_cleaned_by_rule(raw, clean):
    assert clean_text(raw, {"vm-review", "vm-options"}) == clean


def test_g722_round_trip():
    tone = (10_000 * np.sin(2 * np.pi * 440 * np.arange(16_000) / 16_000)).astype(np.int16)
    decoded = decode_g722(bytes(G722(16_000, 64_000).encode(tone.tolist())))
    assert decoded.dtype == np.float32 and decoded.shape == (16_000,)
    assert np.abs(np.fft.rfft(decoded)).argmax() == 440
    assert np.abs(decoded[1000:]).max() == pytest.approx(10_000 / 32_768, rel=0.05)


def test_packages_become_clips_and_reasons(fake_apt, tmp_path):
    collection = collect(tmp_path / "cache")
    clips = collection.splits["all"]
    assert [(c.id, c.text) for c in clips] == [
        ("activated", "activé"),
        ("digits_1", "un"),
        ("empty", ""),
        ("quoted", "Pour quitter, appuyez sur 8."),
    ]
    assert {c.speaker for c in clips} == {"june_wallack"}
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


def test_nothing_is_downloaded_twice(fake_apt, tmp_path):
    collect(tmp_path / "cache")
    collect(tmp_path / "cache")
    assert (fake_apt / "calls").read_text().count("called") == 1


def test_a_damaged_download_is_noticed(fake_apt, tmp_path):
    collect(tmp_path / "cache")
    package = next((tmp_path / "cache").glob("*g722_9.9-1_all.deb"))
    package.write_bytes(package.read_bytes()[:-1])
    with pytest.raises(InputError, match=r"sha256 .*, expected .*; delete .* and run again"):
        collect(tmp_path / "cache")


def test_a_known_version_must_have_the_known_hash(fake_apt, tmp_path, monkeypatch):
    known = {(telephone_fr.TEXT_PACKAGE, "9.9-1"): "0" * 64}
    monkeypatch.setattr(telephone_fr, "KNOWN_SHA256", known)
    with pytest.raises(InputError, match=f"expected {'0' * 64}"):
        collect(tmp_path / "cache")


def test_failed_download_says_what_to_do(fake_apt, tmp_path):
    (fake_apt / "broken").touch()
    with pytest.raises(
        InputError, match=r"Unable to locate.*'apt-get update'.*--source a manifest"
    ):
        collect(tmp_path / "cache")


def test_another_system_is_told_what_to_give(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match=r"no apt-get here .*give --source a manifest"):
        require_tools()
