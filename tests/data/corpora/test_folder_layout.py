"""A folder layout: recognised by split."""

from whisper_qat.data.corpora.folder_layout import FolderLayout


def test_a_layout_is_two_functions(tmp_path):
    (tmp_path / "test").touch()
    toy = FolderLayout(
        name="toy",
        matches=lambda folder, split: (folder / split).exists(),
        load=lambda folder, split: [],
    )
    assert toy.matches(tmp_path, "test") and not toy.matches(tmp_path, "train")
    assert toy.load(tmp_path, "test") == []
