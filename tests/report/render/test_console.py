"""Width of tables outside of a terminal."""

from whisper_qat.report.render.console import WIDTH, wide_console


def test_a_pipe_is_wide(capsys):
    console = wide_console()
    assert console.width == WIDTH
    console.print("x " * 60)
    assert len(capsys.readouterr().out.rstrip("\n").splitlines()) == 1


def test_a_terminal_keeps_its_own_width(monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich takes it for a terminal
    monkeypatch.setenv("COLUMNS", "90")
    assert wide_console().width == 90
