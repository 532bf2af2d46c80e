"""A backend that says what a test wrote down: honest about the protocol, without any weights."""

import numpy as np


class ScriptedBackend:
    """`steps[i]` are the logits [vocab] of the last position at step i; records what it was fed."""

    def __init__(self, steps):
        self.steps = np.asarray(steps, dtype=np.float32)
        self.fed = []

    def encode(self, mel):
        assert mel.ndim == 3 and mel.shape[0] == 1
        return {"step": 0, "frames": mel.shape[2]}

    def logits(self, tokens, state):
        assert tokens.dtype == np.int64 and tokens.shape[0] == 1
        self.fed.append(tokens[0].tolist())
        out = np.full((1, tokens.shape[1], self.steps.shape[1]), np.nan, dtype=np.float32)
        out[0, -1] = self.steps[state["step"]]
        state["step"] += 1
        return out

    def next_logits(self, tokens, state):
        return self.logits(tokens, state)[:, -1]
