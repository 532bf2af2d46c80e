"""Records of corpora are functions with a name."""

from whisper_qat.data.clips.source import Collection
from whisper_qat.data.corpora.record import FolderLayout, NamedSource, Request


def test_it_collects_what_is_asked_for(tmp_path):
    toy = NamedSource(
        name="toy", takes=frozenset({"archive"}),
        collect=lambda request: Collection(splits={}, inputs={"toy": str(request.archive)}),
    )  # fmt: skip
    assert toy.collect(Request(cache=tmp_path, archive="a.tar")).inputs == {"toy": "a.tar"}


def test_a_layout_is_two_functions(tmp_path):
    (tmp_path / "test").touch()
    toy = FolderLayout(
        name="toy",
        matches=lambda folder, split: (folder / split).exists(),
        load=lambda folder, split: [],
    )
    assert toy.matches(tmp_path, "test") and not toy.matches(tmp_path, "train")
    assert toy.load(tmp_path, "test") == []
