"""Say what this CPU has, and which plan is fastest at which size on it.

python scripts/recommend.py data/whisper-base
"""

from whisper_qat.cli.command import main
from whisper_qat.tasks.recommend import RecommendConfig, run

if __name__ == "__main__":
    main(RecommendConfig, run)
