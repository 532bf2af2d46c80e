"""Runs the ``whisper-qat`` command as ``python -m whisper_qat``."""

from whisper_qat.cli.program import main

if __name__ == "__main__":
    main()
