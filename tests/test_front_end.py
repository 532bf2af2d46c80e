"""The front end's numbers are those of transformers' feature extractor."""

from transformers import WhisperFeatureExtractor

from whisper_qat.front_end import HOP, MAX_FRAMES, N_FFT, SAMPLE_RATE, WINDOW, WINDOW_S


def test_the_numbers_are_transformers():
    extractor = WhisperFeatureExtractor()
    assert (extractor.sampling_rate, extractor.chunk_length) == (SAMPLE_RATE, WINDOW_S)
    assert (extractor.n_samples, extractor.nb_max_frames) == (WINDOW, MAX_FRAMES)
    assert (extractor.hop_length, extractor.n_fft) == (HOP, N_FFT)
