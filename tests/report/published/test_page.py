"""The page: printed values, wrapped prose and the provenance of every number."""

import pytest

from tests.report.published_sample import record
from whisper_qat.report.published.page import (
    WIDTH,
    commit,
    facts,
    machine,
    page,
    section,
    source,
    wrap,
    wrap_command,
)
from whisper_qat.report.published.reading import table_of


def sample(tmp_path, **changes):
    found = record(**changes)
    return table_of(found, tmp_path / f"{found['id']}.json")


def test_known_values_are_rendered(tmp_path):
    lines = section(sample(tmp_path)).splitlines()
    assert "| Row | WER, % | Minus, points | MB | Words | Note |" in lines
    assert "| float control | 27.83 [23.68, 31.33] | – | 290.5 | 3,097 |  |" in lines
    assert "| QAT int8 | 28.01 | −0.17 [−0.61, +0.24] | 79.3 | – | one \\| seed |" in lines
    assert "- **WER, %**: pooled" in lines
    assert "Two rows suffice." in lines


def test_everything_that_a_number_must_carry(tmp_path):
    assert facts(sample(tmp_path)) == [
        "Data: Whisper base; prompts (101 clips, 1,648 words).",
        "Settings: normaliser `card`; decoding greedy; audio context 30 s; training seeds 0 and 1; "
        "intervals 95 %.",
        "Machine: AMD EPYC (avx2, avx512_vnni); 2 cores; 1 thread.",
        "Date: 2026-11-21; the measured commit was not recorded.",
        "Source: **transcribed from the log**, [a-finding.md](log/a-finding.md) "
        "(written there with commit `0bea079`).",
    ]


def test_what_is_unknown_is_left_out(tmp_path):
    nothing = {key: None for key in record()["settings"]} | {"test_sets": [], "training_seeds": []}
    none = {"cpu": None, "isa": [], "cores": None, "threads": None, "load": None}
    found = facts(sample(tmp_path, settings=nothing, machine=none))
    assert [fact.split(":")[0] for fact in found] == ["Date", "Source"]


@pytest.mark.parametrize(
    ("isa", "words"),
    [
        (["avx2"], "A (avx2, no VNNI); 2 threads; busy"),
        (["avx2", "avx_vnni"], "A (avx2, avx_vnni); 2 threads; busy"),
        (["asimddp", "i8mm"], "A (asimddp, i8mm); 2 threads; busy"),
        ([], "A; 2 threads; busy"),
    ],
)
def test_machine_says_whether_it_has_vnni(isa, words):
    given = {"cpu": "A", "isa": isa, "cores": None, "threads": 2, "load": "busy"}
    assert machine(given) == words


def test_measured_source_has_its_hash():
    given = {"kind": "measured", "folder": "study", "results_sha256": "0123456789abcdef"}
    assert source(given) == ("measured; taken from the results of `study` (SHA-256 `0123456789ab`)")
    assert commit("0123456789abcdef") == "commit `0123456789ab`"
    assert commit("0123456789abcdef-dirty") == ("commit `0123456789ab` with uncommitted changes")


def test_source_without_entry():
    given = {"kind": "transcribed", "document": "issue", "entry": None, "commit": None}
    assert source(given) == "**transcribed from the project's issue text**"


def test_page_has_sections_with_links(tmp_path):
    tables = [sample(tmp_path), sample(tmp_path, id="other", section="speed", title="Another")]
    text = page("# Results\n\nWords.\n", tables)
    assert text.index("# Results") < text.index("- Accuracy\n  - [A sample](#sample)")
    assert text.index("## Accuracy") < text.index('<a id="sample"></a>') < text.index("## Speed")
    assert "## Size" not in text
    assert text.endswith("```\n")


def test_prose_is_wrapped_and_a_number_keeps_its_unit():
    text = "word " * 18 + "at 30 s and 95 % of it"
    for cut in range(12):
        lines = wrap("x" * cut + " " + text).splitlines()
        assert all(len(line) <= WIDTH for line in lines)
        assert "\u00a0" not in "".join(lines)
        assert not any(line.endswith((" 30", " 95")) for line in lines)


def test_command_is_continued_between_flags():
    command = "python scripts/benchmark.py " + "--threads 2 --rows a b " * 8
    lines = wrap_command(command.strip()).splitlines()
    assert len(lines) > 1
    assert all(line.endswith(" \\") for line in lines[:-1])
    assert all(len(line) <= WIDTH for line in lines)
    assert not any(line.removesuffix(" \\").endswith("--threads") for line in lines)
    assert " ".join(line.removesuffix(" \\").strip() for line in lines) == command.strip()
