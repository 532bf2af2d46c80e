"""The glossary explains each term in whole sentences, on both pages."""

from typing import Any

import pytest

from whisper_qat.report.evaluation.glossary import TERMS, glossary
from whisper_qat.report.evaluation.page import html_page, markdown_page


def test_one_line_per_term():
    lines = glossary().splitlines()
    assert len(lines) == len(TERMS)
    assert lines[0].startswith("- **System**: A model as it was measured")


@pytest.mark.parametrize("meaning", TERMS.values(), ids=TERMS)
def test_explanations_are_sentences(meaning: str):
    assert meaning[0].isupper() and meaning.endswith(".")


def test_both_pages_end_with_it(results: dict[str, Any]):
    assert glossary() in markdown_page(results)
    page = html_page(results)
    for term, meaning in TERMS.items():
        assert f"<dt>{term}</dt>" in page
        assert meaning in page.replace("&#39;", "'")
