"""Every corpus known by name, and every folder layout that is recognised.

prepare_data fetches SOURCES. An evaluation's names are entries of `configs/corpora.yaml` (`named`);
an entry that gives no Hub dataset is looked for where `hub.HUB_CORPORA` has its name.
"""

from whisper_qat.data.corpora.common_voice import COMMON_VOICE_FR
from whisper_qat.data.corpora.hub import HUB_CORPORA
from whisper_qat.data.corpora.mtedx import MTEDX
from whisper_qat.data.corpora.record import FolderLayout, NamedSource
from whisper_qat.data.corpora.telephone import TELEPHONE_EN, TELEPHONE_FR

SOURCES: dict[str, NamedSource] = {
    source.name: source
    for source in (
        TELEPHONE_FR,
        TELEPHONE_EN,
        COMMON_VOICE_FR,
        *(corpus.source for corpus in HUB_CORPORA.values()),
    )
}
LAYOUTS: tuple[FolderLayout, ...] = (MTEDX,)


def sources_with(field: str) -> list[str]:
    """Names of the sources that take `field`, a field of `record.Request`."""
    return [name for name, source in SOURCES.items() if field in source.takes]
