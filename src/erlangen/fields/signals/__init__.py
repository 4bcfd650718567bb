"""Signals on a warped time axis that shift from frame to frame, sensors, and what a Fourier transform shows of them."""

from erlangen.fields.signals.dft import dft_spectrum, lowpass, lowpass_error
from erlangen.fields.signals.warped import SENSORS, Signals, sines, warped_signals

__all__ = ["SENSORS", "Signals", "dft_spectrum", "lowpass", "lowpass_error", "sines", "warped_signals"]
