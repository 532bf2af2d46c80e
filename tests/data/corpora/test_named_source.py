"""A named source: a record around a function."""

from whisper_qat.data.clips.source import Collection
from whisper_qat.data.corpora.named_source import NamedSource, Request


def test_it_collects_what_is_asked_for(tmp_path):
    toy = NamedSource(
        name="toy", takes=frozenset({"archive"}),
        collect=lambda request: Collection(splits={}, inputs={"toy": str(request.archive)}),
    )  # fmt: skip
    assert toy.collect(Request(cache=tmp_path, archive="a.tar")).inputs == {"toy": "a.tar"}
