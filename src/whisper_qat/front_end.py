"""Constants of Whisper's front end, the same for every checkpoint: sampling, window and frames.

From `openai/whisper`, whisper/audio.py, where the same constants are spelt out.
"""

SAMPLE_RATE = 16_000  # Hz
WINDOW_S = 30
WINDOW = WINDOW_S * SAMPLE_RATE  # samples
N_FFT = 400
FRAMES_PER_SECOND = 100
HOP = SAMPLE_RATE // FRAMES_PER_SECOND
MAX_FRAMES = WINDOW_S * FRAMES_PER_SECOND
POSITIONS_PER_SECOND = FRAMES_PER_SECOND // 2  # the encoder's second convolution has stride 2
