"""Training history: a JSON line per optimizer step and evaluation, and the same in TensorBoard.

A resumed run drops the lines after its checkpoint, as if the run had not been interrupted.
accelerate's trackers write no file of lines that could be truncated like this, and their
TensorBoard writer is opened before the first step, which a dry run never takes, and flushes to
disk at every step.
"""

import json
from pathlib import Path

from torch.utils.tensorboard import SummaryWriter

FILE_NAME = "history.jsonl"


class History:
    """Appends to FOLDER/history.jsonl and FOLDER/tensorboard; nothing is opened before `add`."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE_NAME
        self.tensorboard_folder = folder / "tensorboard"
        self.writer: SummaryWriter | None = None

    def add(self, metrics: dict[str, float]) -> None:
        """Record `metrics`, which must contain "step"."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a") as file:
            file.write(json.dumps(metrics) + "\n")
        step = int(metrics["step"])
        if self.writer is None:
            # purge_step hides what a killed run logged after the checkpoint.
            self.writer = SummaryWriter(str(self.tensorboard_folder), purge_step=step)
        for name, value in metrics.items():
            if name != "step":
                self.writer.add_scalar(name, value, step)

    def flush(self) -> None:
        if self.writer is not None:
            self.writer.flush()

    def close(self) -> None:
        """Stop TensorBoard's writer thread, which could otherwise write into a deleted folder."""
        if self.writer is not None:
            self.writer.close()
            self.writer = None

    def keep_until(self, step: int) -> None:
        """Drop the lines recorded after `step`, and a half-written last line."""
        if not self.path.is_file():
            return
        kept = [line for line in self.lines() if line["step"] <= step]
        self.path.write_text("".join(json.dumps(line) + "\n" for line in kept))

    def lines(self) -> list[dict[str, float]]:
        """The recorded metrics in order, without an incomplete last line."""
        lines = []
        for text in self.path.read_text().splitlines():
            try:
                lines.append(json.loads(text))
            except json.JSONDecodeError:
                break
        return lines
