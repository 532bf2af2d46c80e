"""Write docs/results.md and the README's tables from docs/results/*.json; --check only compares.

Example:
    python scripts/render_results.py --check
"""

from whisper_qat.cli.command import main
from whisper_qat.tasks.render_results import RenderResultsConfig, run

if __name__ == "__main__":
    main(RenderResultsConfig, run)
