"""The page and the README from result files: written, checked, and what is missing named."""

import pytest

from tests.report.published_sample import results_folder
from whisper_qat.cli.command import main
from whisper_qat.errors import InputError
from whisper_qat.tasks.render_results import RenderResultsConfig, run

MARKED = "# Project\n\n<!-- results:summary begin -->\n<!-- results:summary end -->\n\nMore.\n"


@pytest.fixture
def config(tmp_path):
    results_folder(tmp_path / "docs" / "results")
    (tmp_path / "README.md").write_text(MARKED)
    return {
        "folder": tmp_path / "docs" / "results",
        "page": tmp_path / "docs" / "results.md",
        "readme": tmp_path / "README.md",
    }


def test_both_files_are_written_then_up_to_date(config, caplog):
    assert run(RenderResultsConfig(**config)) == 0
    page, readme = config["page"].read_text(), config["readme"].read_text()
    assert "| QAT int8 | 28.01 | −0.17 [−0.61, +0.24] | 79.3 |" in page
    assert "What the words mean." in page
    assert "| **QAT** | 28.01 | – |" in readme
    assert "(docs/results.md#sample)" in readme.replace("\n", "")
    assert readme.startswith("# Project\n") and readme.endswith("\nMore.\n")
    assert sum(line.endswith(": written") for line in caplog.messages) == 2
    assert run(RenderResultsConfig(**config, check=True)) == 0
    assert "up to date" in caplog.text


def test_check_names_each_stale_file_and_writes_nothing(config, caplog):
    assert run(RenderResultsConfig(**config, check=True)) == 1
    lines = caplog.messages
    assert [line.split(": not what")[0] for line in lines] == [
        str(config["page"]), str(config["readme"])
    ]  # fmt: skip
    assert all("run 'make results'" in line for line in lines)
    assert not config["page"].exists()
    assert config["readme"].read_text() == MARKED


def test_an_edited_table_is_stale(config, caplog):
    run(RenderResultsConfig(**config))
    config["page"].write_text(config["page"].read_text().replace("28.01", "27.01"))
    caplog.clear()
    assert run(RenderResultsConfig(**config, check=True)) == 1
    assert caplog.messages[0].startswith(f"{config['page']}: not what")


def test_a_marker_may_name_a_file(config):
    text = MARKED.replace("results:summary", "results:other")
    config["readme"].write_text(text)
    run(RenderResultsConfig(**config))
    assert "| float control | 27.83 [23.68, 31.33] |" in config["readme"].read_text()


def test_the_command_line_exits_with_1(config):
    words = [w for name, path in config.items() for w in (f"--{name}", str(path))]
    with pytest.raises(SystemExit) as stopped:
        main(RenderResultsConfig, run, [*words, "--check"])
    assert stopped.value.code == 1
    main(RenderResultsConfig, run, words)
    main(RenderResultsConfig, run, [*words, "--check"])


@pytest.mark.parametrize("name", ["folder/introduction.md", "folder/readme.json", "readme"])
def test_what_is_missing_is_named(config, name):
    key, _, file = name.partition("/")
    path = config[key] / file if file else config[key]
    path.unlink()
    with pytest.raises(InputError, match=f"{path}: no such file"):
        run(RenderResultsConfig(**config))


def test_a_selection_needs_an_id_of_its_own(config):
    path = config["folder"] / "readme.json"
    path.write_text(path.read_text().replace('"id": "summary"', '"id": "other"'))
    with pytest.raises(InputError, match="readme.json: id: 'other' is a result file's"):
        run(RenderResultsConfig(**config))
