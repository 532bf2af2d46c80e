"""Create the environment of the optimum load test: python3 scripts/setup_optimum_env.py [FOLDER].

optimum-onnx pins an older transformers, so it cannot share the main environment. onnx and
onnxruntime have the versions of requirements.lock, so that the same kernels run on both sides.
Standard library only.
"""

import sys
from pathlib import Path

import setup_env

OPTIMUM = "optimum-onnx[onnxruntime]==0.1.0"
SAME = ("onnx==", "onnxruntime==")


def main(venv: Path) -> None:
    setup_env.check_python()
    setup_env.create(str(venv), see_system=False)
    python = str(venv / "bin" / "python")
    torch = setup_env.install_torch(python)
    lock = (Path(setup_env.ROOT) / "requirements.lock").read_text()
    same = [line.split()[0] for line in lock.splitlines() if line.startswith(SAME)]
    setup_env.run([*setup_env.pip(python), OPTIMUM, f"torch=={torch}", *same])
    setup_env.say(f"ready: {venv}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else ".venv-optimum").absolute())
