"""Public French corpora on the Hugging Face Hub that prepare_data knows by name.

The audio is read with ``Audio(decode=False)`` by data/source.py. The corpora's own splits are kept.
"""

from dataclasses import dataclass

from whisper_qat.data.clips.source import Collection, canonical, dataset_clips, load_hub


@dataclass(frozen=True, kw_only=True)
class HubCorpus:
    """Where a corpus is: dataset id, its configuration, and the column with the reference."""

    dataset_id: str
    config: str
    text_field: str
    splits: tuple[str, ...] = ("train", "validation", "test")
    data_files: str | None = None  # pattern with {split}, where the rest need not be downloaded


HUB_CORPORA = {
    "fleurs-fr": HubCorpus(dataset_id="google/fleurs", config="fr_fr", text_field="transcription"),
    "mls-fr": HubCorpus(  # it also has 1_hours and 9_hours, which are parts of train
        dataset_id="facebook/multilingual_librispeech",
        config="french",
        text_field="transcript",
        splits=("train", "dev", "test"),
        data_files="french/{split}-*.parquet",
    ),
    "voxpopuli-fr": HubCorpus(
        dataset_id="facebook/voxpopuli", config="fr", text_field="normalized_text"
    ),
}


def collect(name: str, text_field: str | None = None) -> Collection:
    """All splits of a corpus named in HUB_CORPORA; InputError (`Unreachable`) without the Hub."""
    corpus = HUB_CORPORA[name]
    splits = {}
    for split in corpus.splits:
        files = corpus.data_files.format(split=split) if corpus.data_files else None
        table = load_hub(corpus.dataset_id, corpus.config, split, files)
        clips = dataset_clips(
            table, f"{name} [{split}]", text_field=text_field or corpus.text_field
        )
        splits[canonical(split)] = next(iter(clips.values()))
    return Collection(splits=splits, inputs={name: f"hub:{corpus.dataset_id}:{corpus.config}"})
