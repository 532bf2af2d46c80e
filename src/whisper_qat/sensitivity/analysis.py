"""Sensitivity analysis: quantizes the parts of a checkpoint one at a time and measures each."""

import re
from collections.abc import Collection, Sequence
from dataclasses import asdict
from typing import Any

from whisper_qat.model.checkpoint.final import Final
from whisper_qat.model.fake_quant.layers import fake_quantized
from whisper_qat.model.fake_quant.prepare import apply_plan, plan, quantizable
from whisper_qat.model.plan.plan import HEAD, STORED, TOKEN_TABLE, Rule
from whisper_qat.ptq.calibration import Sample
from whisper_qat.quant.block_scheme import BlockScheme
from whisper_qat.quant.packing import stored_bytes
from whisper_qat.quant.scheme import Scheme
from whisper_qat.runs.progress import Bar
from whisper_qat.sensitivity.effect import Probe
from whisper_qat.sensitivity.mixed_plan import Unit
from whisper_qat.sensitivity.part_costs import FLOAT_BYTES, Costs
from whisper_qat.sensitivity.part_wer import WordErrors
from whisper_qat.sensitivity.parts import Part, parts
from whisper_qat.sensitivity.proposal import HALF_BYTES, Budget, choose, facts, rules, table_as_one

TABLE_FALLBACK = BlockScheme(8, 32, "float16")  # where a scheme has no lookup kernel


class Analysis:
    """A float checkpoint whose layers can be quantized to a scheme and switched back one by one."""

    def __init__(
        self, final: Final, samples: list[Sample], by: str, words: WordErrors | None, *,
        threads: int,
    ) -> None:  # fmt: skip
        self.model, self.samples, self.words = final.model, samples, words
        self.by, self.threads = by, threads
        names = [name for name in quantizable(final.model) if name not in STORED]
        weights = {name: final.model.get_parameter(f"{name}.weight") for name in names}
        self.shapes = {name: (w.shape[0], w.shape[1]) for name, w in weights.items()}
        self.parts = parts(names, by)
        total = sum(p.numel() for p in final.model.parameters())
        stored = sum(final.model.get_parameter(f"{name}.weight").numel() for name in STORED)
        left = total - stored - sum(weight.numel() for weight in weights.values())
        self.fp32_bytes = FLOAT_BYTES * total
        self.rest_bytes = HALF_BYTES * stored + FLOAT_BYTES * left
        # This scheme is a placeholder; `_set_scheme` sets the one that is measured.
        stand_in = [Rule(pattern=".*", scheme=TABLE_FALLBACK.name, why="")]
        apply_plan(final.model, plan(final.model, stand_in))
        self.probe = Probe(final.model, samples, final.model.config.eos_token_id)

    def measure(self, scheme: Scheme) -> dict[str, Any]:
        """Measure the float baseline, each part alone, and everything at once; one row each."""
        self._set_scheme(scheme, fake_quantized(self.model))
        table = _of_table(scheme)
        costs = Costs(self.shapes, self.samples, scheme, table, threads=self.threads)
        everything = Part("everything", "", tuple(fake_quantized(self.model)))
        rows = []
        for part in Bar([Part("float", "", ()), *self.parts, everything], unit="part"):
            rows.append(self._row(part) | asdict(costs.savings(part.layers)))
        for row in rows:
            row["delta_loss"] = row["loss"] - rows[0]["loss"]
            if "wer" in row:
                row["delta_wer"] = row["wer"] - rows[0]["wer"]
        return {
            "scheme": scheme.name, "table_scheme": table.name, "by": self.by,
            "clips": len(self.samples), "tokens": rows[0]["tokens"], "threads": self.threads,
            "fp32_bytes": self.fp32_bytes, "rows": rows,
        }  # fmt: skip

    def propose(
        self, scheme: Scheme, fine: Scheme, budget: Budget
    ) -> tuple[list[Rule], dict[str, Any]]:
        """Propose a mixed plan: its rules, and its expected effect next to the measured one."""
        units = self._units(table_as_one(self.parts), scheme, fine)
        chosen = choose(units, budget, fp32_bytes=self.fp32_bytes, rest_bytes=self.rest_bytes)
        finer = [unit.pattern for unit in units if unit.name in chosen.fine]
        modules = fake_quantized(self.model)
        self._set_scheme(scheme, modules)
        self._set_scheme(fine, [n for n in modules if _matches(n, finer)])
        base, mixed = self.probe.measure(()), self.probe.measure(modules)
        measured = {"kl": mixed.kl, "delta_loss": mixed.loss - base.loss}
        made = rules(chosen, units, (scheme, fine), (_of_table(scheme), _of_table(fine)))
        return made, facts(chosen, measured, self.fp32_bytes, self.rest_bytes)

    def _row(self, part: Part) -> dict[str, Any]:
        row: dict[str, Any] = {"part": part.name, **asdict(self.probe.measure(part.layers))}
        if self.words is not None:
            with self.probe.quantizing(part.layers):
                row["wer"] = self.words.rate(self.samples[0].prompt_length)
        return row

    def _units(self, of: Sequence[Part], scheme: Scheme, fine: Scheme) -> list[Unit]:
        kls, sizes = [], []
        for chosen in (scheme, fine):
            self._set_scheme(chosen, fake_quantized(self.model))
            bar = Bar(of, desc=chosen.name, unit="part")
            kls.append([self.probe.measure(part.layers).kl for part in bar])
            sizes.append([self._bytes(part, chosen) for part in of])
        return [
            Unit(
                name=part.name, pattern=part.pattern, coarse_kl=kls[0][i], fine_kl=kls[1][i],
                coarse_bytes=sizes[0][i], fine_bytes=sizes[1][i],
            )
            for i, part in enumerate(of)
        ]  # fmt: skip

    def _bytes(self, part: Part, scheme: Scheme) -> int:
        stored = {TOKEN_TABLE if name == HEAD else name for name in part.layers}
        return sum(
            stored_bytes(*self.shapes[n], _of_table(scheme) if n == TOKEN_TABLE else scheme)
            for n in stored
        )

    def _set_scheme(self, scheme: Scheme, names: Collection[str]) -> None:
        for name, layer in fake_quantized(self.model).items():
            if name in names:
                layer.scheme = _of_table(scheme) if name in (HEAD, TOKEN_TABLE) else scheme


def _of_table(scheme: Scheme) -> Scheme:
    """Return the scheme of the token table when the other layers have `scheme`."""
    return scheme if scheme.has_lookup else TABLE_FALLBACK


def _matches(name: str, patterns: Sequence[str]) -> bool:
    entry = TOKEN_TABLE if name == HEAD else name
    return any(re.fullmatch(pattern, entry) for pattern in patterns)
