"""Error counts of each clip."""

from whisper_qat.metrics.wer import Counts
from whisper_qat.report.evaluation.rows import ClipResult
from whisper_qat.report.evaluation.tally import tally


def test_counts_and_empty_references():
    clips = [
        ClipResult(id="a", reference="Un deux TROIS", hypothesis="un deux quatre", duration_s=1.0),
        ClipResult(id="b", reference="...", hypothesis="oui", duration_s=1.0),
    ]
    counted = tally(clips, lambda text: text.lower().replace(".", ""))
    assert counted.words == {
        "a": Counts(substitutions=1, deletions=0, insertions=0, words=3),
    }
    assert list(counted.chars) == ["a"]
    assert counted.chars["a"].errors > 0
    assert counted.empty_references == ["b"]
