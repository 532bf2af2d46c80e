"""Public French corpora on the Hugging Face Hub that are known by name.

The audio is read with ``Audio(decode=False)`` by data/clips/source.py. The corpora's own splits are
kept.
"""

from dataclasses import dataclass

from whisper_qat.data.clips.source import Collection, canonical, dataset_clips, load_hub
from whisper_qat.data.corpora.record import NamedSource


@dataclass(frozen=True, kw_only=True)
class HubCorpus:
    """Where a corpus is: dataset id, its configuration, and the column with the reference."""

    name: str
    dataset_id: str
    config: str
    text_field: str
    splits: tuple[str, ...] = ("train", "validation", "test")
    data_files: str | None = None  # pattern with {split}, where the rest need not be downloaded

    def files(self, split: str) -> str | None:
        """Pattern of the files of one split, where the corpus has one."""
        return None if self.data_files is None else self.data_files.format(split=split)

    @property
    def source(self) -> NamedSource:
        """The record that prepare_data reads."""
        return NamedSource(
            name=self.name,
            collect=lambda request: collect(self, request.text_field),
            takes=frozenset({"text_field"}),
        )


def collect(corpus: HubCorpus, text_field: str | None = None) -> Collection:
    """All splits of a corpus; InputError (`Unreachable`) without the Hub."""
    splits = {}
    for split in corpus.splits:
        table = load_hub(corpus.dataset_id, corpus.config, split, corpus.files(split))
        clips = dataset_clips(
            table, f"{corpus.name} [{split}]", text_field=text_field or corpus.text_field
        )
        splits[canonical(split)] = next(iter(clips.values()))
    address = f"hub:{corpus.dataset_id}:{corpus.config}"
    return Collection(splits=splits, inputs={corpus.name: address})


FLEURS_FR = HubCorpus(
    name="fleurs-fr", dataset_id="google/fleurs", config="fr_fr", text_field="transcription"
)
MLS_FR = HubCorpus(  # it also has 1_hours and 9_hours, which are parts of train
    name="mls-fr",
    dataset_id="facebook/multilingual_librispeech",
    config="french",
    text_field="transcript",
    splits=("train", "dev", "test"),
    data_files="french/{split}-*.parquet",
)
VOXPOPULI_FR = HubCorpus(
    name="voxpopuli-fr", dataset_id="facebook/voxpopuli", config="fr", text_field="normalized_text"
)
HUB_CORPORA = {corpus.name: corpus for corpus in (FLEURS_FR, MLS_FR, VOXPOPULI_FR)}
