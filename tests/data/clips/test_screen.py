import pytest

from whisper_qat.data.clips.screen import check_duration, check_text, screen
from whisper_qat.errors import InputError


@pytest.fixture
def clips(write_tone, make_clip, tmp_path):
    (tmp_path / "text.wav").write_text("no audio at all, only words")
    cut = write_tone("cut.wav")
    cut.write_bytes(cut.read_bytes()[:9_000])
    return [
        make_clip("good", audio=str(write_tone("good.wav", seconds=1.5))),
        make_clip("long", audio=str(write_tone("long.wav", seconds=31.0))),
        make_clip("silent", audio=str(write_tone("silent.wav", level=0.0))),
        make_clip("wordless", text=" ... ", audio=str(write_tone("wordless.wav"))),
        make_clip("textless", text="", audio=str(write_tone("textless.wav"))),
        make_clip("broken", audio=str(tmp_path / "text.wav")),
        make_clip("cut", audio=str(cut)),
        make_clip("missing", audio=str(tmp_path / "none.wav")),
    ]


def test_decoding_finds_everything(clips):
    screened = screen(clips, decode=True)
    assert [(clip.id, clip.duration_s) for clip in screened.kept] == [("good", 1.5)]
    reasons = {rejected.id: rejected.reason for rejected in screened.rejected}
    assert "too long (31.0 s, the limit is 30 s)" in reasons["long"]
    assert reasons["silent"].startswith("silent (peak")
    assert reasons["wordless"] == "no text ('...')" or "no text" in reasons["wordless"]
    assert reasons["textless"] == "no text"
    assert "not audio" in reasons["broken"]
    assert "truncated" in reasons["cut"]
    assert "no such audio file" in reasons["missing"]


def test_headers_alone_find_what_headers_show(clips):
    screened = screen(clips, decode=False)
    assert {clip.id for clip in screened.kept} == {"good", "silent", "cut"}
    assert len(screened.kept) + len(screened.rejected) == len(clips)


def test_limit_is_the_callers(clips):
    assert [c.id for c in screen(clips[:2], decode=True, max_duration_s=60.0).kept] == [
        "good",
        "long",
    ]


def test_limits_include_their_end(make_clip):
    check_duration(30.0, 30.0)
    with pytest.raises(InputError, match="too long"):
        check_duration(30.1, 30.0)
    check_text(make_clip("a", text="8h30"))
