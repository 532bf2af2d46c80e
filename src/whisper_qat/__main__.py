"""``python -m whisper_qat`` is ``whisper-qat``."""

from whisper_qat.cli.program import main

if __name__ == "__main__":
    main()
