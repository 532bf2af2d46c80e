"""Telephone prompts of Asterisk (CC-BY-SA-3.0), out of two Debian packages for each voice.

One package holds the transcripts, the other the prompts as raw G.722 (64 kbit/s, 16 kHz). The
transcripts are those of the recording sessions, so their noise is cleaned by the rules in
`clean_text`, never by hand: a corrected list would have to be checked by ear. Each voice is a
record, `Voice`.
"""

import gzip
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from G722 import G722

from whisper_qat.data.audio.reading import open_bytes
from whisper_qat.data.clips.clip import Clip
from whisper_qat.data.clips.screen import Rejected
from whisper_qat.data.clips.source import ONLY, Collection
from whisper_qat.data.corpora.debian_packages import PackageSet, fetch, unpack
from whisper_qat.data.corpora.record import NamedSource
from whisper_qat.errors import InputError
from whisper_qat.front_end import SAMPLE_RATE

G722_RATE, G722_BITRATE = SAMPLE_RATE, 64_000
STRAIGHT = str.maketrans({"’": "'", "‘": "'", "…": "...", "“": '"', "”": '"', "«": '"', "»": '"'})
GLUED_LINE = re.compile(r"([A-Za-z0-9_/]+(?:-[A-Za-z0-9]+)+):\s")
GLUED_SENTENCE = re.compile(r"(?<=[a-zà-ÿ0-9])([.,:;!?])(?=[A-Za-zÀ-ÿ])")
SPACE_BEFORE = re.compile(r"\s+([.,])")
ELLIPSIS = re.compile(r"\s*,?\s*\.\.\.\s*")
NOT_SPEECH = re.compile(r"[\[(<]")  # "[ascending tones]", "(ahooga)", "<beep ascending>"


@dataclass(frozen=True, kw_only=True)
class Voice:
    """One speaker's prompts in one language.

    ``transcripts`` and ``sounds`` are paths within the unpacked packages; ``keys`` says how this
    speaker's prompts write the telephone's keys * and # when they are spoken.
    """

    packages: PackageSet
    transcripts: Path
    sounds: Path
    speaker: str
    lang: str
    keys: Mapping[str, str]


JUNE_WALLACK = Voice(
    packages=PackageSet(
        source="telephone-fr",
        names=("asterisk-core-sounds-fr", "asterisk-core-sounds-fr-g722"),
        known_sha256={  # of the packages that the documented figures were made with
            ("asterisk-core-sounds-fr", "1.6.1-1"):
                "04c82c78c570c43a7136cbc5e2488d0c470b775468dff9fbce4a131b18cf1056",
            ("asterisk-core-sounds-fr-g722", "1.6.1-1"):
                "7add61d5e42279ecff1bbdf842a5a946ac3644fac9a0fe44384731aa7270c8e0",
        },
    ),
    transcripts=Path("usr/share/doc/asterisk-core-sounds-fr/core-sounds-fr.txt.gz"),
    sounds=Path("usr/share/asterisk/sounds/fr_CA_f_June"),
    speaker="June Wallack",
    lang="fr",
    keys={"*": "étoile", "#": "dièse"},
)  # fmt: skip
ALLISON_SMITH = Voice(
    packages=PackageSet(
        source="telephone-en",
        names=("asterisk-core-sounds-en", "asterisk-core-sounds-en-g722"),
        known_sha256={
            ("asterisk-core-sounds-en", "1.6.1-1"):
                "973e797d28e37fa6ca3c0a9d6fa717e77cf1268ae916bf09fd3503113cdffa50",
            ("asterisk-core-sounds-en-g722", "1.6.1-1"):
                "38c5261820b406dcb0ecb37675720da2b0864850690690352ca52707eb623806",
        },
    ),
    transcripts=Path("usr/share/doc/asterisk-core-sounds-en/core-sounds-en.txt.gz"),
    sounds=Path("usr/share/asterisk/sounds/en_US_f_Allison"),
    speaker="Allison Smith",
    lang="en",
    keys={"*": "star", "#": "pound"},
)  # fmt: skip


