"""Every term of the training objective, in the order in which they are added and reported."""

from whisper_qat.train.terms.cross_entropy import CROSS_ENTROPY
from whisper_qat.train.terms.distillation import DISTILLATION
from whisper_qat.train.terms.encoder_states import ENCODER_STATES
from whisper_qat.train.terms.term import Term

TERMS: tuple[Term, ...] = (CROSS_ENTROPY, DISTILLATION, ENCODER_STATES)
