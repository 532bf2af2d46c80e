import io
import tarfile

import pytest

from whisper_qat.data.audio.reading import read_audio
from whisper_qat.data.corpora.common_voice import collect
from whisper_qat.errors import InputError

HEADER = "client_id\tpath\tsentence\tlocale\n"
RELEASE = "cv-corpus-99.0/fr"


@pytest.fixture
def make_archive(write_tone, tmp_path):
    """A release archive; ``extra`` members are (TarInfo, bytes), ``train`` replaces the list."""

    def make(extra=(), train=None, name="cv.tar.gz"):
        mp3 = write_tone("tone.mp3").read_bytes()
        files = {f"{RELEASE}/clips/c{i}.mp3": mp3 for i in range(3)}
        for i, split in enumerate(("train", "dev", "test")):
            row = f'spk{i}\tc{i}.mp3\tIl dit "{split}".\tfr\n'
            files[f"{RELEASE}/{split}.tsv"] = (HEADER + row).encode()
        if train:
            files[f"{RELEASE}/train.tsv"] = train.encode()
        files[f"{RELEASE}/clip_durations.tsv"] = b"clip\tduration[ms]\nc0.mp3\t1500\n"
        with tarfile.open(tmp_path / name, "w:gz") as tar:
            for path, data in files.items():
                info = tarfile.TarInfo(path)
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
            for info, data in extra:
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
        return tmp_path / name

    return make


def test_release_keeps_its_splits_and_speakers(make_archive, tmp_path):
    collection = collect(str(make_archive()), tmp_path / "cache")
    assert list(collection.splits) == ["train", "validation", "test"]
    (clip,) = collection.splits["train"]
    assert (clip.id, clip.text, clip.speaker, clip.lang) == ("c0", 'Il dit "train".', "spk0", "fr")
    assert clip.duration_s == 1.5
    assert collection.splits["test"][0].duration_s is None
    assert len(read_audio(clip)) > 15_000
    assert list(collection.inputs) == ["cv.tar.gz"]


def test_nothing_is_extracted_twice(make_archive, tmp_path):
    archive = make_archive()
    collect(str(archive), tmp_path / "cache")
    written = (tmp_path / "cache" / RELEASE / "clips/c0.mp3").stat().st_mtime_ns
    (tmp_path / "cache" / "archive.json").unlink()  # as if it had been killed just before the end
    collect(str(archive), tmp_path / "cache")
    assert (tmp_path / "cache" / RELEASE / "clips/c0.mp3").stat().st_mtime_ns == written


@pytest.mark.parametrize("name", ["../evil.txt", "/tmp/evil.txt", "a/../../evil.txt", "a\\..\\b"])
def test_members_that_leave_the_folder(make_archive, tmp_path, name):
    archive = make_archive(extra=[(tarfile.TarInfo(name), b"x")])
    with pytest.raises(InputError, match=r"cv\.tar\.gz: .* leaves its folder"):
        collect(str(archive), tmp_path / "in" / "cache")
    assert not list(tmp_path.rglob("evil.txt"))


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_are_refused(make_archive, tmp_path, kind):
    link = tarfile.TarInfo("link")
    link.type, link.linkname = kind, "/etc/passwd"
    with pytest.raises(InputError, match="'link' is a link or device; expected plain files"):
        collect(str(make_archive(extra=[(link, b"")])), tmp_path / "cache")


def test_list_that_points_outside(make_archive, tmp_path):
    archive = make_archive(train=f"{HEADER}s\t../../../etc/passwd\tBonjour\tfr\n")
    with pytest.raises(InputError, match=r"train\.tsv:2: .*passwd' is outside .*clips"):
        collect(str(archive), tmp_path / "cache")


def test_no_archive_or_not_one(tmp_path):
    with pytest.raises(InputError, match=r"download the French release.*--archive"):
        collect(None, tmp_path)
    with pytest.raises(InputError, match=r"--archive no\.tar: no such file"):
        collect("no.tar", tmp_path)
    (tmp_path / "x.tar.gz").write_bytes(b"not a tar archive")
    with pytest.raises(InputError, match=r"x\.tar\.gz: not a whole tar archive"):
        collect(str(tmp_path / "x.tar.gz"), tmp_path / "cache")


def test_cut_off_archive(make_archive, tmp_path):
    archive = make_archive()
    archive.write_bytes(archive.read_bytes()[:-200])
    with pytest.raises(InputError, match="not a whole tar archive"):
        collect(str(archive), tmp_path / "cache")


def test_archive_of_something_else(tmp_path):
    with tarfile.open(tmp_path / "x.tar", "w") as tar:
        tar.addfile(tarfile.TarInfo("readme"), io.BytesIO())
    with pytest.raises(InputError, match=r"0 folders with train\.tsv, expected one language's"):
        collect(str(tmp_path / "x.tar"), tmp_path / "cache")