def collect(voice: Voice, cache: Path) -> Collection:
    """The prompts as clips, downloading and unpacking into ``cache`` what is not there yet."""
    packages = fetch(voice.packages, cache)
    root = unpack(voice.packages, packages, cache)
    texts = read_transcripts(root / voice.transcripts, voice.keys)
    clips, rejected = match(voice, texts, root / voice.sounds)
    notes = [
        f"one speaker ({voice.speaker}): the splits are apart by text, and cannot be by speaker",
        "prompts contain one another's phrases; only equal texts are kept in one split",
    ]
    notes += [
        f"{p.name} {p.version} is not the version of the documented figures; accepted on apt's "
        "signature"
        for p in packages
        if not p.known
    ]
    inputs = {f"{p.name} {p.version}": p.sha256 for p in packages}
    return Collection(
        splits={ONLY: clips}, inputs=inputs, rejected=rejected, notes=notes, read=read_prompt
    )


def read_transcripts(path: Path, keys: Mapping[str, str]) -> dict[str, str]:
    """Prompt name (``digits/1``) to its cleaned text; comments (;) are skipped."""
    try:
        lines = gzip.decompress(open_bytes(str(path))).decode("utf-8").splitlines()
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not the gzipped transcripts expected ({error})") from None
    pairs = [line.split(":", 1) for line in lines if ":" in line and not line.startswith(";")]
    names = {name.strip() for name, _ in pairs}
    return {name.strip(): clean_text(text, names, keys) for name, text in pairs}


def clean_text(text: str, names: set[str], keys: Mapping[str, str]) -> str:
    """One transcript without the noise of its file.

    In order: straight quotes; cut where another prompt's line was glued on; no quotation marks; no
    dots of continuation; the keys * and # as they are said; a space after a glued full stop or
    comma, none before; single spaces.
    """
    text = text.translate(STRAIGHT)
    for found in GLUED_LINE.finditer(text):
        if found[1] in names:
            text = text[: found.start()]
            break
    text = ELLIPSIS.sub(" ", text.replace('"', " "))
    for key, word in keys.items():
        text = text.replace(key, f" {word} ")
    text = SPACE_BEFORE.sub(r"\1", GLUED_SENTENCE.sub(r"\1 ", text))
    return " ".join(text.split()).strip(" ,")


def match(voice: Voice, texts: dict[str, str], sounds: Path) -> tuple[list[Clip], list[Rejected]]:
    """Clips for the transcripts that have speech and a file; the others with the reason."""
    clips, rejected = [], []
    speaker = voice.speaker.lower().replace(" ", "_")
    for name, text in sorted(texts.items()):
        path = sounds / f"{name}.g722"
        clip_id = name.replace("/", "_")
        if NOT_SPEECH.search(text):
            rejected.append(Rejected(id=clip_id, reason=f"transcript has an aside ({text})"))
        elif not path.is_file():
            rejected.append(Rejected(id=clip_id, reason="no audio file in the package"))
        else:
            clip = Clip(id=clip_id, audio=str(path), text=text, speaker=speaker, lang=voice.lang)
            clips.append(clip)
    unnamed = {p.relative_to(sounds).with_suffix("").as_posix() for p in sounds.rglob("*.g722")}
    for name in sorted(unnamed - set(texts)):
        rejected.append(Rejected(id=name.replace("/", "_"), reason="no transcript in the package"))
    return clips, rejected


def read_prompt(clip: Clip) -> np.ndarray:
    """Decode one raw G.722 prompt to float32 [samples] at 16 kHz."""
    assert isinstance(clip.audio, str), clip.audio
    return decode_g722(open_bytes(clip.audio))


def decode_g722(data: bytes) -> np.ndarray:
    """64 kbit/s G.722 (two samples in each byte) to float32 [samples]."""
    samples = np.frombuffer(G722(G722_RATE, G722_BITRATE).decode(data), dtype=np.int16)
    return samples.astype(np.float32) / 32768


def named_source(voice: Voice) -> NamedSource:
    """The voice under the name that --source knows it by."""
    return NamedSource(
        name=voice.packages.source, collect=lambda request: collect(voice, request.cache)
    )


TELEPHONE_FR = named_source(JUNE_WALLACK)
TELEPHONE_EN = named_source(ALLISON_SMITH)
